"""Build what `kubectl krew install` takes: `make plugin ARGS="--url URL"` writes it to `dist/`.

The archive holds a wheel of this checkout, the lock of its packages and a launcher. The same
checkout gives the same bytes. The manifest names the archive at the URL, with its hash.
"""

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "operator")]

from artifact_index import __version__  # noqa: E402 - needs the path

PROGRAM: Final = "kubectl-artifact_index"
"""What kubectl looks for; krew makes the same name of the plugin's."""


def wheel(folder: Path) -> Path:
    """Build the wheel of this checkout. Raises CalledProcessError."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(  # noqa: S603 - our own command
        command, cwd=TOP, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    (built,) = folder.glob("*.whl")
    return built


def files(requirements: Path = TOP / "requirements" / "runtime.txt") -> dict[str, bytes]:
    """The content of the archive, by name. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        built = wheel(Path(folder))
        return {
            PROGRAM: Path(__file__).with_name("launcher.py").read_bytes(),
            "LICENSE": (TOP / "LICENSE").read_bytes(),
            "requirements.txt": requirements.read_bytes(),
            built.name: built.read_bytes(),
        }


def archive(content: Mapping[str, bytes]) -> bytes:
    """A tar.gz with nothing of this machine in it: no owner and no time."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if name == PROGRAM else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def write(folder: Path, packed: bytes, *, url: str, homepage: str) -> tuple[Path, Path]:
    """Write manifest and archive, which will be served as a file below the URL."""
    folder.mkdir(parents=True, exist_ok=True)
    packed_path = folder / f"{PROGRAM}-v{__version__}.tar.gz"
    packed_path.write_bytes(packed)
    template = Template(Path(__file__).with_name("manifest.yaml").read_text())
    # krew demands that the file is named as the plugin.
    manifest = folder / "artifact-index.yaml"
    manifest.write_text(
        template.substitute(
            version=__version__,
            homepage=homepage,
            uri=f"{url.rstrip('/')}/{packed_path.name}",
            sha256=hashlib.sha256(packed).hexdigest(),
        ).partition("\n")[2]
    )
    return manifest, packed_path


def main() -> None:
    """Build both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True, help="where the archive will be, without its name")
    parser.add_argument("--homepage", help="default: the URL")
    parser.add_argument("--to", type=Path, default=TOP / "dist", help="the folder; default: dist")
    chosen = parser.parse_args()
    homepage = chosen.homepage or chosen.url
    for path in write(chosen.to, archive(files()), url=chosen.url, homepage=homepage):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
