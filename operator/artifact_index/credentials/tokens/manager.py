"""The token manager: one mint for each login, refreshed ahead by one scheduler.

Consumers say which logins they need; the token manager keeps a grant for each, however many
consumers share it, and says which consumers are affected when something about a login changed.
"""

import asyncio
import itertools
import logging
import math
import random
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from typing import Final

from artifact_index.credentials.calls import Issue
from artifact_index.credentials.clock import WallClock
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import NO_KEY_MATERIAL, Requirement, Token
from artifact_index.credentials.tokens.builds import let_go, let_in
from artifact_index.credentials.tokens.entry import TokenEntry
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.issuing import Limits, Minting
from artifact_index.credentials.tokens.released import Released
from artifact_index.credentials.tokens.timers import Timers
from artifact_index.credentials.tokens.token_state import HeldToken, TokenState
from artifact_index.instrumentation import UNMEASURED, Meter

LONGEST_SLEEP: Final = 15.0
"""Seconds. After a step of the wall clock events are at most this late."""

logger = logging.getLogger(__name__)


class TokenManager:
    """Holds the grants of all logins; everything happens on one event loop.

    `issue` asks the cloud and raises LoginError; it bounds its own concurrency, since every call
    is awaited in a task of its own. `now` is wall-clock time in POSIX seconds. `on_change` gets the
    consumers that a change concerns; it must not block, may be called from within `require`, and
    may name a consumer that has gone.
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
        self._minting = Minting(issue, limits=limits, on_outcome=self._settle, meter=meter)
        self._serials = itertools.count(1)
        self._logins: dict[str, TokenEntry] = {}
        self._wants: dict[Hashable, frozenset[str]] = {}
        self._released = Released()
        self._agenda = Timers()
        self._earlier_wake = asyncio.Event()
        self._sleeping_until = -math.inf

    def restore(
        self,
        digest: str,
        grant: Token,
        *,
        repeats: bool = False,
        consumer: Hashable | None = None,
    ) -> None:
        """Take over a grant from our own outputs after a restart, unless a newer one is held.

        One that has expired is ignored. `repeats` is what the lease said of the source.
        `consumer` serves the grant now: it is told of the withdrawal though it may never want
        this login.
        """
        now = self._read_clock()
        if grant.expires_at is not None and grant.expires_at <= now:
            return
        login = self._login(digest, now)
        if consumer is not None and consumer not in login.wanted_by:
            login.serves_on(consumer)
        if login.is_older_than(grant):
            login.repeats = login.repeats or repeats
            login.hold(grant, now)
            if login.wanted_by:
                self._notify(login)
        self._advance(login, now)

    def require(self, consumer: Hashable, requirements: Iterable[Requirement]) -> None:
        """Replace what this consumer wants; mints that are due start now, without waiting."""
        now = self._read_clock()
        by_digest: dict[str, Requirement] = {}
        for want in requirements:
            digest = want.digest
            known = by_digest.get(digest)
            if known is None or known.max_build < want.max_build:
                by_digest[digest] = want
        before = self._wants.get(consumer, frozenset())
        if by_digest:
            self._wants[consumer] = frozenset(by_digest)
        else:
            self._wants.pop(consumer, None)
        for digest, want in by_digest.items():
            self._add(self._login(digest, now), consumer, want, now)
        for digest in before - by_digest.keys():
            self._remove(self._logins[digest], consumer, now, serves_on=True)
        self._minting.begin(now)
        self._forget_surplus()

    def release(self, consumer: Hashable) -> None:
        """The consumer has gone and serves nothing any more."""
        now = self._read_clock()
        for digest in self._wants.pop(consumer, frozenset()):
            self._remove(self._logins[digest], consumer, now, serves_on=False)
        self._forget_surplus()

    def state_of(self, digest: str) -> TokenState | None:
        """The present state of a login that is wanted, was wanted lately, or was seeded."""
        login = self._logins.get(digest)
        return None if login is None else login.state(self._clock.now())

    def held_tokens(self) -> list[HeldToken]:
        """Every login that is wanted now and has a grant."""
        return [
            HeldToken(login.request, login.grant.expires_at, login.planned_at)
            for login in self._logins.values()
            if login.request is not None and login.grant is not None
        ]

    def awaits(self, consumer: Hashable) -> bool:
        """Whether some login that the consumer wants has never been answered yet.

        May be asked from within `on_change`, which may run before all of them are known.
        """
        wanted = (self._logins.get(digest) for digest in self._wants.get(consumer, frozenset()))
        return any(login is None or login.pending_since is not None for login in wanted)

    async def settled(self) -> bool:
        """Wait until the mints that are under way have ended; False where there were none."""
        return await self._minting.settled()

    async def run(self) -> None:
        """Refresh, withdraw and forget in time, for ever."""
        while True:
            now = self._read_clock()
            self._process_due(now)
            self._minting.begin(now)
            wake_at = self._agenda.next_at()
            self._earlier_wake.clear()
            self._sleeping_until = wake_at
            sleep = min(max(0.0, wake_at - now), self._minting.next_turn_in())
            with suppress(TimeoutError):
                async with asyncio.timeout(min(LONGEST_SLEEP, sleep)):
                    await self._earlier_wake.wait()

    async def close(self) -> None:
        """Give up all mints. Nothing is minted afterwards."""
        await self._minting.close()

    # The consumers of one login

    def _login(self, digest: str, now: float) -> TokenEntry:
        login = self._logins.get(digest)
        if login is None:
            login = TokenEntry(
                digest=digest, margins=self._margins, unwanted_since=now, serials=self._serials
            )
            self._logins[digest] = login
        return login

    def _add(self, login: TokenEntry, consumer: Hashable, want: Requirement, now: float) -> None:
        changed = let_in(login.wanted_by, consumer, want.max_build, longest=login.max_build)
        if login.formerly_wanted_by is not None:
            login.formerly_wanted_by.discard(consumer)
            login.formerly_wanted_by = login.formerly_wanted_by or None
        login.request, login.material = want.request, want.key_material
        login.needed_by = want.needed_by
        if not login.wanted:
            login.unwanted_since = None
            self._released.discard(login.digest)
        if login.grant is None and login.error is None and login.pending_since is None:
            login.pending_since = now
        if login.asking.request(want.fresh_after, now) or changed:
            login.reschedule()
            self._advance(login, now)

    def _remove(
        self, login: TokenEntry, consumer: Hashable, now: float, *, serves_on: bool
    ) -> None:
        changed = let_go(login.wanted_by, consumer, longest=login.max_build)
        if serves_on:
            login.serves_on(consumer)
        if not login.wanted_by:
            login.unwanted_since = now
            login.pending_since = None
            self._released.add(login)
            login.request, login.material = None, NO_KEY_MATERIAL
            self._minting.forget(login)
        if changed:
            login.reschedule()
            self._advance(login, now)

    def _forget_surplus(self) -> None:
        """Bound the memory of logins that nobody wants."""
        for login in self._released.surplus(len(self._logins) - len(self._released)):
            self._forget(login)

    def _forget(self, login: TokenEntry) -> None:
        del self._logins[login.digest]
        self._released.discard(login.digest)
        self._agenda.put(login.digest, math.inf)

    # Time

    def _read_clock(self) -> float:
        """The time; waits follow a clock that was set back, or they would last as long as that."""
        now, step = self._clock.read()
        if step:
            logger.warning("The clock was set back by %d s.", step)
            for login in list(self._logins.values()):
                login.shift(step)
                self._advance(login, now)
        return now

    def _process_due(self, now: float) -> None:
        for digest in self._agenda.take_due(now):
            login = self._logins.get(digest)
            if login is None:
                continue
            try:
                self._advance(login, now)
            except Exception as error:  # one login must not stop the others
                logger.error("A login was not scheduled: %s", type(error).__name__)
                self._agenda.put(digest, now + LONGEST_SLEEP)

    def _advance(self, login: TokenEntry, now: float) -> None:
        """Do what is due for one login, and arrange for what comes next."""
        phase = login.phase_at(now)
        if phase != login.phase:
            login.phase = phase
            self._notify(login)
        if not login.wanted and login.forget_at() <= now:
            self._forget(login)
            return
        if login.wanted and not login.minting and login.attempt_at(now) <= now:
            self._minting.queue(login, now)
            if login.queued:
                self._earlier_wake.set()
        self._arrange(login, now)

    def _arrange(self, login: TokenEntry, now: float) -> None:
        at = min(login.next_phase_at(now), login.forget_at())
        if login.wanted and not login.minting and not login.queued and not self._minting.closed:
            at = min(at, login.attempt_at(now))
        self._agenda.put(login.digest, at)
        if at < self._sleeping_until:
            self._earlier_wake.set()

    def _settle(self, login: TokenEntry, outcome: Token | LoginError) -> None:
        now = self._read_clock()
        login.minting = False
        if self._minting.closed:
            return
        if isinstance(outcome, LoginError):
            news = login.failed(outcome, now, self._rng)
        else:
            news = login.succeeded(outcome, now, self._rng)
        login.renewing = None
        if news:
            self._notify(login)
        self._advance(login, now)
        self._minting.begin(now)

    def _notify(self, login: TokenEntry) -> None:
        concerned = frozenset(login.wanted_by).union(login.formerly_wanted_by or ())
        if not concerned:
            return
        try:
            self.on_change(concerned)
        except Exception as error:  # the scheduler outlives its listeners
            logger.error("A change of a login was not delivered: %s", type(error).__name__)
