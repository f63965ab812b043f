"""The lines that say until when each login of a file is good, for `artifact-index fresh`.

A comment for each index, which changes only with its token, or one that says that there are no
logins, so that nothing can expire. Variables have no comments: there the same texts are the value
of one variable.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from artifact_index.api.timestamps import format_time
from artifact_index.formats.base import login_of
from artifact_index.formats.document import IndexEntry

VARIABLE: Final = "ARTIFACT_INDEX_EXPIRES"
"""The variable with the lines of all indexes, which `, ` separates."""

NO_LOGINS: Final = "no logins"
"""The only line of a file whose indexes need no login."""

_UNTIL: Final = re.compile(r"((?:^# |\A|, )[a-z0-9-]+: until )[-0-9T:Z]+", re.MULTILINE)


def expiry_lines(
    entries: Iterable[IndexEntry], held: Collection[str] | None = None, *, unsure: bool = False
) -> list[str]:
    """A line for each entry that is blocked or has a login, such as `acme: until 2026-...Z`.

    Of the others only those that are `held` count, if it is given. `NO_LOGINS` if no entry is
    blocked or has a login, unless it is `unsure` whether one that is not there should.
    """
    lives = [(entry, life) for entry in entries if (life := _life_of(entry)) is not None]
    if not lives:
        return [] if unsure else [NO_LOGINS]
    return [
        f"{entry.name}: {life}"
        for entry, life in lives
        if held is None or entry.blocked or entry.name in held
    ]


def expiry_comments(
    entries: Iterable[IndexEntry], held: Collection[str] | None = None, *, unsure: bool = False
) -> str:
    """The `expiry_lines` as comments, which INI, TOML and netrc write alike."""
    return "".join(f"# {line}\n" for line in expiry_lines(entries, held, unsure=unsure))


def expiry_comment(entry: IndexEntry) -> str:
    """The comment beside one entry; empty if it has no login."""
    life = _life_of(entry)
    return f"# {entry.name}: {life}\n" if life is not None else ""


def no_logins_comment(entries: Iterable[IndexEntry]) -> str:
    """The comment of a file that has the others beside their entries."""
    return f"# {NO_LOGINS}\n" if all(_life_of(entry) is None for entry in entries) else ""


def with_time(text: str, time: str) -> str:
    """A file, or the value of `VARIABLE`, with this text for the time in each line."""
    return _UNTIL.sub(rf"\g<1>{time}", text)


def _life_of(entry: IndexEntry) -> str | None:
    if entry.blocked:
        return "unavailable"
    if entry.expires_at is not None:
        return f"until {format_time(entry.expires_at)}"
    has_login = entry.verbatim_url is not None or login_of(entry) is not None
    return "no expiry known" if has_login else None
