"""The images of the node tier, built with buildah from what this machine can reach.

There is no registry: Debian stands in for the Python image. Layers are kept in the cache and used
again while what they are built from is the same.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.control_plane.errors import ControlPlaneUnavailable
from support.node.sandbox import write_sandbox_image
from support.operator_process import REPOSITORY
from support.uv_clients import NEWEST, cache_directory, uv_binary

# The release of the Dockerfile's own base, with the same Python.
SUITE = "trixie"
BASE_PACKAGES = "ca-certificates,python3,python3-venv"
_BASE_KEY = hashlib.sha256(f"{SUITE} {BASE_PACKAGES}".encode()).hexdigest()[:12]
OPERATOR = "localhost/artifact-index-operator:1"
BUILDER = "localhost/builder:1"
BUILD_SECONDS = 900
# How long an archive is kept after its last use.
ARCHIVE_SECONDS = 3600
# Where pip is told about indexes; those that exist here also count inside the build.
_PIP_FILES = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
_BUILDER_FILE = Path(__file__).with_name("Dockerfile.builder")
_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Images:
    """Archives in the format of `docker save`, not compressed."""

    operator: Path
    builder: Path
    sandbox: Path


def ensure_images() -> Images:
    """Build what is not current; a first time takes a minute or two and needs the network.

    Raises ControlPlaneUnavailable when a build fails, with its last lines.
    """
    folder = cache_directory() / "node"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store = _Store(folder)
        sandbox = folder / "sandbox.tar"
        if not sandbox.exists():
            write_sandbox_image(sandbox)
        operator = store.archive(OPERATOR, _digest(*_operator_files()), lambda: REPOSITORY)
        trim = REPOSITORY / "image" / "trim_root.sh"
        with tempfile.TemporaryDirectory(prefix="node-builder-") as scratch:

            def context() -> Path:
                shutil.copy(_BUILDER_FILE, Path(scratch, "Dockerfile"))
                shutil.copy(trim, scratch)
                shutil.copy2(uv_binary(NEWEST), Path(scratch, "uv"))
                return Path(scratch)

            builder = store.archive(BUILDER, _digest(_BUILDER_FILE, trim), context)
        return Images(operator=operator, builder=builder, sandbox=sandbox)


def _operator_files() -> list[Path]:
    """What goes into a build of the Dockerfile: .dockerignore lets in what it names with a `!`."""
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    named = [REPOSITORY / line[1:] for line in lines if line.startswith("!")]
    below = [path for folder in named for path in folder.rglob("*")]
    files = {path for path in [*named, *below] if path.is_file()}
    return sorted(path for path in files if path.suffix != ".pyc")


def _digest(*files: Path) -> str:
    digest = hashlib.sha256(f"{_BASE_KEY} uv {NEWEST}".encode())
    for file in files:
        digest.update(f"{file.relative_to(REPOSITORY)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


class _Store:
    """buildah with a store of its own, and the archives of what it built."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options: list[str | Path] = ["--storage-driver", "overlay"]
        self._options += ["--root", folder / "store", "--runroot", folder / "running"]

    def archive(self, name: str, key: str, context: Callable[[], Path]) -> Path:
        """An image as a file, built from the Dockerfile of a folder unless it is there already."""
        file_name = name.rpartition("/")[2].partition(":")[0]
        path = self._folder / f"{file_name}-{key}.tar"
        for old in self._folder.glob(f"{file_name}-*.tar"):
            # Younger ones may be those of another checkout whose tests run now.
            if old.stat().st_mtime < time.time() - ARCHIVE_SECONDS:
                old.unlink()
        if path.exists():
            path.touch()
        else:
            self._build(name, context())
            staging = path.with_suffix(".partial")
            staging.unlink(missing_ok=True)
            self.run("push", "--quiet", name, f"docker-archive:{staging}:{name}")
            staging.replace(path)
        return path

    def run(self, *arguments: str | Path) -> str:
        """Run buildah; raises ControlPlaneUnavailable when it fails."""
        return _run("buildah", *self._options, *arguments)

    def has(self, name: str) -> bool:
        """Whether an image is in the store."""
        return name in self.run("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def _build(self, name: str, context: Path) -> None:
        base = _ensure_base(self)
        _say(f"building {name}")
        options = ["--quiet", "--layers", "--isolation", "chroot", "--network", "host"]
        options += ["--pull-never", *_network_files(), f"--build-arg=PYTHON_IMAGE={base}"]
        self.run("build", *options, "--tag", name, context)


def _ensure_base(store: _Store) -> str:
    """Debian with Python, as small as debootstrap makes it."""
    name = f"localhost/python:{_BASE_KEY}"
    if store.has(name):
        return name
    _say(f"bootstrapping Debian {SUITE} (once, under a minute)")
    with tempfile.TemporaryDirectory(prefix="node-base-") as scratch:
        root, archive = Path(scratch, "root"), Path(scratch, "root.tar")
        _run(
            *("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}"),
            *(SUITE, root),
        )
        _run("tar", "-C", root, "-cf", archive, ".")
        shutil.rmtree(root)
        Path(scratch, "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        store.run("build", "--quiet", "--tag", name, scratch)
    return name


def _network_files() -> list[str]:
    """Mounts that let pip in a build reach what pip reaches outside."""
    files = [path for name in _PIP_FILES if (path := Path(name).expanduser()).is_file()]
    mounts = [f"--volume={path}:/etc/pip.conf:ro" for path in files[-1:]]
    if _CA_BUNDLE.is_file():
        mounts.append(f"--volume={_CA_BUNDLE}:{_CA_BUNDLE}:ro")
    return mounts


def _say(what: str) -> None:
    print(f"node tier: {what}", file=sys.stderr, flush=True)


def _run(*command: str | Path) -> str:
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    if result.returncode != 0:
        last = "\n".join([*result.stdout.splitlines(), *result.stderr.splitlines()][-20:])
        raise ControlPlaneUnavailable(f"{command[0]} failed; it ends with:\n{last}")
    return result.stdout
