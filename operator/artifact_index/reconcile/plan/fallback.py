"""What the outputs hold, and how long it may go on being served when nothing better can be had."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from artifact_index.credentials.tokens.freshness import Margins, schedule
from artifact_index.formats.document import IndexEntry
from artifact_index.reconcile.resolve.token_view import IndexState


@dataclass(frozen=True, slots=True)
class Published:
    """An entry that an output holds, with its login: what may go on being served.

    `scope` binds it to where it may be sent. `token` and `endpoint` are digests of the requests
    that were granted; both None for a static login. `repeats` is what the lease said of the
    source. A `bare` entry has a login elsewhere, not in the output. Times are POSIX seconds.
    """

    entry: IndexEntry
    scope: str | None
    token: str | None = None
    endpoint: str | None = None
    issued_at: int = 0
    expires_at: int | None = None
    repeats: bool = False
    bare: bool = False

    def withdraw_at(self, margins: Margins) -> int | None:
        """When the entry's token has to leave the file; None for a static login."""
        return _withdrawal(self.issued_at, self.expires_at, margins)


@lru_cache(maxsize=1024)
def _withdrawal(issued_at: int, expires_at: int | None, margins: Margins) -> int | None:
    """Kept: a token that a thousand files share is asked for by each of them at a rotation."""
    times = schedule(
        login_digest="",  # decides the refresh only
        issued_at=issued_at,
        expires_at=expires_at,
        max_build=0,
        margins=margins,
    )
    return times.withdraw_at


def first_withdrawal(served: Mapping[str, Published], margins: Margins) -> int | None:
    """When the first of these tokens has to leave the file, if any has to."""
    lives = {(one.issued_at, one.expires_at) for one in served.values()}
    times = (_withdrawal(issued_at, expires_at, margins) for issued_at, expires_at in lives)
    return min((time for time in times if time is not None), default=None)


def still_served(
    view: IndexState, before: Published | None, margins: Margins, now: float
) -> Published | None:
    """What the file held before, where it may stand in for what cannot be had now.

    A minted token until its withdrawal; a static login unless its Secret or key has been gone for
    the whole grace (deletion is the revocation); nothing once consent or transport security is
    missing.
    """
    problem = view.problem
    if before is None or (problem is not None and problem.reason.withdraws_at_once):
        return None
    withdraw_at = before.withdraw_at(margins)
    if withdraw_at is not None and now >= withdraw_at:
        return None
    if view.stands_still:
        return before
    if problem is None or before.scope != view.scope:
        return None
    revoked = before.token is None and problem.stalled and problem.reason.missing_source
    return None if revoked else before
