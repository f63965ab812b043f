"""Asks clouds for tokens: so many in a second, the most urgent first."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from artifact_index.credentials.calls import ATTEMPT_DEADLINE, Calls, Issue
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import Requirement, Token
from artifact_index.credentials.tokens.activity import UNPLANNED, Queued
from artifact_index.credentials.tokens.entry import TokenEntry
from artifact_index.credentials.tokens.rate_limit import RateLimiter
from artifact_index.instrumentation import Meter

MINTS_PER_SECOND: Final = 10
"""Calls that begin in one second at most. CodeArtifact answers 40 for an account and region."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`per_second` calls begin in one second at most; each fails after `deadline` seconds."""

    per_second: int = MINTS_PER_SECOND
    deadline: float = ATTEMPT_DEADLINE


class Issuer:
    """The entries that wait for the rate limit, and those for which a cloud is being asked.

    `on_outcome` gets each entry with the outcome of its call, after a cancellation, too.
    """

    def __init__(
        self,
        issue: Issue,
        *,
        limits: Limits,
        on_outcome: Callable[[TokenEntry, Token | LoginError], None],
        meter: Meter,
    ) -> None:
        self._calls = Calls(issue, meter=meter, deadline=limits.deadline)
        self._limiter = RateLimiter(limits.per_second)
        self._on_outcome = on_outcome
        self._meter = meter
        self._queue: dict[str, TokenEntry] = {}

    @property
    def closed(self) -> bool:
        """Whether nothing is issued any more."""
        return self._calls.closed

    def enqueue(self, entry: TokenEntry, now: float) -> None:
        """Queue an entry that is due; call `begin` once all that are due are queued."""
        entry.activity = Queued(entry.deadline(now))
        self._queue[entry.digest] = entry
        self._limiter.add(entry.digest, entry.activity.deadline)

    def discard(self, entry: TokenEntry) -> None:
        """Take an entry off the queue, if it is on it."""
        if isinstance(entry.activity, Queued):
            entry.activity = UNPLANNED
            self._limiter.discard(entry.digest)
            del self._queue[entry.digest]

    def begin(self, now: float) -> None:
        """Start the calls that the rate limit allows; `now` is wall-clock time."""
        clock = asyncio.get_running_loop().time()
        while not self.closed and (digest := self._limiter.pop(clock)):
            entry = self._queue.pop(digest)
            if entry.requirement is not None:
                self._start(entry, entry.requirement, now)

    def next_in(self) -> float:
        """Seconds until the next call may begin; infinity while none is queued."""
        clock = asyncio.get_running_loop().time()
        return self._limiter.next_at(clock) - clock

    async def settled(self) -> bool:
        """Wait until the calls in flight have ended; False where there were none."""
        return await self._calls.settled()

    async def close(self) -> None:
        """Give up all calls. None begins afterwards."""
        await self._calls.close()

    def _start(self, entry: TokenEntry, requirement: Requirement, now: float) -> None:
        late_by = None if entry.planned_at is None else now - entry.planned_at
        entry.begin(now)
        request = requirement.request
        on_outcome = partial(self._settle, entry, request.provider, late_by)
        self._calls.start(request, requirement.key_material, on_outcome)

    def _settle(
        self,
        entry: TokenEntry,
        provider: str,
        late_by: float | None,
        outcome: Token | LoginError,
        seconds: float,
    ) -> None:
        self._on_outcome(entry, outcome)
        # An answer may be no successor; and a token that was asked for early is not late.
        if entry.token is outcome and late_by is not None and late_by >= 0:
            self._meter.refreshed(provider=provider, late=late_by + seconds)
