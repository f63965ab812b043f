"""When a failed request is repeated, and after how long: a pure decision."""

from typing import Final

from artifact_index.kube.errors import ApiError
from artifact_index.kube.resources import Resource

TRIES: Final = 3
"""How often one request is sent at most."""

FIRST_LIST_RETRY: Final = 0.05
"""Seconds until a new custom kind is asked for again: the server needs about that long."""

LONGEST_WAIT: Final = 10.0
"""Seconds; where the server asks for more, the caller gets the error and decides."""

_READS: Final = frozenset({"get", "list"})
_BACKOFF: Final = 0.2


def delay_before_retry(
    error: ApiError, *, verb: str, resource: Resource, attempt: int, random: float
) -> float | None:
    """Give the seconds to wait before the next try, or None where the error goes to the caller.

    `attempt` counts from 0, `random` is in [0, 1). Reads are repeated on any transient error. A
    write is repeated only where the server surely did not act on it: it never left, or the server
    refused it with 429 and said when to come back. The first LIST of a custom kind, right after
    the creation of its CRD, answers 404, or 429 "storage is (re)initializing" with a Retry-After
    of one second, and 200 a moment later.
    """
    if attempt + 1 >= TRIES:
        return None
    if verb == "list" and _storage_is_starting(error, resource):
        return FIRST_LIST_RETRY * 4.0**attempt
    if verb in _READS:
        repeat = error.transient
    else:
        repeat = not error.sent or (error.too_many_requests and error.retry_after is not None)
    if not repeat:
        return None
    if error.retry_after is None:
        return _BACKOFF * 2.0**attempt * (0.5 + random)
    if error.retry_after > LONGEST_WAIT:
        return None
    # Never earlier than asked; spread, so that the workers do not come back all at once.
    return error.retry_after + _BACKOFF * random


def _storage_is_starting(error: ApiError, resource: Resource) -> bool:
    if not resource.custom:
        return False
    return error.not_found or (error.too_many_requests and "(re)initializing" in error.message)
