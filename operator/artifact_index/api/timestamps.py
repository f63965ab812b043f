"""Times at the edge: RFC 3339 in UTC with `Z`, in whole seconds, as `metav1.Time` has them."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from pydantic import Field


class DateTimeFormat:
    """Metadata of a string: `format: date-time` in the schema."""


LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999 in POSIX seconds: no later time can be written as RFC 3339."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)

Timestamp = Annotated[str, Field(min_length=1, max_length=64), DateTimeFormat()]
"""A time as text; see `format_time` and `parse_time`."""


def format_time(seconds: float) -> str:
    """Whole POSIX seconds as `2026-01-02T03:04:05Z`; fractions are cut off."""
    return _formatted(int(seconds))


@lru_cache(maxsize=64)
def _formatted(seconds: int) -> str:
    """Kept: the statuses and outputs of one token all tell the same times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def parse_time(text: str) -> int:
    """An RFC 3339 time with `Z` or an offset, as whole POSIX seconds.

    Raises ValueError when the text is no such time or has no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs `Z` or an offset from UTC")
    return (moment.astimezone(UTC) - _EPOCH) // _SECOND
