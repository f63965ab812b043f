"""A login as its consumers see it: what they want, and what they get."""

from dataclasses import dataclass
from typing import NamedTuple

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import Token, TokenRequest


@dataclass(frozen=True, slots=True)
class TokenState:
    """A login at one moment. Times are POSIX seconds, durations seconds."""

    token: Token | None
    """The last good value, whether or not it may still be served."""
    error: LoginError | None
    """Why the last attempt failed; None after a success."""
    failing_since: float | None
    """When the present row of failures began."""
    pending_since: float | None
    """Since when a first outcome has been awaited; None once there was one."""
    next_attempt_at: int | None
    """When the cloud is asked again; None while it is being asked, and where it never is."""
    refresh_at: int | None
    """The scheduled refresh of the grant: the same after a restart."""
    withdraw_at: int | None
    """When the grant leaves the outputs; None: never, or there is no grant."""
    guaranteed: bool
    """Whether a build of `max_build` seconds is safe; also true while there is no grant."""
    longest_build: int | None
    """The longest build that can be promised; None: any, or there is no grant."""
    margin: int
    """How long before its expiry the token has to be refreshed for `max_build`."""
    max_build: float
    """The longest build that a consumer declared."""
    repeats: bool
    """Whether the source hands out one token again until shortly before its expiry."""
    fresh_as_of: float
    """When the cloud was asked that last answered, be it with the same grant; -infinity: never."""

    serial: int
    """Grows with every change: two states with the same serial are equal."""

    def servable(self, now: float) -> bool:
        """Whether outputs may hold the grant's value."""
        return self.token is not None and (self.withdraw_at is None or now < self.withdraw_at)

    def expired(self, now: float) -> bool:
        """Whether there is a grant and it has died."""
        return (
            self.token is not None
            and self.token.expires_at is not None
            and now >= self.token.expires_at
        )


class HeldToken(NamedTuple):
    """A login that is wanted, and the times of its grant, in whole POSIX seconds.

    `planned_at` is when the successor is to be asked for. None stands for never.
    """

    request: TokenRequest
    expires_at: int | None
    planned_at: int | None
