"""Looks up the URLs of CodeArtifact repositories, and keeps those that were found.

A URL never expires, so each is looked up once. The lookup also tells early of a repository that
does not exist: CodeArtifact answers uv with 404, and uv goes on to a public package of that name.
"""

import asyncio
import itertools
import logging
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from artifact_index.credentials import backoff
from artifact_index.credentials.calls import ATTEMPT_DEADLINE, Calls, Issue
from artifact_index.credentials.clock import WallClock
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import Requirement, Token
from artifact_index.credentials.threads import CALLS_PER_SERVICE
from artifact_index.instrumentation import UNMEASURED, Meter

KEPT_FOR: Final = 600.0
"""Seconds for which an entry is kept that no consumer requires."""

MOST_RELEASED: Final = 1000
"""Entries that are kept at most after their last consumer has released them."""

REFRESHES_APART: Final = 60.0
"""Seconds between two lookups of one URL that only a refresh request causes, at least."""

logger = logging.getLogger(__name__)
_serials: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What is known of a repository's URL."""

    url: str | None = None
    """As AWS answers it, without `simple/`."""
    error: LoginError | None = None
    """Why the last lookup failed."""
    pending_since: float | None = None
    """POSIX seconds since when a first outcome has been awaited; None once there was one."""
    serial: int = field(default_factory=_serials.__next__, compare=False)
    """Grows with every change: two states of one URL with the same serial are equal."""


@dataclass(slots=True, eq=False)
class _Entry:
    """The URL of one repository, and the lookup of it. Times are seconds of the event loop."""

    state: EndpointState
    requirement: Requirement | None = None
    """None once the URL is known, and while no consumer requires it: no key material is kept."""
    consumers: set[Hashable] = field(default_factory=set)
    released_at: float = 0
    activity: Literal["idle", "queued", "in flight"] = "idle"
    timer: asyncio.TimerHandle | None = None
    failures: int = 0
    retry_at: float = -math.inf
    not_before: float = -math.inf
    """The cloud asked for a pause until then."""
    refresh_requested: int | None = None
    """The latest refresh request, in POSIX seconds."""
    refresh_at: float = math.inf
    """When that request causes a lookup; infinity once it has."""
    refreshed_at: float = -math.inf
    """When a lookup began last that only a refresh request caused."""

    def next_at(self) -> float:
        """When the URL is to be looked up."""
        refresh_at = max(self.refresh_at, self.refreshed_at + REFRESHES_APART, self.not_before)
        return min(self.retry_at, refresh_at)


class Endpoints:
    """The URLs of all repositories that consumers require; everything happens on one event loop.

    Each service (a region) gets at most as many lookups at a time as it has threads, so that a
    token waits for no more than these. `issue` asks AWS; a lookup fails after `deadline` seconds.
    `now` is wall-clock time in POSIX seconds.

    `on_change` gets the consumers that a change concerns. It must not block.
    """

    def __init__(
        self,
        issue: Issue,
        *,
        now: Callable[[], float],
        rng: random.Random,
        meter: Meter = UNMEASURED,
        deadline: float = ATTEMPT_DEADLINE,
    ) -> None:
        self.on_change: Callable[[frozenset[Hashable]], None] = lambda consumers: None
        self._calls = Calls(issue, meter=meter, deadline=deadline)
        self._clock = WallClock(now)
        self._rng = rng
        self._entries: dict[str, _Entry] = {}
        self._required: dict[Hashable, frozenset[str]] = {}
        self._released: dict[str, _Entry] = {}
        self._restored: dict[str, EndpointState] = {}
        self._restored_at = -math.inf
        # Ten thousand tasks that wait for a semaphore would be 40 MiB.
        self._queues: defaultdict[str, dict[str, _Entry]] = defaultdict(dict)
        self._in_flight: Counter[str] = Counter()

    def restore(self, digest: str, url: str) -> None:
        """Take over a URL from our own outputs after a restart: it is not looked up again."""
        self._restored_at = self._read_clock()
        if digest not in self._entries and digest not in self._restored:
            self._restored[digest] = EndpointState(url=url)

    def require(self, consumer: Hashable, requirements: Iterable[Requirement]) -> None:
        """Replace the URLs that this consumer requires; lookups start now, without waiting.

        `max_build` and `needed_by` of a requirement do not matter here.
        """
        now = self._read_clock()
        self._forget(now)
        by_digest = {requirement.digest: requirement for requirement in requirements}
        before = self._required.pop(consumer, frozenset())
        if by_digest:
            self._required[consumer] = frozenset(by_digest)
        for digest, requirement in by_digest.items():
            self._add(digest, requirement, consumer, now)
        for digest in before - by_digest.keys():
            self._remove(digest, consumer)
        self._start_queued()

    def release(self, consumer: Hashable) -> None:
        """The consumer has gone."""
        for digest in self._required.pop(consumer, frozenset()):
            self._remove(digest, consumer)

    def state_of(self, digest: str) -> EndpointState | None:
        """The state of a URL that is required, was required lately, or was restored."""
        entry = self._entries.get(digest)
        return self._restored.get(digest) if entry is None else entry.state

    def awaits(self, consumer: Hashable) -> bool:
        """Whether some URL that the consumer requires still has its first lookup ahead of it."""
        entries = (self._entries[digest] for digest in self._required.get(consumer, ()))
        return any(entry.state.pending_since is not None for entry in entries)

    async def settled(self) -> bool:
        """Wait until the lookups in flight have ended; False where there were none."""
        return await self._calls.settled()

    async def close(self) -> None:
        """Give up all lookups. None begins afterwards."""
        await self._calls.close()

    # The consumers of one URL

    def _add(self, digest: str, requirement: Requirement, consumer: Hashable, now: float) -> None:
        entry = self._entries.get(digest)
        if entry is None:
            state = self._restored.pop(digest, None) or EndpointState(pending_since=now)
            entry = self._entries[digest] = _Entry(state)
        entry.consumers.add(consumer)
        self._released.pop(digest, None)
        if entry.state.url is not None:
            return
        entry.requirement = requirement
        if entry.state.error is None and entry.state.pending_since is None:
            entry.state = EndpointState(pending_since=now)
        requested = requirement.fresh_after
        if requested is not None and requested > (entry.refresh_requested or 0):
            entry.refresh_requested = requested
            entry.refresh_at = _loop_time() + max(0.0, requested - now)
        self._schedule(digest, entry)

    def _remove(self, digest: str, consumer: Hashable) -> None:
        entry = self._entries[digest]
        entry.consumers.discard(consumer)
        if entry.consumers:
            return
        if entry.activity == "queued" and entry.requirement is not None:
            del self._queues[entry.requirement.request.service][digest]
            entry.activity = "idle"
        if entry.timer is not None:
            entry.timer.cancel()
        if entry.state.pending_since is not None:
            entry.state = EndpointState()
        entry.requirement = None
        entry.released_at = _loop_time()
        self._released[digest] = entry

    def _forget(self, now: float) -> None:
        """Drop the entries that no consumer has required for a while, the oldest first."""
        if now >= self._restored_at + KEPT_FOR:
            self._restored.clear()
        limit = _loop_time() - KEPT_FOR
        while self._released:
            digest, oldest = next(iter(self._released.items()))
            if oldest.released_at > limit and len(self._released) <= MOST_RELEASED:
                return
            del self._released[digest], self._entries[digest]

    # Lookups

    def _schedule(self, digest: str, entry: _Entry) -> None:
        """Queue the next lookup of a URL that is required and not known, or set a timer for it."""
        if entry.requirement is None or entry.activity != "idle":
            return
        if entry.timer is not None:
            entry.timer.cancel()
        next_at = entry.next_at()
        if next_at <= _loop_time():
            entry.activity = "queued"
            self._queues[entry.requirement.request.service][digest] = entry
        else:
            loop = asyncio.get_running_loop()
            entry.timer = loop.call_at(next_at, self._on_timer, digest, entry)

    def _on_timer(self, digest: str, entry: _Entry) -> None:
        self._schedule(digest, entry)
        self._start_queued()

    def _start_queued(self) -> None:
        """Start lookups in the order in which they were required, as long as threads are free."""
        for service, queue in self._queues.items():
            while queue and self._in_flight[service] < CALLS_PER_SERVICE and not self._calls.closed:
                digest, entry = next(iter(queue.items()))
                del queue[digest]
                if entry.requirement is not None:
                    self._start(digest, entry, entry.requirement)

    def _start(self, digest: str, entry: _Entry, requirement: Requirement) -> None:
        now, service = _loop_time(), requirement.request.service
        if entry.retry_at > now:
            entry.refreshed_at = now
        if entry.refresh_at <= now:
            entry.refresh_at = math.inf
        entry.activity = "in flight"
        self._in_flight[service] += 1

        def on_outcome(outcome: Token | LoginError, took: float) -> None:
            self._in_flight[service] -= 1
            entry.activity = "idle"
            if not self._calls.closed:
                self._settle(digest, entry, outcome)

        self._calls.start(requirement.request, requirement.key_material, on_outcome)

    def _settle(self, digest: str, entry: _Entry, outcome: Token | LoginError) -> None:
        if isinstance(outcome, LoginError):
            changed = self._back_off(entry, outcome)
        else:
            entry.state = EndpointState(url=outcome.value.get_secret_value())
            entry.requirement, changed = None, True
        if changed and entry.consumers:
            self._notify(frozenset(entry.consumers))
        self._schedule(digest, entry)
        self._start_queued()

    def _back_off(self, entry: _Entry, error: LoginError) -> bool:
        """Take in a failure; true if consumers have something new to see."""
        before, now = entry.state.error, _loop_time()
        entry.state = EndpointState(error=error)
        entry.failures += 1
        if error.retry_after is not None:
            entry.not_before = now + min(error.retry_after, backoff.MOST_RETRY_AFTER)
        entry.retry_at = now + backoff.after_failure(
            failures=entry.failures,
            permanent=error.permanent,
            rng=self._rng,
            retry_after=error.retry_after,
        )
        return before is None or before.reason != error.reason

    def _notify(self, consumers: frozenset[Hashable]) -> None:
        try:
            self.on_change(consumers)
        except Exception as error:  # lookups go on whatever a listener does
            logger.error("A change of a URL was not delivered: %s", type(error).__name__)

    def _read_clock(self) -> float:
        """The wall-clock time; what is pending follows a clock that was set back."""
        now, step = self._clock.read()
        if step:
            self._restored_at -= step
            for entry in self._entries.values():
                since = entry.state.pending_since
                if since is not None:
                    entry.state = EndpointState(pending_since=since - step)
        return now


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
