"""The state of one login, changed by outcomes and read as immutable leases. No I/O, no clock."""

import itertools
import math
import random
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from artifact_index.credentials import backoff
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    KeyMaterial,
    Token,
    TokenRequest,
)
from artifact_index.credentials.tokens.freshness import Margins, Schedule, schedule
from artifact_index.credentials.tokens.refresh_request import Asking
from artifact_index.credentials.tokens.token_state import TokenState

CACHED_TOKEN_LEAD: Final = 225
"""Seconds before its expiry at which google-auth takes a cached token for stale, and a metadata
server hands out the next one (`REFRESH_THRESHOLD` of google-auth)."""

SAME_TOKEN_TOLERANCE: Final = 5
"""Seconds by which the expiry of one token may differ between answers: some give `expires_in`."""

UNWANTED_FOR: Final = 600.0
"""Seconds that a login is kept at least after its last consumer went."""

Phase = Literal["none", "live", "withdrawn", "expired"]


@dataclass(slots=True)
class TokenEntry:
    """All that the token manager knows about one login. The token manager alone changes it."""

    digest: str
    margins: Margins
    unwanted_since: float | None
    """When the last consumer went (or the seed came); None while it is wanted."""
    request: TokenRequest | None = None
    material: KeyMaterial = field(default_factory=lambda: NO_KEY_MATERIAL)
    wanted_by: dict[Hashable, float] = field(default_factory=dict)
    """Each consumer's `max_build`."""
    formerly_wanted_by: set[Hashable] | None = None
    """Consumers that may be serving this grant until its successor has been minted."""
    max_build: float = 0
    grant: Token | None = None
    times: Schedule | None = None
    phase: Phase = "none"
    """What the consumers were last told."""
    error: LoginError | None = None
    failures: int = 0
    failing_since: float | None = None
    pending_since: float | None = None
    repeats: bool = False
    idle_answers: int = 0
    """Answers in a row that were no progress: the same token, or one that is already due."""
    retry_at: int | None = None
    """Overrules the schedule after a failure and after an answer without progress."""
    queued: bool = False
    """Due, and waiting for its turn."""
    needed_by: float | None = None
    asking: Asking = field(default_factory=Asking)
    minting: bool = False
    renewing: Token | None = None
    """The grant that was held when the mint began."""
    serials: Iterator[int] = field(default_factory=itertools.count)
    last_state: TokenState | None = None

    @property
    def wanted(self) -> bool:
        """Whether any consumer wants it now."""
        return self.unwanted_since is None

    def serves_on(self, consumer: Hashable) -> None:
        """The consumer may be serving the grant, and wants it no longer."""
        if self.formerly_wanted_by is None:
            self.formerly_wanted_by = set()
        self.formerly_wanted_by.add(consumer)

    def reschedule(self) -> None:
        """Recompute the times after the grant or the consumers' builds have changed."""
        if self.wanted_by:
            self.max_build = max(self.wanted_by.values())
        if self.grant is not None:
            self.times = schedule(
                login_digest=self.digest,
                issued_at=self.grant.issued_at,
                expires_at=self.grant.expires_at,
                max_build=self.max_build,
                margins=self.margins,
            )

    def hold(self, grant: Token, now: float) -> None:
        """Serve this grant from now on."""
        self.grant = grant
        self.pending_since = None
        self.reschedule()
        self.phase = self.phase_at(now)

    def begin_attempt(self, now: float) -> None:
        """The cloud is being asked from now on."""
        self.asking.begin(now, forced=self._scheduled_at(now) > now)
        if self.pending_since is not None:
            self.pending_since = now
        self.minting = True
        self.renewing = self.grant

    def fresh_as_of(self) -> float:
        """When the cloud was asked that last answered; a seed tells of itself."""
        issued_at = self.grant.issued_at if self.grant is not None else -math.inf
        return max(issued_at, self.asking.answered_at)

    def loses_at(self, now: float) -> float:
        """By when an attempt has to succeed: the promise, the grant, or what is served without."""
        if self.times is None:
            return now if self.needed_by is None else self.needed_by
        losses = (self.times.due_by, self.times.withdraw_at)
        return min((at for at in losses if at is not None and at > now), default=now)

    def is_older_than(self, grant: Token) -> bool:
        """Whether `grant` outlives the one that is held, or is the first."""
        return self.grant is None or _age_order(grant) > _age_order(self.grant)

    def succeeded(self, grant: Token, now: float, rng: random.Random) -> bool:
        """Take in an answer of the cloud; true if consumers have something new to see."""
        news = self.error is not None or self.asking.awaits_refresh(self.fresh_as_of())
        self.asking.answered_at = self.asking.attempted_at
        repeated = self.repeats
        renewed = self._renews(grant, now)
        if renewed:
            self.repeats = self.repeats and bool(self.idle_answers or self.failures)
            self.hold(grant, now)
        elif self.grant is self.renewing:
            self.repeats = True
        self.error = None
        self.failures = 0
        self.failing_since = None
        self.pending_since = None
        if self._due_by_schedule(now):
            self.idle_answers += 1
            self.retry_at = self._ask_again_at(now, rng)
        else:
            self.idle_answers = 0
            self.retry_at = None
        # That a source repeats its token withdraws the promise: that is to be told at once.
        return renewed or news or self.repeats != repeated

    def failed(self, error: LoginError, now: float, rng: random.Random) -> bool:
        """Take in a failure; true if consumers have something new to see."""
        news = self.error is None or self.error.reason != error.reason
        self.failures += 1
        self.error = error
        self.pending_since = None
        if self.failing_since is None:
            self.failing_since = now
        if error.retry_after is not None:
            self.asking.not_before = now + min(error.retry_after, backoff.MOST_RETRY_AFTER)
        delay = backoff.after_failure(
            failures=self.failures,
            permanent=error.permanent,
            rng=rng,
            retry_after=error.retry_after,
            remaining=self._remaining(now),
        )
        self.retry_at = math.ceil(now + delay)
        return news

    def attempt_at(self, now: float) -> float:
        """When the cloud is to be asked, if the login is wanted; may lie in the past."""
        return min(self._scheduled_at(now), self._forced_next_at())

    def _forced_next_at(self) -> float:
        """When a refresh request calls for an attempt: never for what never gets old."""
        if self.grant is not None and self.grant.expires_at is None:
            return math.inf
        return self.asking.forced_next_at(self.fresh_as_of())

    def _scheduled_at(self, now: float) -> float:
        if self.retry_at is not None:
            return self.retry_at
        if self.grant is None or self.times is None or self._from_the_future(self.grant, now):
            return now
        return math.inf if self.times.refresh_at is None else self.times.refresh_at

    @property
    def planned_at(self) -> int | None:
        """When the successor of the grant is to be asked for, if all goes well; None: never."""
        refresh_at = self.times.refresh_at if self.times else None
        expires_at = self.grant.expires_at if self.grant else None
        if refresh_at is None or expires_at is None or not self.repeats:
            return refresh_at
        # There is no successor before the source stops to repeat the token.
        return max(refresh_at, expires_at - CACHED_TOKEN_LEAD)

    def phase_at(self, now: float) -> Phase:
        """What may be done with the grant at this time."""
        if self.grant is None or self.times is None:
            return "none"
        if self.grant.expires_at is None or self.times.withdraw_at is None:
            return "live"
        if now >= self.grant.expires_at:
            return "expired"
        return "withdrawn" if now >= self.times.withdraw_at else "live"

    def next_phase_at(self, now: float) -> float:
        """When the phase changes by itself."""
        phase = self.phase_at(now)
        if phase == "live" and self.times is not None and self.times.withdraw_at is not None:
            return self.times.withdraw_at
        if phase == "withdrawn" and self.grant is not None and self.grant.expires_at is not None:
            return self.grant.expires_at
        return math.inf

    def forget_at(self) -> float:
        """Its token may be served until the withdrawal, while the successor is being minted."""
        if self.unwanted_since is None or self.minting:
            return math.inf
        withdraw_at = self.times.withdraw_at if self.times else None
        return max(withdraw_at or 0, self.unwanted_since + UNWANTED_FOR)

    def shift(self, step: float) -> None:
        """Follow a clock that was set back by `step` seconds: waits keep their length."""
        if self.retry_at is not None:
            self.retry_at = math.floor(self.retry_at - step)
        self.unwanted_since = _earlier(self.unwanted_since, step)
        self.failing_since = _earlier(self.failing_since, step)
        self.pending_since = _earlier(self.pending_since, step)
        self.asking.shift(step)

    def state(self, now: float) -> TokenState:
        """The present state, with a new serial where it is not the same as before."""
        before = self.last_state
        state = self._state_at(now, before.serial if before is not None else 0)
        if before is None or state != before:
            state = replace(state, serial=next(self.serials))
            self.last_state = state
        return state

    def _state_at(self, now: float, serial: int) -> TokenState:
        attempt_at = self.attempt_at(now)
        asks = self.wanted and not self.minting and math.isfinite(attempt_at)
        pending_since = self.pending_since
        if pending_since is not None and self.queued:
            # Nobody's patience runs out before the cloud has been asked.
            pending_since = now
        return TokenState(
            token=self.grant,
            error=self.error,
            failing_since=self.failing_since,
            pending_since=pending_since,
            next_attempt_at=math.ceil(attempt_at) if asks else None,
            refresh_at=self.times.refresh_at if self.times else None,
            withdraw_at=self.times.withdraw_at if self.times else None,
            guaranteed=(self.times.guaranteed and not self.repeats) if self.times else True,
            longest_build=0 if self.repeats else self.times.longest_build if self.times else None,
            margin=math.ceil(self.margins.before_expiry(self.max_build)),
            max_build=self.max_build,
            repeats=self.repeats,
            fresh_as_of=self.fresh_as_of(),
            serial=serial,
        )

    def _renews(self, grant: Token, now: float) -> bool:
        """Whether an answer is better than what is held.

        An expiry that is no later is no renewal. A grant minted "in the future" was dated by a
        clock that was wrong then: its expiry says nothing.
        """
        held = self.grant
        if held is None or self._from_the_future(held, now):
            return True
        if held.expires_at is None:
            return False
        if grant.expires_at is None:
            return True
        same = grant.value.get_secret_value() == held.value.get_secret_value()
        return grant.expires_at > held.expires_at + (SAME_TOKEN_TOLERANCE if same else 0)

    def _from_the_future(self, grant: Token, now: float) -> bool:
        return grant.issued_at > now + self.margins.clock_skew + 1

    def _due_by_schedule(self, now: float) -> bool:
        """Whether the schedule alone would ask again at once."""
        refresh_at = self.times.refresh_at if self.times else None
        if self.grant is not None and self._from_the_future(self.grant, now):
            return True
        return refresh_at is not None and refresh_at <= now

    def _ask_again_at(self, now: float, rng: random.Random) -> int:
        """When a source is asked again whose answer was no progress."""
        expires_at = self.grant.expires_at if self.grant else None
        if self.repeats and expires_at is not None and now < expires_at - CACHED_TOKEN_LEAD:
            return expires_at - CACHED_TOKEN_LEAD
        delay = backoff.after_no_change(
            repeats=self.idle_answers, rng=rng, remaining=self._remaining(now)
        )
        return math.ceil(now + delay)

    def _remaining(self, now: float) -> float | None:
        """Seconds until the promise is broken or, after that, the grant is withdrawn."""
        if self.times is None:
            return None
        losses = (self.times.due_by, self.times.withdraw_at)
        return min((at - now for at in losses if at is not None and at > now), default=None)


def _age_order(grant: Token) -> tuple[float, int]:
    return (math.inf if grant.expires_at is None else grant.expires_at, grant.issued_at)


def _earlier(moment: float | None, step: float) -> float | None:
    return None if moment is None else moment - step
