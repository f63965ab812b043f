"""The operator of another commit, in a virtual environment of its own."""

import fcntl
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from support.uv_clients import NEWEST, cache_directory, uv_binary

LAST_RELEASE = "35e183e6d89129768c06c89dad98474f3d855527"
"""Version 0.1.0, as the changelog says."""
_REPOSITORY = Path(__file__).resolve().parents[2]
_LOCK = "requirements/runtime.txt"


class RevisionUnavailable(Exception):
    """The operator of a commit cannot be had here; the message says what would help."""


def environment_of(revision: str) -> Path:
    """The Python that runs a commit's operator with `-m artifact_index`. Made at first use.

    It is this process' Python, with the packages of the commit's own lock, checked by hash. The
    commit's package is found by a path file of the environment: give the process no PYTHONPATH.
    Raises RevisionUnavailable where this checkout does not hold the commit.
    """
    commit = _commit(revision)
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    target = cache_directory() / "operators" / f"{commit}-{minor}"
    python = target / "env" / "bin" / "python"
    if python.exists():
        return python
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not python.exists():
            _make(commit, target)
    return python


def chart_of(revision: str, folder: Path) -> Path:
    """The chart of a commit, below the folder. Raises RevisionUnavailable."""
    _extract(_commit(revision), folder, "helm", "crds")
    return folder / "helm" / "artifact-index-operator"


def _commit(revision: str) -> str:
    """The full name of a commit."""
    name = f"{revision}^{{commit}}"
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    if found.returncode == 0:
        return found.stdout.decode().strip()
    shallow = _git("rev-parse", "--is-shallow-repository")
    if shallow.returncode != 0:
        raise RevisionUnavailable(
            f"the operator of {revision} is built from git history, and {_REPOSITORY} has none:"
            " use a clone of the repository"
        )
    if shallow.stdout.strip() == b"true":
        raise RevisionUnavailable(
            f"this clone is shallow and does not hold {revision}: `git fetch --unshallow` gets it"
        )
    raise RevisionUnavailable(f"this clone does not hold {revision}: `git fetch` may get it")


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(_REPOSITORY), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise RevisionUnavailable("no `git` is on PATH") from error


def _make(commit: str, target: Path) -> None:
    """Make it beside the target and rename, so that nobody sees half an environment."""
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _extract(commit, staging, "operator", _LOCK)
        _install(staging)
        # Where the package will be, not where it is now.
        site = next((staging / "env" / "lib").glob("python*/site-packages"))
        (site / "operator.pth").write_text(f"{target / 'operator'}\n")
        if target.exists():
            shutil.rmtree(target)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _extract(commit: str, folder: Path, *paths: str) -> None:
    archive = _git("archive", "--format=tar", commit, *paths)
    if archive.returncode != 0:
        raise RevisionUnavailable(
            f"{commit} has not all of {', '.join(paths)}: {archive.stderr.decode()}"
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def _install(folder: Path) -> None:
    uv, environment = str(uv_binary(NEWEST)), str(folder / "env")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = [uv, "pip", "install", "--quiet", "--require-hashes"]
    lock = ["--python", f"{environment}/bin/python", "-r", str(folder / _LOCK)]
    subprocess.run([*install, *lock], check=True, timeout=600)
