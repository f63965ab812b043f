"""One managed token: changed by events, read as immutable states. No I/O, no clock."""

import itertools
import math
import random
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from artifact_index.credentials import backoff
from artifact_index.credentials.attempts import Attempts
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.fair_queue import Rank
from artifact_index.credentials.requests import Requirement, Token
from artifact_index.credentials.tokens.activity import UNPLANNED, Activity, Idle, InFlight, Queued
from artifact_index.credentials.tokens.consumers import Consumers
from artifact_index.credentials.tokens.earlier import (
    NO_EARLIER,
    Earlier,
    Held,
    kept_until_due,
    restored,
)
from artifact_index.credentials.tokens.freshness import Margins, Phase, Schedule, schedule
from artifact_index.credentials.tokens.renewal import is_from_the_future, is_later, renews
from artifact_index.credentials.tokens.token_state import TokenState

CACHED_TOKEN_LEAD: Final = 225
"""Seconds before its expiry at which google-auth takes a cached token for stale, and a metadata
server hands out the next one (`REFRESH_THRESHOLD` of google-auth)."""

KEPT_FOR: Final = 600.0
"""Seconds for which a token is kept at least that no consumer requires."""

_serials: Final = itertools.count(1)


@dataclass(slots=True)
class TokenEntry:
    """All that the token manager knows about one token. Times are POSIX seconds."""

    digest: str
    margins: Margins
    requirement: Requirement | None = None
    """The latest one; None while no consumer requires the token: no key material is kept."""
    consumers: Consumers = field(default_factory=Consumers)
    token: Token | None = None
    schedule: Schedule | None = None
    phase: Phase = "none"
    """As the consumers know it."""
    earlier: Earlier = field(default_factory=lambda: NO_EARLIER)
    """What tenants publish until it is due who did not ask for the latest token."""
    requesters: frozenset[Hashable] = frozenset()
    """The tenants whose refresh request has not been answered."""
    activity: Activity = UNPLANNED
    repeats: bool = False
    """Whether the source hands out one token again until shortly before its expiry."""
    idle_answers: int = 0
    """Answers in a row that were no progress: the same token, or one that is already due."""
    attempts: Attempts = field(default_factory=Attempts)
    serial: int = 0

    # What changes the entry

    def changed(self) -> None:
        """Give the next state a serial of its own."""
        self.serial = next(_serials)

    def reschedule(self) -> None:
        """Compute the schedule anew after the token or the consumers' builds have changed."""
        if self.token is not None:
            self.schedule = self._schedule_of(self.token, self.consumers.longest_build)

    def hold(self, token: Token, now: float) -> None:
        """Replace the token."""
        self.token = token
        self.attempts.pending_since = None
        self.reschedule()
        self.phase = self.phase_at(now)

    def restore(
        self, token: Token, tenants: frozenset[Hashable], known: frozenset[Hashable], now: float
    ) -> bool:
        """Take in what `tenants` published before a restart; true if it is the latest token.

        Of the tenants that are `known`, some file is known already.
        """
        if is_later(token, self.token):
            # How long their builds are is known once they require the token.
            self._keep_earlier(dict.fromkeys(known - tenants, 0.0), now)
            self.hold(token, now)
            return True
        self.earlier = restored(self.earlier, self._held(token, 0), tenants, known, self.token)
        return False

    def needs(self, tenant: Hashable, max_build: float) -> bool:
        """Take in how long a tenant's builds are; true if its own token may now be due."""
        held = self.earlier.get(tenant)
        if held is None or max_build <= held.max_build:
            return False
        self.earlier = {**self.earlier, tenant: self._held(held.token, max_build)}
        return True

    def request(self, moment: int | None, tenant: Hashable, now: float) -> bool:
        """Take in a tenant's refresh request; true if it is later than the known one."""
        if moment is not None and moment > self.fresh_as_of():
            self.requesters |= {tenant}
        return self.attempts.request(moment, now)

    def plan(self, now: float) -> bool:
        """Plan the next attempt; true if it is due."""
        if self.requirement is None or not isinstance(self.activity, Idle):
            return False
        next_at = self._next_at(now)
        self.activity = Idle(next_at)
        return next_at <= now

    def begin(self, now: float) -> None:
        """An attempt begins."""
        self.attempts.begin(now, by_request=self._scheduled_at(now) > now)
        if self.attempts.pending_since is not None and self._is_published(now):
            self.attempts.pending_since = now
        self.activity = InFlight(replacing=self.token)
        self.changed()

    def succeeded(
        self, token: Token, now: float, rng: random.Random, builds: Mapping[Hashable, float]
    ) -> frozenset[Hashable]:
        """Take in a token from the cloud; return those tenants that have something new to see.

        `builds` are the longest ones of each tenant, in seconds. A tenant keeps the token that it
        publishes until that is due, unless it has requested another.
        """
        attempts, repeated, tenants = self.attempts, self.repeats, frozenset(builds)
        told = tenants if attempts.error is not None else tenants & self.requesters
        skew, fresh_after = self.margins.clock_skew, attempts.fresh_after
        if renews(token, self.token, now, skew=skew, fresh_after=fresh_after):
            self.repeats = repeated and bool(self.idle_answers or attempts.failures)
            self._keep_earlier({each: builds[each] for each in tenants - self.requesters}, now)
            self.hold(token, now)
            told |= tenants - self.earlier.keys()
        elif isinstance(self.activity, InFlight) and self.token is self.activity.replacing:
            self.repeats = True
        self.activity = UNPLANNED
        attempts.succeeded()
        if not attempts.awaits_refresh(self.fresh_as_of()):
            self.requesters = frozenset()
        if self._scheduled_at(now) <= now:
            self.idle_answers += 1
            attempts.retry_at = self._retry_after_no_progress(now, rng)
        else:
            self.idle_answers = 0
        # A source that repeats its token breaks the promise: consumers have to say so at once.
        return told if self.repeats == repeated else tenants

    def failed(self, error: LoginError, now: float, rng: random.Random) -> bool:
        """Take in a failure; true if consumers have something new to see."""
        self.activity = UNPLANNED
        return self.attempts.failed(error, now, rng, self._remaining(now))

    def unrequire(self, now: float) -> None:
        """The last consumer has gone. An attempt in flight goes on; its token is kept."""
        self.consumers.gone_since = now
        self.requirement = None
        self.attempts.pending_since = None
        if not isinstance(self.activity, InFlight):
            self.activity = UNPLANNED

    def shift(self, step: float) -> None:
        """Follow a clock that was set back by `step` seconds: waits keep their length."""
        if self.consumers.gone_since is not None:
            self.consumers.gone_since -= step
        self.attempts.shift(step)

    # What the entry says

    def fresh_as_of(self) -> float:
        """When the attempt began that last succeeded; a restored token says so itself."""
        issued_at = self.token.issued_at if self.token is not None else -math.inf
        return max(issued_at, self.attempts.succeeded_at)

    @property
    def planned_at(self) -> int | None:
        """When the token's successor is asked for, if all goes well; None: never."""
        refresh_at = self.schedule.refresh_at if self.schedule else None
        expires_at = self.token.expires_at if self.token else None
        if refresh_at is None or expires_at is None or not self.repeats:
            return refresh_at
        # There is no successor before the source stops to repeat the token.
        return max(refresh_at, expires_at - CACHED_TOKEN_LEAD)

    def deadline(self, now: float) -> float:
        """By when an attempt has to succeed: the promise, the token, or what is published now."""
        if self.schedule is None:
            needed_by = self.requirement.needed_by if self.requirement else None
            return now if needed_by is None else needed_by
        loss_at = self.schedule.next_loss_at(now)
        return now if loss_at is None else loss_at

    def rank(self, now: float) -> Rank:
        """What the next attempt is about.

        It is a repeat while no input has changed, since other inputs are another token, and unless
        somebody asks for it.
        """
        error, has_nothing = self.attempts.error, self.deadline(now) <= now
        requested = self.attempts.requested_for(self.fresh_as_of()) <= now
        if error is not None and not requested and (error.permanent or has_nothing):
            return Rank.REPEAT
        return Rank.FIRST if has_nothing else Rank.LIVE

    def phase_at(self, now: float) -> Phase:
        """What may be done with the token at this time."""
        return "none" if self.schedule is None else self.schedule.phase_at(now)

    def next_phase_at(self, now: float) -> float:
        """When the phase changes by itself."""
        return math.inf if self.schedule is None else self.schedule.next_phase_at(now)

    def forget_at(self) -> float:
        """A token may be published until its withdrawal, while its successor is being issued."""
        if self.consumers.gone_since is None or isinstance(self.activity, InFlight):
            return math.inf
        withdraw_at = self.schedule.withdraw_at if self.schedule else None
        return max(withdraw_at or 0, self.consumers.gone_since + KEPT_FOR)

    def state(self, now: float, tenant: Hashable = None) -> TokenState:
        """The present state, as the consumers of a tenant see it."""
        token, schedule = self.token, self.schedule
        if (held := self.earlier.get(tenant)) is not None:
            token, schedule = held.token, held.times
        pending_since, next_at = self.attempts.pending_since, math.inf
        if isinstance(self.activity, Idle):
            next_at = self.activity.next_at
        elif isinstance(self.activity, Queued):
            next_at = self._next_at(now)
            if pending_since is not None and self._is_published(now):
                pending_since = now
            self.changed()
        return TokenState(
            token=token,
            error=self.attempts.error,
            pending_since=pending_since,
            next_attempt_at=math.ceil(next_at) if math.isfinite(next_at) else None,
            refresh_at=schedule.refresh_at if schedule else None,
            withdraw_at=schedule.withdraw_at if schedule else None,
            guaranteed=(schedule.guaranteed and not self.repeats) if schedule else True,
            longest_build=0 if self.repeats else schedule.longest_build if schedule else None,
            repeats=self.repeats,
            fresh_as_of=self.fresh_as_of(),
            refused_as_of=self.attempts.failed_at if self.attempts.refuses_request else -math.inf,
            serial=self.serial,
        )

    # When the cloud is asked

    def _next_at(self, now: float) -> float:
        """When the next attempt begins; may lie in the past."""
        scheduled_at = self._scheduled_at(now)
        if self.token is not None and self.token.expires_at is None:
            return scheduled_at  # no refresh request concerns a token that never expires
        return min(scheduled_at, self.attempts.requested_for(self.fresh_as_of()))

    def _scheduled_at(self, now: float) -> float:
        if self.attempts.retry_at is not None:
            return self.attempts.retry_at
        if self.token is None or self.schedule is None or self._is_from_the_future(self.token, now):
            return now
        return math.inf if self.schedule.refresh_at is None else self.schedule.refresh_at

    def _is_published(self, now: float) -> bool:
        """Whether files hold a good token that is not known, since the signing key was lost.

        They are not rewritten without it before the cloud has been asked.
        """
        return self.token is None and self.deadline(now) > now

    def _keep_earlier(self, builds: Mapping[Hashable, float], now: float) -> None:
        """Let tenants go on to publish what they do until it is due; the latest is replaced."""
        token = self.token
        if token is None or self._is_from_the_future(token, now):
            self.earlier = NO_EARLIER
            return
        shown = {
            tenant: self._held(
                self.earlier[tenant].token if tenant in self.earlier else token, build
            )
            for tenant, build in builds.items()
        }
        self.earlier = kept_until_due(shown, now)

    def _held(self, token: Token, max_build: float) -> Held:
        return Held(token, self._schedule_of(token, max_build), max_build)

    def _schedule_of(self, token: Token, max_build: float) -> Schedule:
        return schedule(
            login_digest=self.digest,
            issued_at=token.issued_at,
            expires_at=token.expires_at,
            max_build=max_build,
            margins=self.margins,
        )

    def _is_from_the_future(self, token: Token, now: float) -> bool:
        return is_from_the_future(token, now, skew=self.margins.clock_skew)

    def _retry_after_no_progress(self, now: float, rng: random.Random) -> int:
        expires_at = self.token.expires_at if self.token else None
        if self.repeats and expires_at is not None and now < expires_at - CACHED_TOKEN_LEAD:
            return expires_at - CACHED_TOKEN_LEAD
        remaining = self._remaining(now)
        delay = backoff.after_no_change(repeats=self.idle_answers, rng=rng, remaining=remaining)
        return math.ceil(now + delay)

    def _remaining(self, now: float) -> float | None:
        """Seconds until the promise is broken or, after that, the token is withdrawn."""
        loss_at = self.schedule.next_loss_at(now) if self.schedule else None
        return None if loss_at is None else loss_at - now
