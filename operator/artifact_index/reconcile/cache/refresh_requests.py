"""Refresh requests: an annotation's time, and whether the tokens are as new as it asks. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from artifact_index.api.constants import REFRESH_REQUESTED_ANNOTATION
from artifact_index.api.timestamps import parse_time
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.status_parsing import LAST_HANDLED_REFRESH

# RFC 3339 5.6, as the schema's `date-time` takes it: `fromisoformat` alone knows more forms.
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """The request of one object: `text` as the user wrote it, `at` in whole POSIX seconds.

    Tokens minted at `at` or later fulfil it. `handled` says that the status has told so.
    """

    text: str
    at: int
    handled: bool


def refresh_request(
    record: IndexObject | OptionsObject, *, now: float, skew: float
) -> RefreshRequest | None:
    """The request that stands; None where there is none, or none that is to be heeded.

    `skew` is by how many seconds the clock of who asked may be ahead.
    """
    text = record.refresh_requested
    at = _time_of(text) if text is not None else None
    if text is None or at is None or at > now + skew:
        return None
    return RefreshRequest(text, at, record.decoded_status().get(LAST_HANDLED_REFRESH) == text)


def unheeded_note(record: IndexObject | OptionsObject, *, now: float, skew: float) -> str:
    """What a status says of a request that is not heeded; empty where there is none."""
    text = record.refresh_requested
    if text is None:
        return ""
    at = _time_of(text)
    if at is not None and at <= now + skew:
        return ""
    why = "is not an RFC 3339 time (2026-01-02T03:04:05Z)" if at is None else "is in the future"
    return f". The annotation {REFRESH_REQUESTED_ANNOTATION} {why} and is ignored"


def with_handled_refresh(
    status: dict[str, Any], before: dict[str, Any], request: RefreshRequest | None, as_of: float
) -> dict[str, Any]:
    """The status with the last request that was fulfilled; `as_of` is how new the tokens are."""
    handled = before.get(LAST_HANDLED_REFRESH)
    if request is not None and as_of >= request.at:
        handled = request.text
    return status if handled is None else {**status, LAST_HANDLED_REFRESH: handled}


def _time_of(text: str) -> int | None:
    if not _RFC3339.fullmatch(text):
        return None
    try:
        at = parse_time(text)
    except (ValueError, OverflowError):
        return None
    # What was minted within the second before a fraction of it is not new enough.
    fraction = re.search(r"\.(\d+)", text)
    return at + math.ceil(float(f"0.{fraction[1]}")) if fraction else at
