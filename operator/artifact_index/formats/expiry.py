"""The lines that say until when each login of a file is good, for `artifact-index fresh`.

A comment for each index, which changes only with its token. Variables have no comments: there the
same texts are the value of one variable.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from artifact_index.api.timestamps import format_time
from artifact_index.formats.base import login_of
from artifact_index.formats.document import IndexEntry

VARIABLE: Final = "ARTIFACT_INDEX_EXPIRES"
"""The variable with the lines of all indexes, which `, ` separates."""

_UNTIL: Final = re.compile(r"((?:^# |\A|, )[a-z0-9-]+: until )[-0-9T:Z]+", re.MULTILINE)


def expiry_lines(entries: Iterable[IndexEntry], held: Collection[str] | None = None) -> list[str]:
    """A line for each entry that is blocked or has a login, such as `acme: until 2026-...Z`.

    Of the others only those that are `held` count, if it is given.
    """
    return [
        f"{entry.name}: {life}"
        for entry in entries
        if (life := _life_of(entry)) is not None
        and (held is None or entry.blocked or entry.name in held)
    ]


def expiry_comments(entries: Iterable[IndexEntry], held: Collection[str] | None = None) -> str:
    """The `expiry_lines` as comments, which INI, TOML and netrc write alike."""
    return "".join(f"# {line}\n" for line in expiry_lines(entries, held))


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
