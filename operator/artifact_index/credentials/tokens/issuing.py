"""Asks clouds for tokens: so many in a second, in turns of the tenants, the most urgent first."""

import asyncio
import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from artifact_index.credentials.calls import ATTEMPT_DEADLINE, Calls, Issue, log_outcome
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.fair_queue import Rank
from artifact_index.credentials.requests import Requirement, Token
from artifact_index.credentials.tokens.activity import UNPLANNED, Idle, Queued
from artifact_index.credentials.tokens.entry import TokenEntry
from artifact_index.credentials.tokens.rate_limit import RateLimiter
from artifact_index.instrumentation import Meter


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the calls."""

    per_second: int = 10
    """Calls that begin in one second at most. CodeArtifact answers 40 for an account and region."""
    deadline: float = ATTEMPT_DEADLINE
    """Seconds after which a call fails."""
    tenant_of: Callable[[Hashable], Hashable] = lambda consumer: None
    """Whose share a consumer's calls use; without it all consumers are one tenant."""

    def tenants_of(self, consumers: Iterable[Hashable]) -> frozenset[Hashable]:
        """Everyone whose turn lets a call for these consumers begin."""
        return frozenset(map(self.tenant_of, consumers))


class Issuer:
    """The entries that wait for the rate limit, and those for which a cloud is being asked.

    `on_outcome` gets each entry with the outcome of its call, after a cancellation, too.
    `on_begin` gets its digest when the call begins.
    """

    def __init__(
        self,
        issue: Issue,
        *,
        limits: Limits,
        on_outcome: Callable[[TokenEntry, Token | LoginError], None],
        meter: Meter,
    ) -> None:
        self.calls = Calls(issue, meter=meter, deadline=limits.deadline)
        self._limits = limits
        self._limiter = RateLimiter(limits.per_second)
        self.on_begin: Callable[[str], None] = lambda digest: None
        self._on_outcome = on_outcome
        self._meter = meter
        self._queue: dict[str, TokenEntry] = {}

    def enqueue(self, entry: TokenEntry, now: float) -> None:
        """Queue an entry that is due; call `begin` once all that are due are queued."""
        deadline, rank = entry.deadline(now), entry.rank(now)
        if rank is Rank.REPEAT and deadline <= now:
            deadline = math.inf  # nothing is lost while others go first
        entry.activity = Queued(deadline)
        self._queue[entry.digest] = entry
        tenants = self._limits.tenants_of(entry.consumers.builds)
        self._limiter.add(entry.digest, deadline, tenants, rank)

    def join(self, entry: TokenEntry, consumer: Hashable) -> None:
        """Let a turn of another consumer's tenant do, too, if the entry is queued."""
        if isinstance(entry.activity, Queued):
            tenants = self._limits.tenants_of((consumer,))
            self._limiter.add(entry.digest, entry.activity.deadline, tenants)

    def discard(self, entry: TokenEntry) -> None:
        """Take an entry off the queue, if it is on it."""
        if isinstance(entry.activity, Queued):
            entry.activity = UNPLANNED
            self._limiter.discard(entry.digest)
            del self._queue[entry.digest]

    def begin(self, now: float) -> None:
        """Start the calls that the rate limit allows; `now` is wall-clock time."""
        clock = asyncio.get_running_loop().time()
        while (turn := self._limiter.pop(clock, self.calls.may_start)) is not None:
            entry = self._queue.pop(turn.key)
            if entry.requirement is not None:
                self._start(entry, entry.requirement, now, turn.tenant)

    def next_in(self) -> float:
        """Seconds until the next call may begin; infinity until something else changes that.

        A tenant with too many calls in flight waits for an outcome.
        """
        clock = asyncio.get_running_loop().time()
        return self._limiter.next_at(clock, self.calls.may_start) - clock

    def _start(
        self, entry: TokenEntry, requirement: Requirement, now: float, tenant: Hashable
    ) -> None:
        late_by = None if entry.planned_at is None else now - entry.planned_at
        entry.begin(now)
        request = requirement.request

        def on_outcome(outcome: Token | LoginError, seconds: float) -> None:
            self._on_outcome(entry, outcome)
            if not self.calls.closed:
                next_at = entry.activity.next_at if isinstance(entry.activity, Idle) else now
                log_outcome(
                    requirement, outcome, refusals=entry.attempts.failures,
                    consumers=len(entry.consumers.builds), next_at=next_at,
                )  # fmt: skip
            # An answer may be no successor; and a token that was asked for early is not late.
            if entry.token is outcome and late_by is not None and late_by >= 0:
                self._meter.refreshed(provider=request.provider, late=late_by + seconds)

        self.calls.start(request, requirement.key_material, on_outcome, tenant)
        self.on_begin(entry.digest)
