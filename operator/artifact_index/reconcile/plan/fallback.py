"""What the outputs publish, and when it may stand in for a login that is unavailable. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from artifact_index.credentials.tokens.freshness import Margins, schedule
from artifact_index.formats.document import IndexEntry
from artifact_index.reconcile.resolve.token_view import IndexState


@dataclass(frozen=True, slots=True)
class Published:
    """An entry that an output holds with its login, and the login's times in POSIX seconds.

    `destination` is the digest of where the login may be sent. `token` and `endpoint` are digests
    of the requests that a cloud granted; both are None for a static login. `repeats` is True if the
    source of the token may return the same one again. The login of a `bare` entry is not in the
    output.
    """

    entry: IndexEntry
    destination: str | None
    token: str | None = None
    endpoint: str | None = None
    issued_at: int = 0
    expires_at: int | None = None
    repeats: bool = False
    bare: bool = False

    def withdraw_at(self, margins: Margins) -> int | None:
        """When the entry's token must leave the file; None for a static login."""
        return _withdrawal(self.issued_at, self.expires_at, margins)


@lru_cache(maxsize=1024)
def _withdrawal(issued_at: int, expires_at: int | None, margins: Margins) -> int | None:
    """Cached: at a rotation each of a thousand files asks about the token that they share."""
    times = schedule(
        login_digest="",  # decides the refresh only
        issued_at=issued_at,
        expires_at=expires_at,
        max_build=0,
        margins=margins,
    )
    return times.withdraw_at


def is_better(published: Published, before: Published) -> bool:
    """An entry with its login beats one without, then the newer token wins."""
    return (published.bare, -published.issued_at) <= (before.bare, -before.issued_at)


def first_withdrawal(published: Mapping[str, Published], margins: Margins) -> int | None:
    """When the first of these tokens must leave its file; None if there is no token."""
    lives = {(entry.issued_at, entry.expires_at) for entry in published.values()}
    times = (_withdrawal(issued_at, expires_at, margins) for issued_at, expires_at in lives)
    return min((time for time in times if time is not None), default=None)


def first_expiry(published: Mapping[str, Published]) -> int | None:
    """When the first of these logins expires, in POSIX seconds; None if that is known of none."""
    expiries = (each.expires_at for each in published.values())
    return min((at for at in expiries if at is not None), default=None)


def fallback_for(
    index: IndexState, published: Published | None, margins: Margins, now: float
) -> Published | None:
    """The published entry, if it may stand in for a login that is unavailable.

    A token stands in until its withdrawal. A static login stands in unless its Secret or key has
    been missing for the whole grace, since deletion is how it is revoked. Nothing stands in once
    consent or transport security is gone, or after the spec changed where the login is sent.
    """
    problem = index.problem
    if published is None or (problem is not None and problem.reason.withdraws_at_once):
        return None
    withdraw_at = published.withdraw_at(margins)
    if withdraw_at is not None and now >= withdraw_at:
        return None
    if index.stands_still:
        return published
    if problem is None or published.destination != index.destination:
        return None
    is_static = published.token is None
    revoked = is_static and problem.stalled and problem.reason.missing_source
    return None if revoked else published
