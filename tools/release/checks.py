"""Whether a checkout may become a release, and what git says of it."""

import subprocess
from pathlib import Path
from typing import Final

from artifact_index import __version__

_TOP: Final = Path(__file__).resolve().parents[2]


class ReleaseError(Exception):
    """This checkout is not that release; the message says what to do."""


def check_version(version: str, own: str = __version__) -> None:
    """Raise ReleaseError unless the checkout is of this version."""
    if version != own:
        raise ReleaseError(
            f"this checkout is {own}, not {version or 'the empty VERSION'}: give VERSION={own}, or "
            f"change it with `make version VERSION=...`"
        )


def check_tagged(version: str, top: Path = _TOP) -> None:
    """Raise ReleaseError unless the checkout is the commit with the version's tag, unchanged."""
    if changed := _git(top, "status", "--porcelain"):
        raise ReleaseError(f"the checkout has changes: commit or remove\n{changed}")
    tags = _git(top, "tag", "--points-at", "HEAD").split()
    if f"v{version}" not in tags:
        raise ReleaseError(
            f"HEAD has no tag v{version} (it has {', '.join(tags) or 'none'}): check out the tag"
        )


def commit_time(top: Path = _TOP) -> int:
    """When HEAD was committed, in seconds since 1970. Raises ReleaseError without git."""
    return int(_git(top, "log", "-1", "--format=%ct"))


def revision(top: Path = _TOP) -> str:
    """The commit of HEAD. Raises ReleaseError without git."""
    return _git(top, "rev-parse", "HEAD")


def _git(top: Path, *arguments: str) -> str:
    command = ["git", "-C", str(top), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip()
        raise ReleaseError(f"a release is made from a clone with git: {said}") from error
    return done.stdout.strip()
