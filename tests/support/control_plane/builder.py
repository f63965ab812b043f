"""Builds programs from pinned Go modules, once for each machine: the control plane and others."""

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.control_plane.errors import ControlPlaneUnavailable
from support.control_plane.processes import spawn_tied, tail

KUBERNETES_VERSION = "v1.34.4"
PROGRESS_SECONDS = 10.0
PROGRESS_SECONDS_TTY = 1.0


def _ldflags() -> str:
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    # Unset, the server calls itself v0.0.0-master, and clients misjudge what it can do.
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor}
    variables = [
        f"-X {package}.{name}={value}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for name, value in values.items()
    ]
    return " ".join(["-s", "-w", *variables])


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


CONTROL_PLANE = Toolchain(
    name="control-plane",
    version=KUBERNETES_VERSION,
    modules=Path(__file__).with_name("build"),
    ldflags=_ldflags(),
    programs={
        "kube-apiserver": Program("k8s.io/kubernetes/cmd/kube-apiserver", "kubernetes"),
        "kube-controller-manager": Program(
            "k8s.io/kubernetes/cmd/kube-controller-manager", "kubernetes"
        ),
        "kubectl": Program("k8s.io/kubernetes/cmd/kubectl", "kubernetes"),
        "kubelet": Program("k8s.io/kubernetes/cmd/kubelet", "kubernetes"),
        "kube-scheduler": Program("k8s.io/kubernetes/cmd/kube-scheduler", "kubernetes"),
        "etcd": Program("go.etcd.io/etcd/server/v3", "etcd"),
    },
    instead="; KUBEBUILDER_ASSETS may name a folder that has them",
)


def cache_folder(tools: Toolchain = CONTROL_PLANE) -> Path:
    """Where the built programs are: one folder for each set of versions, flags and platform."""
    if configured := os.environ.get("ARTIFACT_INDEX_CACHE"):
        root = Path(configured).absolute()
    else:
        user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        root = Path(user_cache) / "artifact-index-operator"
    return root / tools.name / _key(tools)


def _key(tools: Toolchain) -> str:
    digest = hashlib.sha256()
    for text in (sys.platform, platform.machine(), *tools.flags):
        digest.update(text.encode() + b"\0")
    for file in sorted(tools.modules.glob("*/go.*")):
        digest.update(file.read_bytes() + b"\0")
    return f"{tools.version}-{digest.hexdigest()[:16]}"


def ensure_built(names: Collection[str], tools: Toolchain = CONTROL_PLANE) -> Path:
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
    with _locked(folder / "lock"):
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
    what = f"building {', '.join(names)} (once, some minutes)"
    with _progress(what):
        process = spawn_tied(
            [go, "build", *tools.flags, "-o", target, *packages],
            log=log,
            cwd=tools.modules / module,
            env=environment,
        )
        try:
            status = process.wait()
        finally:
            # Ctrl-C interrupts the wait, but does not reach the build.
            process.kill()
    if status != 0:
        raise ControlPlaneUnavailable(
            f"{what} failed with status {status}; the log ends with:\n{tail(log, 20)}"
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with _progress("waiting for another process that builds the same"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _progress(what: str) -> Iterator[None]:
    """Say on standard error what goes on and for how long, until the block ends."""
    done = threading.Event()
    reporter = threading.Thread(target=_report, args=(what, done), daemon=True)
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()


def _report(what: str, done: threading.Event) -> None:
    on_terminal = sys.stderr.isatty()
    started = time.monotonic()
    start, end = ("\r", "") if on_terminal else ("", "\n")
    finished = False
    while not finished:
        line = f"{start}{what}: {time.monotonic() - started:.0f} s"
        print(line, end=end, file=sys.stderr, flush=True)
        finished = done.wait(PROGRESS_SECONDS_TTY if on_terminal else PROGRESS_SECONDS)
    print(
        f"{start}{what}: ended after {time.monotonic() - started:.0f} s",
        file=sys.stderr,
        flush=True,
    )
