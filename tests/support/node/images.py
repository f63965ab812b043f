"""The images of the node tier, built with buildah from what this machine can reach.

There is no registry: Debian stands in for the Python image. Layers are kept in the cache and used
again while what they are built from is the same.
"""

import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.release.containers import BASE_KEY, Builder, BuildError
from tools.release.inventory import read_image

from support.control_plane.errors import ControlPlaneUnavailable
from support.node.sandbox import write_sandbox_image
from support.operator_process import REPOSITORY
from support.uv_clients import NEWEST, cache_directory, uv_binary

OPERATOR = "localhost/artifact-index-operator:1"
BUILDER = "localhost/builder:1"
# How long an archive is kept after its last use.
ARCHIVE_SECONDS = 3600
# The time of the files: the image of one content is the same whenever it is built.
EPOCH = 1_700_000_000
_BUILDER_FILE = Path(__file__).with_name("Dockerfile.builder")


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
        sandbox = folder / "sandbox.tar"
        if not sandbox.exists():
            write_sandbox_image(sandbox)
        operator = _archive(folder, OPERATOR, _digest(*_operator_files()), lambda: REPOSITORY)
        trim = Path(__file__).with_name("trim_root.sh")
        with tempfile.TemporaryDirectory(prefix="node-builder-") as scratch:

            def context() -> Path:
                shutil.copy(_BUILDER_FILE, Path(scratch, "Dockerfile"))
                shutil.copy(trim, scratch)
                shutil.copy2(uv_binary(NEWEST), Path(scratch, "uv"))
                return Path(scratch)

            builder = _archive(folder, BUILDER, _digest(_BUILDER_FILE, trim), context)
        return Images(operator=operator, builder=builder, sandbox=sandbox)


def megabytes(archive: Path, folder: str) -> float:
    """How much of an image is in a folder of its site-packages."""
    files = read_image(archive).files
    own = (each.size for path, each in files.items() if f"/site-packages/{folder}/" in path)
    return sum(own) / 1e6


def _operator_files() -> list[Path]:
    """What goes into a build of the Dockerfile: .dockerignore lets in what it names with a `!`."""
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    named = [REPOSITORY / line[1:] for line in lines if line.startswith("!")]
    below = [path for folder in named for path in folder.rglob("*")]
    files = {path for path in [*named, *below] if path.is_file()}
    return sorted(path for path in files if path.suffix != ".pyc")


def _digest(*files: Path) -> str:
    digest = hashlib.sha256(f"{BASE_KEY} uv {NEWEST}".encode())
    for file in files:
        digest.update(f"{file.relative_to(REPOSITORY)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _archive(folder: Path, name: str, key: str, context: Callable[[], Path]) -> Path:
    """An image as a file, built from the Dockerfile of a folder unless it is there already."""
    file_name = name.rpartition("/")[2].partition(":")[0]
    path = folder / f"{file_name}-{key}.tar"
    for old in folder.glob(f"{file_name}-*.tar"):
        # Younger ones may be those of another checkout whose tests run now.
        if old.stat().st_mtime < time.time() - ARCHIVE_SECONDS:
            old.unlink()
    if path.exists():
        path.touch()
        return path
    builder = Builder(folder)
    try:
        builder.build(name, context(), epoch=EPOCH)
        builder.save(name, path, "docker-archive")
    except BuildError as error:
        raise ControlPlaneUnavailable(str(error)) from error
    return path
