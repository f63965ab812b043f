"""The token manager: one token for each login, shared by its consumers and refreshed ahead."""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Container, Hashable, Iterable
from contextlib import suppress
from typing import Final

from artifact_index.credentials.attempts import Attempts
from artifact_index.credentials.calls import Issue
from artifact_index.credentials.clock import WallClock
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import Requirement, Token
from artifact_index.credentials.tokens.activity import UNPLANNED, Idle, InFlight
from artifact_index.credentials.tokens.consumers import Consumers
from artifact_index.credentials.tokens.earlier import due_at, due_tenants, without
from artifact_index.credentials.tokens.entry import TokenEntry
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.issuing import Issuer, Limits
from artifact_index.credentials.tokens.released import Released
from artifact_index.credentials.tokens.timers import Timers
from artifact_index.credentials.tokens.token_state import HeldToken, TokenState
from artifact_index.instrumentation import UNMEASURED, Meter

LONGEST_SLEEP: Final = 15.0
"""Seconds. After a step of the wall clock events are at most this late."""

logger = logging.getLogger(__name__)


class TokenManager:
    """Keeps the tokens that consumers require; everything happens on one event loop.

    `issue` asks a cloud and raises LoginError; it bounds its own concurrency, since every call is
    awaited in a task of its own. `now` is wall-clock time in POSIX seconds.

    `on_change` gets the consumers that a change concerns, perhaps one that has gone. It must not
    block, and may be called from within `require`.
    """

    def __init__(
        self,
        issue: Issue,
        *,
        margins: Margins,
        now: Callable[[], float],
        rng: random.Random,
        meter: Meter = UNMEASURED,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self.on_change: Callable[[frozenset[Hashable]], None] = lambda consumers: None
        self._margins = margins
        self._clock = WallClock(now)
        self._rng = rng
        self._limits = limits
        self._issuer = Issuer(issue, limits=limits, on_outcome=self._settle, meter=meter)
        self._entries: dict[str, TokenEntry] = {}
        self._required: dict[Hashable, frozenset[str]] = {}
        self._released = Released()
        self._timers = Timers()
        self._earlier_wake = asyncio.Event()
        self._sleeping_until = -math.inf

    def restore(
        self, digest: str, token: Token, *, repeats: bool = False, consumer: Hashable | None = None
    ) -> None:
        """Take over a token from our own outputs after a restart, unless a newer one is held.

        An expired one is ignored. `repeats` is what TokenState said of the source. `consumer`
        publishes the token: it is told when that must be withdrawn, even if it never requires it.
        """
        now = self._read_clock()
        if token.expires_at is not None and token.expires_at <= now:
            return
        entry = self._entry(digest, now)
        if token != entry.token or entry.earlier:
            known = self._limits.tenants_of(entry.consumers.all() if token != entry.token else ())
            tenants = self._limits.tenants_of(() if consumer is None else (consumer,))
            if entry.restore(token, tenants, known, now):
                entry.repeats = entry.repeats or repeats
                if entry.consumers.builds:
                    self._notify(entry)
        if consumer is not None and consumer not in entry.consumers.builds:
            entry.consumers.add_former(consumer)
        self._advance(entry, now)

    def require(self, consumer: Hashable, requirements: Iterable[Requirement]) -> None:
        """Replace what this consumer requires; calls that are due start now, without waiting."""
        now = self._read_clock()
        by_digest: dict[str, Requirement] = {}
        for requirement in requirements:
            known = by_digest.get(requirement.digest)
            if known is None or known.max_build < requirement.max_build:
                by_digest[requirement.digest] = requirement
        before = self._required.pop(consumer, frozenset())
        if by_digest:
            self._required[consumer] = frozenset(by_digest)
        for requirement in by_digest.values():
            self._add(consumer, requirement, now)
        for digest in before - by_digest.keys():
            self._remove(digest, consumer, now, publishes=True)
        self._issuer.begin(now)
        self._forget_surplus()

    def release(self, consumer: Hashable) -> None:
        """The consumer has gone and publishes nothing any more."""
        now = self._read_clock()
        for digest in self._required.pop(consumer, frozenset()):
            self._remove(digest, consumer, now, publishes=False)
        self._forget_surplus()

    def state_of(self, digest: str, tenant: Hashable = None) -> TokenState | None:
        """The state of a token that is required, was required lately, or was restored.

        A tenant sees its own token until that is due, although another one has requested a later.
        """
        entry = self._entries.get(digest)
        return None if entry is None else entry.state(self._clock.now(), tenant)

    def is_tried(self, digest: str) -> bool:
        """Whether there is or was such a token, or a cloud is being asked for it."""
        entry = self._entries.get(digest)
        if entry is None:
            return False
        return entry.token is not None or isinstance(entry.activity, InFlight)

    def on_attempt(self, listener: Callable[[str], None]) -> None:
        """Have a listener called with the digest of each token as a cloud is asked for it."""
        self._issuer.on_begin = listener

    def held_tokens(self) -> list[HeldToken]:
        """Every token that is required and has been issued."""
        return [
            HeldToken(each.requirement.request, each.token.expires_at, each.planned_at)
            for each in self._entries.values()
            if each.requirement is not None and each.token is not None
        ]

    def awaits(self, consumer: Hashable) -> bool:
        """Whether the first outcome for some token that the consumer requires is still awaited.

        May be asked from within `on_change`, which may run before all of them are known.
        """
        entries = (self._entries.get(digest) for digest in self._required.get(consumer, ()))
        return any(entry is None or entry.attempts.pending_since is not None for entry in entries)

    async def settled(self) -> bool:
        """Wait until the calls in flight have ended; False where there were none."""
        return await self._issuer.calls.settled()

    async def run(self) -> None:
        """Refresh, withdraw and forget in time, for ever."""
        while True:
            now = self._read_clock()
            self._process_due(now)
            self._issuer.begin(now)
            self._earlier_wake.clear()
            self._sleeping_until = wake_at = self._timers.next_at()
            sleep = min(max(0.0, wake_at - now), self._issuer.next_in())
            with suppress(TimeoutError):
                async with asyncio.timeout(min(LONGEST_SLEEP, sleep)):
                    await self._earlier_wake.wait()

    async def pause(self) -> None:
        """Give up all calls; each token is kept until its withdrawal for who requires it next."""
        await self._issuer.calls.close()
        now = self._read_clock()
        for consumer in list(self._required):
            for digest in self._required.pop(consumer):
                self._remove(digest, consumer, now, publishes=True)
        self._released.clear()
        for entry in self._entries.values():
            entry.attempts, entry.requesters = Attempts(), frozenset()

    def resume(self) -> None:
        """Make calls again, for the consumers that `require` tokens from now on."""
        self._issuer.calls.closed = False

    async def close(self) -> None:
        """Give up all calls. None begins afterwards."""
        await self._issuer.calls.close()

    # The consumers of one token

    def _entry(self, digest: str, now: float) -> TokenEntry:
        entry = self._entries.get(digest)
        if entry is None:
            entry = TokenEntry(digest, self._margins, consumers=Consumers(gone_since=now))
            self._entries[digest] = entry
        return entry

    def _add(self, consumer: Hashable, requirement: Requirement, now: float) -> None:
        entry = self._entry(requirement.digest, now)
        changed = entry.consumers.add(consumer, requirement.max_build)
        if entry.earlier:
            tenant = self._limits.tenant_of(consumer)
            changed = entry.needs(tenant, requirement.max_build) or changed
        entry.requirement = requirement
        if self._released.pop(entry.digest, None) is not None:
            entry.attempts.required_again()
        entry.consumers.gone_since = None
        attempts = entry.attempts
        if entry.token is None and attempts.error is None and attempts.pending_since is None:
            attempts.pending_since = now
        requested = self._request(entry, requirement.fresh_after, consumer, now)
        if not requested:
            self._issuer.join(entry, consumer)
        if requested or changed:
            entry.reschedule()
            self._advance(entry, now)

    def _request(
        self, entry: TokenEntry, moment: int | None, consumer: Hashable, now: float
    ) -> bool:
        """Take in a refresh request of a consumer; true if it is new."""
        if moment is None:
            return False
        tenant = self._limits.tenant_of(consumer)
        if tenant in entry.earlier:
            entry.earlier = without(entry.earlier, (tenant,))
            entry.changed()
            self._notify(entry, {tenant})
        requested = entry.request(moment, tenant, now)
        if requested:
            self._issuer.discard(entry)  # it goes first now
        return requested

    def _remove(self, digest: str, consumer: Hashable, now: float, *, publishes: bool) -> None:
        entry = self._entries[digest]
        changed = entry.consumers.remove(consumer)
        if publishes:
            entry.consumers.add_former(consumer)
        if not entry.consumers.builds:
            self._issuer.discard(entry)
            entry.unrequire(now)
            self._released[digest] = entry
        if changed:
            entry.reschedule()
            self._advance(entry, now)

    def _forget_surplus(self) -> None:
        """Bound the memory of tokens that no consumer requires: drop the oldest."""
        for entry in self._released.surplus(len(self._entries) - len(self._released)):
            self._forget(entry)

    def _forget(self, entry: TokenEntry) -> None:
        del self._entries[entry.digest]
        self._released.pop(entry.digest, None)
        self._timers.put(entry.digest, math.inf)

    def _read_clock(self) -> float:
        """The time. Waits follow a clock that was set back, or they would last that much longer."""
        now, step = self._clock.read()
        if step:
            logger.warning("The clock was set back by %d s.", step)
            for entry in list(self._entries.values()):
                entry.shift(step)
                self._advance(entry, now)
        return now

    def _process_due(self, now: float) -> None:
        for digest in self._timers.take_due(now):
            entry = self._entries.get(digest)
            if entry is None:
                continue
            try:
                self._advance(entry, now)
            except Exception as error:  # one token must not stop the others
                logger.error("A token was not scheduled: %s", type(error).__name__)
                self._timers.put(digest, now + LONGEST_SLEEP)

    def _advance(self, entry: TokenEntry, now: float) -> None:
        """Do what is due for one token, and set the timer for what comes next."""
        entry.changed()
        phase = entry.phase_at(now)
        if phase != entry.phase:
            entry.phase = phase
            self._notify(entry)
        if entry.forget_at() <= now:
            self._forget(entry)
            return
        if entry.plan(now) and not self._issuer.calls.closed:
            self._issuer.enqueue(entry, now)
            self._earlier_wake.set()
        if due := due_tenants(entry.earlier, now):
            entry.earlier = without(entry.earlier, due)
            self._notify(entry, due)
        at = min(entry.next_phase_at(now), entry.forget_at(), due_at(entry.earlier))
        if isinstance(entry.activity, Idle) and not self._issuer.calls.closed:
            at = min(at, entry.activity.next_at)
        self._timers.put(entry.digest, at)
        if at < self._sleeping_until:
            self._earlier_wake.set()

    def _settle(self, entry: TokenEntry, outcome: Token | LoginError) -> None:
        now = self._read_clock()
        if self._issuer.calls.closed:
            entry.activity = UNPLANNED
            return
        if not isinstance(outcome, LoginError):
            builds = entry.consumers.builds_of(self._limits.tenant_of)
            self._notify(entry, entry.succeeded(outcome, now, self._rng, builds))
        elif entry.failed(outcome, now, self._rng):
            self._notify(entry)
        self._advance(entry, now)
        self._issuer.begin(now)

    def _notify(self, entry: TokenEntry, tenants: Container[Hashable] | None = None) -> None:
        """Notify all consumers, or those of some tenants."""
        consumers = entry.consumers.all()
        if tenants is not None:
            tenant_of = self._limits.tenant_of
            consumers = frozenset(each for each in consumers if tenant_of(each) in tenants)
        try:
            if consumers:
                self.on_change(consumers)
        except Exception as error:  # the scheduler goes on whatever a listener does
            logger.error("A change of a token was not delivered: %s", type(error).__name__)
