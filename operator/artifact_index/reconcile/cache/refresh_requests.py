"""Refresh requests: the time in an annotation, and whether the tokens are that new. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from artifact_index.api.constants import REFRESH_REQUESTED_ANNOTATION
from artifact_index.api.timestamps import parse_time
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.status_parsing import (
    LAST_HANDLED_REFRESH,
    LAST_REFUSED_REFRESH,
    decoded_status,
)

# RFC 3339 5.6, as the schema's `date-time` accepts it: `fromisoformat` accepts more forms.
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)


_NOTE: Final = f". The annotation {REFRESH_REQUESTED_ANNOTATION} "


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """The request of an object: `text` as the user wrote it, `at` in whole POSIX seconds.

    Tokens that were issued at `at` or later fulfil it. `handled` is True once the status says so.
    """

    text: str
    at: int
    handled: bool


def refresh_request(
    requester: IndexObject | OptionsObject, *, now: float, skew: float
) -> RefreshRequest | None:
    """The valid request in an object's annotation; None without one.

    The clock of the user may be up to `skew` seconds ahead.
    """
    text = requester.refresh_requested
    at = _time_of(text) if text is not None else None
    if text is None or at is None or at > now + skew:
        return None
    handled = decoded_status(requester.status).get(LAST_HANDLED_REFRESH) == text
    return RefreshRequest(text, at, handled)


def unheeded_note(requester: IndexObject | OptionsObject, *, now: float, skew: float) -> str:
    """What the status says about a request that is ignored; empty without one."""
    text = requester.refresh_requested
    if text is None or refresh_request(requester, now=now, skew=skew) is not None:
        return ""
    is_time = _time_of(text) is not None
    why = "is in the future" if is_time else "is not an RFC 3339 time (2026-01-02T03:04:05Z)"
    name = REFRESH_REQUESTED_ANNOTATION
    return f'{_NOTE}{why} and is ignored; set {name}="$(date -u +%FT%TZ)"'


def unheeded_note_in(message: str) -> str:
    """The `unheeded_note` at the end of Ready's message; empty without one."""
    _, separator, rest = message.partition(_NOTE)
    return f"{separator}{rest}".removeprefix(". ")


def with_handled_refresh(
    status: dict[str, Any],
    before: dict[str, Any],
    request: RefreshRequest | None,
    as_of: float,
    refused_as_of: float = -math.inf,
) -> dict[str, Any]:
    """The status with the last fulfilled request, and the last refused one.

    The cloud issued or confirmed all tokens at `as_of` or later. At `refused_as_of` it refused one,
    or a check did; both in POSIX seconds. What is refused is tried again all the same.
    """
    answered: dict[str, Any] = {
        name: before[name]
        for name in (LAST_HANDLED_REFRESH, LAST_REFUSED_REFRESH)
        if name in before
    }
    if request is not None and as_of >= request.at:
        answered[LAST_HANDLED_REFRESH] = request.text
    elif request is not None and refused_as_of >= request.at:
        answered[LAST_REFUSED_REFRESH] = request.text
    return {**status, **answered} if answered else status


def _time_of(text: str) -> int | None:
    if not _RFC3339.fullmatch(text):
        return None
    try:
        at = parse_time(text)
    except (ValueError, OverflowError):
        return None
    # Rounded up: a token of the same second may have been issued before the fraction.
    fraction = re.search(r"\.(\d+)", text)
    return at + math.ceil(float(f"0.{fraction[1]}")) if fraction else at
