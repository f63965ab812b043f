"""How often a login is refreshed and how long its tokens are served, as "How it works" says."""

from support.misfortunes import MARGINS

BUILD = 30 * 60
"""maxBuildDuration in seconds, as it is by default."""

_LEAST_PERIOD = 30
_MOST_JITTER = 600
_LATER = 4.0
"""Seconds by which a refresh may come late: the cloud's answer, and times that are rounded."""

ROUNDING = 2.0
"""Seconds by which it may come early: times are whole seconds."""

_FIRST_TOKENS = 30.0
"""Seconds in which all logins have their first token."""


def is_promised(life: int) -> bool:
    """Whether tokens of this life, in seconds, outlast every build."""
    return life >= MARGINS.before_expiry(BUILD) + _LEAST_PERIOD


def periods(life: int) -> tuple[float, float]:
    """Seconds from one token of a login to the next: the least and the most."""
    if is_promised(life):
        longest = life - MARGINS.before_expiry(BUILD)
        return longest - min(_MOST_JITTER, longest / 10), longest
    useful = min(max(MARGINS.min_refresh_interval, life / 3), life / 2)
    return useful, useful


def withdrawn_before(life: int) -> float:
    """Seconds from the withdrawal of a token to its expiry."""
    return min(MARGINS.propagation + MARGINS.clock_skew, life / 4)


def refreshes(life: int, spans: list[float], lost: float) -> tuple[int, int]:
    """The least and the most in these spans, in seconds, each begun by a first token.

    `lost` are the seconds in which there was nobody to ask, or nobody who asked.
    """
    shortest, longest = periods(life)
    asking = (max(0.0, span - _FIRST_TOKENS - lost) for span in spans)
    least = sum(int(span / (longest + _LATER)) for span in asking)
    return least, sum(int(span / (shortest - ROUNDING)) for span in spans)
