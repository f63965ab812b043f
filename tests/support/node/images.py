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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.control_plane.errors import ControlPlaneUnavailable
from support.node.sandbox import write_sandbox_image
from support.operator_process import REPOSITORY
from support.uv_clients import NEWEST, cache_directory, uv_binary

# The release of the Dockerfile's own base, with the same Python.
SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
BASE_PACKAGES = "ca-certificates,python3,python3-venv"
OPERATOR = "localhost/artifact-index-operator:1"
BUILDER = "localhost/builder:1"
BUILD_SECONDS = 900
# How long an archive is kept after its last use.
ARCHIVE_SECONDS = 3600
# Where pip is told about indexes; those that exist here also count inside the build.
_PIP_FILES = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
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
        base = _ensure_base(store)
        operator = store.build(OPERATOR, REPOSITORY, PYTHON_IMAGE=base)
        with _builder_context() as context:
            builder = store.build(BUILDER, context, PYTHON_IMAGE=base)
        sandbox = folder / "sandbox.tar"
        if not sandbox.exists():
            write_sandbox_image(sandbox)
        return Images(
            operator=store.archive(OPERATOR, operator),
            builder=store.archive(BUILDER, builder),
            sandbox=sandbox,
        )


class _Store:
    """buildah with a store of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options: list[str | Path] = ["--storage-driver", "overlay"]
        self._options += ["--root", folder / "store", "--runroot", folder / "running"]

    def run(self, *arguments: str | Path) -> str:
        """Run buildah; raises ControlPlaneUnavailable when it fails."""
        return _run("buildah", *self._options, *arguments)

    def has(self, name: str) -> bool:
        return name in self.run("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def build(self, name: str, context: Path, **arguments: str) -> str:
        """Build a folder's Dockerfile and return the image's id."""
        given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        _say(f"building {name}")
        options = ["--quiet", "--layers", "--isolation", "chroot", "--network", "host"]
        options += ["--pull-never", *_network_files(), *given, "--tag", name]
        answer = self.run("build", *options, context)
        return answer.split()[-1]

    def archive(self, name: str, image: str) -> Path:
        """The image as a file, written once for each build."""
        file_name = name.rpartition("/")[2].partition(":")[0]
        path = self._folder / f"{file_name}-{image[:12]}.tar"
        for old in self._folder.glob(f"{file_name}-*.tar"):
            # Younger ones may be those of another checkout whose tests run now.
            if old.stat().st_mtime < time.time() - ARCHIVE_SECONDS:
                old.unlink()
        if path.exists():
            path.touch()
        else:
            staging = path.with_suffix(".partial")
            staging.unlink(missing_ok=True)
            self.run("push", "--quiet", name, f"docker-archive:{staging}:{name}")
            staging.replace(path)
        return path


def _ensure_base(store: _Store) -> str:
    """Debian with Python, as small as debootstrap makes it."""
    key = hashlib.sha256(f"{SUITE} {MIRROR} {BASE_PACKAGES}".encode()).hexdigest()[:12]
    name = f"localhost/python:{key}"
    if store.has(name):
        return name
    _say(f"bootstrapping Debian {SUITE} (once, under a minute)")
    with tempfile.TemporaryDirectory(prefix="node-base-") as scratch:
        root, archive = Path(scratch, "root"), Path(scratch, "root.tar")
        _run(
            *("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}"),
            *(SUITE, root, MIRROR),
        )
        _run("tar", "-C", root, "-cf", archive, ".")
        shutil.rmtree(root)
        Path(scratch, "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        store.run("build", "--quiet", "--tag", name, scratch)
    return name


@contextmanager
def _builder_context() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="node-builder-") as scratch:
        context = Path(scratch)
        shutil.copy(Path(__file__).with_name("Dockerfile.builder"), context / "Dockerfile")
        shutil.copy(REPOSITORY / "image" / "trim_root.sh", context)
        shutil.copy2(uv_binary(NEWEST), context / "uv")
        yield context


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
