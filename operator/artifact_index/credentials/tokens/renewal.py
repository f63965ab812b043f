"""Whether a token is better than the one that is held. Pure; times are POSIX seconds."""

import math
from typing import Final

from artifact_index.credentials.requests import Token

SAME_TOKEN_TOLERANCE: Final = 5
"""Seconds by which the expiry of one token may differ between answers: some give `expires_in`."""


def is_later(token: Token, held: Token | None) -> bool:
    """Whether `token` was issued after the one that is held, or is the first."""
    return held is None or _issue_order(token) > _issue_order(held)


def renews(
    token: Token, held: Token | None, now: float, *, skew: float, fresh_after: int | None = None
) -> bool:
    """Whether a cloud's answer is better than what is held; `fresh_after` is a refresh request.

    An expiry that is no later is no renewal, unless another token was requested: whoever does so
    wants the old one out of the files, even if the cloud has shortened the life of tokens since. A
    token issued "in the future" was dated by a clock that was wrong then: its expiry says nothing.
    """
    if held is None or is_from_the_future(held, now, skew=skew):
        return True
    if held.expires_at is None:
        return False
    if token.expires_at is None:
        return True
    if token.value.get_secret_value() == held.value.get_secret_value():
        return token.expires_at > held.expires_at + SAME_TOKEN_TOLERANCE
    if fresh_after is not None and held.issued_at < fresh_after <= token.issued_at:
        return True
    return token.expires_at > held.expires_at


def is_from_the_future(token: Token, now: float, *, skew: float) -> bool:
    """Whether a wrong clock has dated the token; clocks may differ by `skew` seconds."""
    return token.issued_at > now + skew + 1


def _issue_order(token: Token) -> tuple[int, float]:
    return token.issued_at, math.inf if token.expires_at is None else token.expires_at
