"""Looks up the URLs of CodeArtifact repositories, and keeps those that were found.

A URL never expires, so each is looked up once. The lookup also tells early of a repository that
does not exist: CodeArtifact answers uv with 404, and uv goes on to a public package of that name.
A login that has no token yet is used for lookups only while it is asked for one: so its share of
the tokens bounds its lookups, and one that is refused is looked up no more often than it is tried.
"""

import asyncio
import logging
import math
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import Final

from artifact_index.credentials.attempts import Attempts
from artifact_index.credentials.aws.endpoint_entry import EndpointEntry, EndpointState
from artifact_index.credentials.calls import ATTEMPT_DEADLINE, Calls, Issue, log_outcome
from artifact_index.credentials.clock import WallClock
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.fair_queue import FairQueue, Rank
from artifact_index.credentials.requests import Requirement, Token
from artifact_index.credentials.threads import CALLS_PER_SERVICE
from artifact_index.instrumentation import UNMEASURED, Meter

KEPT_FOR: Final = 600.0
"""Seconds for which an entry is kept that no consumer requires."""

MOST_RELEASED: Final = 1000
"""Entries that are kept at most after their last consumer has released them."""

logger = logging.getLogger(__name__)


class Endpoints:
    """The URLs of all repositories that consumers require; everything happens on one event loop.

    Each service (a region) gets at most as many lookups at a time as it has threads, so that a
    token waits for no more than these; tenants take turns, and repeats go last. `issue` asks AWS; a
    lookup fails after `deadline` seconds. `now` is wall-clock time in POSIX seconds. `tenant_of`
    says whose share the lookups for a consumer use.

    `on_change` gets the consumers that a change concerns. It must not block. `may_use` says whether
    a login, by the digest of its token, has one or is being asked for it; if not, `login_tried`
    must be called once it is.
    """

    def __init__(
        self,
        issue: Issue,
        *,
        now: Callable[[], float],
        rng: random.Random,
        meter: Meter = UNMEASURED,
        deadline: float = ATTEMPT_DEADLINE,
        tenant_of: Callable[[Hashable], Hashable] = lambda consumer: None,
    ) -> None:
        self.on_change: Callable[[frozenset[Hashable]], None] = lambda consumers: None
        self.may_use: Callable[[str], bool] = lambda login: True
        self._calls = Calls(issue, meter=meter, deadline=deadline)
        self._clock = WallClock(now)
        self._rng = rng
        self._entries: dict[str, EndpointEntry] = {}
        self._required: dict[Hashable, frozenset[str]] = {}
        self._waiting: dict[str, dict[str, None]] = {}  # by login, in order
        self._released: dict[str, float] = {}  # since when, the oldest first
        self._tenant_of = tenant_of
        # By service, while there are any. Ten thousand tasks that wait would be 40 MiB.
        self._queues: dict[str, FairQueue] = {}
        self._in_flight: Counter[str] = Counter()
        # The services in whose queues a tenant with too many lookups in flight was passed over.
        self._passed_over: dict[Hashable, dict[str, None]] = {}

    def restore(self, digest: str, url: str) -> None:
        """Take over a URL from our own outputs after a restart: it is not looked up again."""
        if digest not in self._entries:
            self._entries[digest] = EndpointEntry(digest, EndpointState(url))
            self._released[digest] = self._read_clock()

    def require(self, consumer: Hashable, requirements: Iterable[Requirement]) -> None:
        """Replace the URLs that this consumer requires; lookups start now, without waiting.

        `max_build` and `needed_by` of a requirement do not matter here.
        """
        now = self._read_clock()
        while self._released and now >= next(iter(self._released.values())) + KEPT_FOR:
            self._forget_oldest()
        by_digest = {requirement.digest: requirement for requirement in requirements}
        before = self._required.pop(consumer, frozenset())
        if by_digest:
            self._required[consumer] = frozenset(by_digest)
        for requirement in by_digest.values():
            self._add(requirement, consumer, now)
        for digest in before - by_digest.keys():
            self._remove(self._entries[digest], consumer, now)
        for service in {each.request.service for each in by_digest.values()}:
            self._start_queued(service, now)

    def release(self, consumer: Hashable) -> None:
        """The consumer has gone."""
        self.require(consumer, ())

    def login_tried(self, login: str) -> None:
        """Start what waits for this login: it is being asked for a token now."""
        now = self._read_clock()
        for digest in list(self._waiting.get(login, ())):
            self._on_timer(self._entries[digest], now)

    def state_of(self, digest: str) -> EndpointState | None:
        """The state of a URL that is required, was required lately, or was restored."""
        entry = self._entries.get(digest)
        return None if entry is None else entry.state

    def awaits(self, consumer: Hashable) -> bool:
        """Whether some URL that the consumer requires still has its first lookup ahead of it."""
        entries = (self._entries[digest] for digest in self._required.get(consumer, ()))
        return any(entry.state.pending_since is not None for entry in entries)

    async def settled(self) -> bool:
        """Wait until the lookups in flight have ended; False where there were none."""
        return await self._calls.settled()

    async def pause(self) -> None:
        """Give up all lookups, and keep the URLs that are known: another process looks up now."""
        await self._calls.close()
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
        for each in (self._required, self._waiting, self._queues, self._passed_over):
            each.clear()
        known = {digest: entry.state for digest, entry in self._entries.items() if entry.state.url}
        self._entries = {digest: EndpointEntry(digest, state) for digest, state in known.items()}

    def resume(self) -> None:
        """Look up again; what is known counts as released just now."""
        self._calls.closed = False
        self._released = dict.fromkeys(self._entries, self._read_clock())

    async def close(self) -> None:
        """Give up all lookups. None begins afterwards."""
        await self._calls.close()

    # The consumers of one URL

    def _add(self, requirement: Requirement, consumer: Hashable, now: float) -> None:
        digest = requirement.digest
        entry = self._entries.get(digest) or EndpointEntry(digest, EndpointState())
        self._entries[digest] = entry
        if not entry.consumers:
            entry.wanted_since = now
        entry.consumers.add(consumer)
        released = self._released.pop(digest, None)
        if entry.state.url is not None:
            return
        if released is not None:
            entry.attempts.required_again()
        if entry.requirement is not None and entry.requirement.login is None:
            requirement = replace(requirement, login=None)  # some consumer needs no token
        entry.requirement = requirement
        service = requirement.request.service
        requested = entry.attempts.request(requirement.fresh_after, now)
        if (queue := self._queues.get(service)) is not None and digest in queue:
            if not requested:
                queue.add(digest, 0, (self._tenant_of(consumer),))
                return
            queue.discard(digest)  # it goes first now
        self._schedule(entry, now)

    def _remove(self, entry: EndpointEntry, consumer: Hashable, now: float) -> None:
        entry.consumers.discard(consumer)
        if entry.consumers:
            return
        if entry.requirement is not None:
            service = entry.requirement.request.service
            if (queue := self._queues.get(service)) is not None:
                queue.discard(entry.digest)
                if not len(queue):
                    del self._queues[service]
        if entry.timer is not None:
            entry.timer.cancel()
        self._stop_waiting(entry)
        entry.set_pending(None)
        entry.requirement = None
        self._released[entry.digest] = now
        if len(self._released) > MOST_RELEASED:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        digest = next(iter(self._released))
        del self._released[digest], self._entries[digest]

    # Lookups

    def _schedule(self, entry: EndpointEntry, now: float) -> None:
        """Queue the next lookup of a URL that is required and not known, or set a timer for it."""
        if entry.requirement is None:
            return
        if entry.in_flight:
            entry.await_first()
            return
        if entry.timer is not None:
            entry.timer.cancel()
        self._stop_waiting(entry)
        attempts, login = entry.attempts, entry.requirement.login
        if login is not None and not self.may_use(login):
            # Its consumers wait for the token first, whose patience is theirs.
            entry.set_pending(None)
            entry.waits_for = login
            self._waiting.setdefault(login, {})[entry.digest] = None
            return
        entry.await_first()
        requested_for = attempts.requested_for(fresh_as_of=-math.inf)
        next_at = min(now if attempts.retry_at is None else attempts.retry_at, requested_for)
        if next_at <= now:
            queue = self._queues.setdefault(entry.requirement.request.service, FairQueue())
            failed = attempts.error is not None and requested_for > now
            rank = Rank.REPEAT if failed else Rank.FIRST
            queue.add(entry.digest, 0, map(self._tenant_of, entry.consumers), rank)
        else:
            loop = asyncio.get_running_loop()
            entry.timer = loop.call_later(next_at - now, self._on_timer, entry)

    def _stop_waiting(self, entry: EndpointEntry) -> None:
        if entry.waits_for is not None:
            waiting = self._waiting[entry.waits_for]
            del waiting[entry.digest]
            if not waiting:
                del self._waiting[entry.waits_for]
            entry.waits_for = None

    def _on_timer(self, entry: EndpointEntry, now: float | None = None) -> None:
        now = self._read_clock() if now is None else now
        self._schedule(entry, now)
        if entry.requirement is not None:
            self._start_queued(entry.requirement.request.service, now)

    def _start_queued(self, service: str, now: float) -> None:
        """Start lookups in turns of the tenants, as long as there are threads for the service."""

        def may_go(tenant: Hashable) -> bool:
            if self._calls.may_start(tenant):
                return True
            self._passed_over.setdefault(tenant, {})[service] = None
            return False

        queue = self._queues.get(service)
        while queue is not None and self._in_flight[service] < CALLS_PER_SERVICE:
            turn = queue.pop(may_go)
            if turn is None:
                break
            entry = self._entries[turn.key]
            if entry.requirement is not None:
                self._start(entry, entry.requirement, now, turn.tenant)
        if queue is not None and not len(queue):
            del self._queues[service]

    def _start_passed_over(self, tenant: Hashable, now: float) -> None:
        """Look again where a tenant was passed over, until it has too many in flight again."""
        services = self._passed_over.get(tenant, {})
        while services and self._calls.may_start(tenant):
            service = next(iter(services))
            del services[service]
            self._start_queued(service, now)
        if not services:
            self._passed_over.pop(tenant, None)

    def _start(
        self, entry: EndpointEntry, requirement: Requirement, now: float, tenant: Hashable
    ) -> None:
        service, retry_at = requirement.request.service, entry.attempts.retry_at
        entry.attempts.begin(now, by_request=retry_at is not None and retry_at > now)
        entry.in_flight = True
        self._in_flight[service] += 1

        def on_outcome(outcome: Token | LoginError, took: float) -> None:
            self._in_flight[service] -= 1
            if not self._in_flight[service]:
                del self._in_flight[service]
            entry.in_flight = False
            if not self._calls.closed:
                now = self._settle(entry, outcome)
                log_outcome(
                    requirement, outcome, refusals=entry.attempts.failures,
                    consumers=len(entry.consumers), next_at=entry.attempts.retry_at,
                )  # fmt: skip
                self._start_queued(service, now)
                self._start_passed_over(tenant, now)

        self._calls.start(requirement.request, requirement.key_material, on_outcome, tenant)

    def _settle(self, entry: EndpointEntry, outcome: Token | LoginError) -> float:
        """Take in the outcome of a lookup; returns the time."""
        now = self._read_clock()
        if isinstance(outcome, LoginError):
            news = entry.attempts.failed(outcome, now, self._rng)
            entry.changed()
        else:
            entry.state, news = EndpointState(outcome.value.get_secret_value()), True
            entry.attempts, entry.requirement = Attempts(), None
        if news and entry.consumers:
            try:
                self.on_change(frozenset(entry.consumers))
            except Exception as error:  # lookups go on whatever a listener does
                logger.error("A change of a URL was not delivered: %s", type(error).__name__)
        self._schedule(entry, now)
        return now

    def _read_clock(self) -> float:
        """The time; waits follow a clock that was set back."""
        now, step = self._clock.read()
        if step:
            self._released = {digest: since - step for digest, since in self._released.items()}
            for entry in self._entries.values():
                entry.attempts.shift(step)
                entry.wanted_since -= step
                if entry.state.pending_since is not None:
                    entry.changed()
        return now
