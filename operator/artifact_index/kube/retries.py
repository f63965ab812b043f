"""Whether a failed request is retried, and after how long. Pure."""

from typing import Final

from artifact_index.kube.errors import ApiError
from artifact_index.kube.resources import Resource

TRIES: Final = 3
"""How often a request is sent at most."""

FIRST_LIST_RETRY: Final = 0.05
"""Seconds until a new custom kind is listed again: the server needs about that long."""

LONGEST_WAIT: Final = 10.0
"""Seconds; if the server asks for more, the caller gets the error and decides."""

_READS: Final = frozenset({"get", "list"})
_BACKOFF: Final = 0.2


def delay_before_retry(
    error: ApiError, *, verb: str, resource: Resource, attempt: int, random: float
) -> float | None:
    """Seconds until the next attempt, or None to raise the error.

    `attempt` counts from 0, `random` is in [0, 1). Reads are retried after any transient error. A
    write is retried only if the server certainly did not act on it: the request never left, or the
    server refused it with 429 and a Retry-After. The first LIST of a custom kind, right after its
    CRD was created, answers 404, or 429 "storage is (re)initializing" with a Retry-After of one
    second, and 200 a moment later.
    """
    if attempt + 1 >= TRIES:
        return None
    if verb == "list" and _storage_is_starting(error, resource):
        return FIRST_LIST_RETRY * 4.0**attempt
    if verb in _READS:
        retry = error.transient
    else:
        retry = not error.sent or (error.too_many_requests and error.retry_after is not None)
    if not retry:
        return None
    if error.retry_after is None:
        return _BACKOFF * 2.0**attempt * (0.5 + random)
    if error.retry_after > LONGEST_WAIT:
        return None
    # Never earlier than requested, and spread, so that the workers do not retry all at once.
    return error.retry_after + _BACKOFF * random


def _storage_is_starting(error: ApiError, resource: Resource) -> bool:
    starting = error.too_many_requests and "(re)initializing" in error.message
    return resource.custom and (error.not_found or starting)
