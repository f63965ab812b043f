"""Builds programs from pinned Go modules, once for each machine: the control plane and others."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.control_plane.errors import ControlPlaneUnavailable
from support.control_plane.processes import spawn_tied, tail
from support.control_plane.progress import compiled, progress
from support.time_limit import not_counted


@dataclass(frozen=True)
class Program:
    """A Go main package and the folder of the module that pins it."""

    package: str
    module: str


@dataclass(frozen=True)
class Toolchain:
    """Programs that are built and cached together.

    `modules` holds one folder for each Go module with its go.mod and go.sum. The same flags for
    every program, or they share no compiled package and each takes minutes. `instead` ends the
    message of a machine that cannot build them.
    """

    name: str
    version: str
    modules: Path
    ldflags: str
    programs: Mapping[str, Program]
    instead: str = ""
    tags: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of `go build`."""
        tags = (f"-tags={self.tags}",) if self.tags else ()
        return "-mod=readonly", "-buildvcs=false", f"-ldflags={self.ldflags}", *tags


def cache_root() -> Path:
    """Where everything is that was built or fetched once for this machine."""
    if configured := os.environ.get("ARTIFACT_INDEX_CACHE"):
        return Path(configured).absolute()
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user_cache) / "artifact-index-operator"


def cache_folder(tools: Toolchain) -> Path:
    """Where the built programs are: one folder for each set of versions, flags and platform."""
    return cache_root() / tools.name / _key(tools)


def is_built(names: Collection[str], tools: Toolchain) -> bool:
    """Whether the cache holds these programs."""
    return not _missing(cache_folder(tools), names)


def _key(tools: Toolchain) -> str:
    digest = hashlib.sha256()
    for text in (sys.platform, platform.machine(), *tools.flags):
        digest.update(text.encode() + b"\0")
    for file in sorted(tools.modules.glob("*/go.*")):
        digest.update(file.read_bytes() + b"\0")
    return f"{tools.version}-{digest.hexdigest()[:16]}"


def ensure_built(names: Collection[str], tools: Toolchain) -> Path:
    """Return the folder that holds these programs, built now if need be.

    A cold build of the control plane takes about five minutes on two cores and downloads modules;
    a second process waits for the first one. Raises ControlPlaneUnavailable when building is
    impossible or fails.
    """
    folder = cache_folder(tools)
    if not _missing(folder, names):
        return folder
    wanted = ", ".join(names)
    if sys.platform != "linux":
        raise ControlPlaneUnavailable(f"{wanted} can only be built on Linux{tools.instead}")
    go = shutil.which("go")
    if go is None:
        raise ControlPlaneUnavailable(
            f"{wanted} not in the cache, and there is no `go` on PATH to build it with"
            f"{tools.instead}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with not_counted(), locked(folder / "lock"):
        if missing := _missing(folder, names):
            _build(tools, Path(go), folder, missing)
    return folder


def _missing(folder: Path, names: Collection[str]) -> list[str]:
    return [name for name in names if not (folder / name).is_file()]


def _build(tools: Toolchain, go: Path, folder: Path, names: list[str]) -> None:
    scratch = folder / "scratch"
    log = folder / "build.log"
    # A build that was killed leaves its scratch folder, and the lock says nobody uses it.
    shutil.rmtree(scratch, ignore_errors=True)
    log.unlink(missing_ok=True)
    output = scratch / "bin"
    output.mkdir(parents=True)
    try:
        for module in sorted({tools.programs[name].module for name in names}):
            members = [name for name in names if tools.programs[name].module == module]
            _go_build(tools, go, module, members, output, log)
        for name in names:
            (output / name).replace(folder / name)
    finally:
        # Compilers of an interrupted build may still write for a moment.
        shutil.rmtree(scratch, ignore_errors=True)


def _go_build(
    tools: Toolchain, go: Path, module: str, names: list[str], output: Path, log: Path
) -> None:
    packages = [tools.programs[name].package for name in names]
    # The last element of a module path can be its major version, a poor name for a program.
    target = str(output / names[0]) if len(names) == 1 else f"{output}{os.sep}"
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        # Go's own cache would keep 2 to 3 GB for programs of 0.2 GB.
        "GOCACHE": str(output.with_name("go-cache")),
    }
    what = f"building {', '.join(names)} (once)"
    folder = tools.modules / module
    count = _package_count(go, [*tools.flags, *packages], folder, environment)
    begun = log.stat().st_size if log.exists() else 0
    process = spawn_tied(
        [go, "build", "-v", *tools.flags, "-o", target, *packages],
        log=log,
        cwd=folder,
        env=environment,
    )
    with progress(what, compiled(log, begun, count)):
        try:
            status = process.wait()
        finally:
            # Ctrl-C interrupts the wait, but does not reach the build.
            process.kill()
    if status != 0:
        raise ControlPlaneUnavailable(
            f"{what} failed with status {status}; the log ends with:\n{tail(log, 20)}"
        )


def _package_count(
    go: Path, arguments: list[str], folder: Path, environment: Mapping[str, str]
) -> int:
    """Download the modules, and return how many packages the build will compile; at least 1."""
    with progress("downloading Go modules (once)"):
        listed = subprocess.run(
            [go, "list", "-deps", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    # A failure is the build's to tell, with its log.
    return max(1, len(set(listed.stdout.split()) - {"unsafe"}))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock; a line says so when another process has it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress("waiting for another process that gets the same"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
