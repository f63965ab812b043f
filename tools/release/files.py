"""The files of a release that are made of this checkout alone: wheel, sdist, chart.

Nothing of the machine is in them, neither owner nor time, so that one commit gives the same bytes.
"""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).resolve().parents[2]
CHART: Final = "artifact-index-operator"
CHECKSUMS: Final = "checksums.txt"
SIGNATURE: Final = ".sigstore.json"
"""The end of the file with the signature of another one."""
_IMAGE: Final = b'\n  repository: "%s"\n'
_NO_IMAGE: Final = _IMAGE % b""


def build_package(target: str, folder: Path, *, top: Path = TOP, epoch: int | None = None) -> Path:
    """Build the `wheel` or the `sdist` of a checkout into the folder. Raises CalledProcessError.

    Files get the time `epoch`, in seconds since 1970; without one, hatchling's own.
    """
    environment = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    if epoch is not None:
        environment["SOURCE_DATE_EPOCH"] = str(epoch)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, "-m", "hatchling", "build", "--target", target, "-d", scratch]
        subprocess.run(  # noqa: S603 - our own command
            command, cwd=top, env=environment, check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        (built,) = Path(scratch).iterdir()
        return built.replace(folder / built.name)


def build_chart(to: Path, *, top: Path = TOP, epoch: int = 0, repository: str = "") -> Path:
    """Package the chart as `helm package` does, but always with the same bytes.

    `repository` is where its image will be: without one whoever installs the chart has to say it.
    """
    chart = top / "helm" / CHART
    ignored = (chart / ".helmignore").read_text().split()
    files = {
        f"{CHART}/{path.relative_to(chart)}": path.read_bytes()
        for path in sorted(chart.rglob("*"))
        if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in ignored)
    }
    values = files[f"{CHART}/values.yaml"]
    files[f"{CHART}/values.yaml"] = values.replace(_NO_IMAGE, _IMAGE % repository.encode(), 1)
    to.write_bytes(pack(files, epoch=epoch))
    return to


def pack(
    content: Mapping[str, bytes], *, programs: frozenset[str] = frozenset(), epoch: int = 0
) -> bytes:
    """Pack files, by name, as a tar.gz; the programs among them can be executed."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=epoch) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), epoch
            entry.mode = 0o755 if name in programs else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def write_checksums(folder: Path) -> None:
    """Write what `sha256sum --check checksums.txt` reads, of all other files of a folder."""
    own = (CHECKSUMS, f"{CHECKSUMS}{SIGNATURE}")
    files = sorted(path for path in folder.iterdir() if path.name not in own)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / CHECKSUMS).write_text("".join(lines))
