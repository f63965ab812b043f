"""The changelog as a release reads it."""

import re
from typing import Final

_HEADING: Final = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.M)
_LINK: Final = re.compile(r"\]\((?!https?://|#)")


class ChangelogError(Exception):
    """The changelog says nothing of a version; the message says what to do."""


def section(changelog: str, version: str, *, dated: bool) -> str:
    """The notes of a version; if it need not be `dated` yet, else those of what is not released.

    Raises ChangelogError.
    """
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    found = {
        heading["version"]: changelog[heading.end() : end].strip() + "\n"
        for heading, end in zip(headings, ends, strict=True)
        if heading["date"] or not dated
    }
    notes = found.get(version) or found.get("Unreleased")
    if notes is None:
        raise ChangelogError(
            f"CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD`: `make version "
            f"VERSION={version}` makes it of what is unreleased"
        )
    return notes


def close(changelog: str, version: str, date: str) -> str:
    """The changelog with what was unreleased as the version's section. Raises ChangelogError."""
    if any(heading["version"] == version for heading in _HEADING.finditer(changelog)):
        raise ChangelogError(f"CHANGELOG.md has a section of {version} already")
    closed, count = re.subn(
        r"^## \[Unreleased\]\n(\nThe next version is .*\n)?",
        f"## [Unreleased]\n\n## [{version}] - {date}\n",
        changelog,
        flags=re.M,
    )
    if not count:
        raise ChangelogError("CHANGELOG.md has no section `## [Unreleased]`")
    return closed


def with_links(notes: str, base: str) -> str:
    """The notes with links below a URL, since they are read elsewhere than in the repository."""
    return _LINK.sub(f"]({base.rstrip('/')}/", notes)
