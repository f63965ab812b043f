"""How long to wait before the next attempt at a login."""

import math
import random
from typing import Final

# Bases and limits of exponential growth, in seconds.
_RETRYABLE: Final = (1, 60)
LONGEST_REFUSED: Final = 3600.0
"""Seconds at most between two attempts at a login that is refused."""
_PERMANENT: Final = (30, LONGEST_REFUSED)
_UNCHANGED: Final = (30, 120)

LEAST_DELAY: Final = 1.0
"""Seconds that always lie between two attempts."""

MOST_RETRY_AFTER: Final = 3600.0
"""Seconds of a `Retry-After` that are honoured: no answer may stop a login for ever."""


def after_failure(
    *,
    failures: int,
    permanent: bool,
    rng: random.Random,
    retry_after: float | None = None,
    remaining: float | None = None,
) -> float:
    """Seconds until the attempt after `failures` (1, 2, …) failures in a row, with jitter.

    The jitter is full after a failure that may pass, and half after a `permanent` one: until its
    inputs change, the same attempt only costs a call. `remaining` is the time until something is
    lost (the promised freshness, then the token). At most a quarter of it is waited, so that an
    outage that ends in time is noticed in time. The delay is never shorter than `retry_after`,
    which the cloud asked for.
    """
    ceiling = _grown(_PERMANENT if permanent else _RETRYABLE, failures)
    delay = _within_life(rng.uniform(ceiling / 2 if permanent else 0, ceiling), remaining)
    if retry_after is not None and math.isfinite(retry_after):
        delay = max(delay, min(retry_after, MOST_RETRY_AFTER))
    return max(LEAST_DELAY, delay)


def after_no_change(*, repeats: int, rng: random.Random, remaining: float | None = None) -> float:
    """Seconds until the next attempt after `repeats` answers in a row without a newer token."""
    ceiling = _grown(_UNCHANGED, repeats)
    return max(LEAST_DELAY, _within_life(rng.uniform(ceiling / 2, ceiling), remaining))


def _grown(growth: tuple[float, float], attempts: int) -> float:
    """The ceiling after `attempts` (1, 2, …) in a row."""
    base, limit = growth
    return min(limit, base * 2.0 ** min(attempts - 1, 30))


def _within_life(delay: float, remaining: float | None) -> float:
    """Leave time for several more attempts while there is something to lose."""
    if remaining is None or remaining <= 0:
        return delay
    return min(delay, remaining / 4)
