"""A token as its consumers and the metrics see it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import Token, TokenRequest


@dataclass(frozen=True, slots=True)
class TokenState:
    """A token at one moment. Times are POSIX seconds, durations seconds."""

    token: Token | None
    """The last one that was issued, whether or not it may still be published."""
    error: LoginError | None
    """Why the last attempt failed; None after a success."""
    pending_since: float | None
    """Since when a first outcome has been awaited; None once there was one."""
    next_attempt_at: int | None
    """When the cloud is asked next; None while it is being asked, and if it never is."""
    refresh_at: int | None
    """The scheduled refresh of the token: the same after a restart."""
    withdraw_at: int | None
    """When the token leaves the outputs; None: never, or there is no token."""
    guaranteed: bool
    """Whether the longest declared build is safe; also true while there is no token."""
    longest_build: int | None
    """The longest build that can be promised; None: any, or there is no token."""
    repeats: bool
    """Whether the source hands out one token again until shortly before its expiry."""
    fresh_as_of: float
    """When the attempt began that last succeeded, be it with the same token; -infinity: never."""
    refused_as_of: float
    """When the last attempt began, if it failed after the last refresh request; else -infinity."""
    serial: int = field(compare=False)
    """Grows with every change: two states with the same serial and token are equal."""

    def servable(self, now: float) -> bool:
        """Whether outputs may hold the token."""
        return self.token is not None and (self.withdraw_at is None or now < self.withdraw_at)

    def expired(self, now: float) -> bool:
        """Whether there is a token and it has expired."""
        expires_at = self.token.expires_at if self.token else None
        return expires_at is not None and now >= expires_at


class HeldToken(NamedTuple):
    """A required token for the metrics; times are whole POSIX seconds, None stands for never.

    `planned_at` is when its successor is asked for.
    """

    request: TokenRequest
    expires_at: int | None
    planned_at: int | None
