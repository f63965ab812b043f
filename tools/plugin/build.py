"""Build what `kubectl krew install` takes: `make plugin ARGS="--url URL"` writes it to `dist/`.

The archive holds a wheel of this checkout, the lock of its packages and a launcher. The same
checkout gives the same bytes. The manifest names the archive at the URL, with its hash.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "operator"), str(TOP)]

from tools.release.files import build_package, pack  # noqa: E402 - needs the path

from artifact_index import __version__  # noqa: E402 - needs the path

PROGRAM: Final = "kubectl-artifact_index"
"""What kubectl looks for; krew makes the same name of the plugin's."""


def files(requirements: Path = TOP / "requirements" / "runtime.txt") -> dict[str, bytes]:
    """The content of the archive, by name. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        built = build_package("wheel", Path(folder))
        return {
            PROGRAM: Path(__file__).with_name("launcher.py").read_bytes(),
            "LICENSE": (TOP / "LICENSE").read_bytes(),
            "requirements.txt": requirements.read_bytes(),
            built.name: built.read_bytes(),
        }


def archive(content: Mapping[str, bytes]) -> bytes:
    """A tar.gz with nothing of this machine in it: no owner and no time."""
    return pack(content, programs=frozenset({PROGRAM}))


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
