"""Asking the clouds: so many logins in a second, the most urgent first."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from artifact_index.credentials.calls import CALL_DEADLINE, Calls, Issue
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import Token, TokenRequest
from artifact_index.credentials.tokens.entry import TokenEntry
from artifact_index.credentials.tokens.rate_limit import RateLimiter
from artifact_index.instrumentation import Meter

MINTS_PER_SECOND: Final = 10
"""Mints that begin in one second at most. CodeArtifact answers 40 for an account and region."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`per_second` tokens are asked for in one second at most; a call ends after `deadline` s."""

    per_second: int = MINTS_PER_SECOND
    deadline: float = CALL_DEADLINE


class Minting:
    """The mints that wait for their turn, and those that are under way.

    `on_outcome` gets each login with what became of its mint, also of one that was cancelled.
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
        self._turns = RateLimiter(limits.per_second)
        self._on_outcome = on_outcome
        self._meter = meter
        self._waiting: dict[str, TokenEntry] = {}

    @property
    def closed(self) -> bool:
        """Whether nothing is minted any more."""
        return self._calls.closed

    def queue(self, login: TokenEntry, now: float) -> None:
        """Let it wait for a turn; `begin` is to follow once everything that is due waits."""
        if self.closed:
            return
        login.queued = True
        self._waiting[login.digest] = login
        self._turns.wait(login.digest, login.loses_at(now))

    def forget(self, login: TokenEntry) -> None:
        """Nobody wants it any more: it waits no longer."""
        self._turns.forget(login.digest)
        self._waiting.pop(login.digest, None)
        login.queued = False

    def begin(self, now: float) -> None:
        """Start every mint whose turn has come; `now` is wall-clock time."""
        clock = asyncio.get_running_loop().time()
        while not self.closed and (digest := self._turns.take(clock)):
            login = self._waiting.pop(digest)
            login.queued = False
            if login.request is not None:
                self._start(login, login.request, now)

    def next_turn_in(self) -> float:
        """Seconds until the next turn begins; infinity while nobody waits."""
        clock = asyncio.get_running_loop().time()
        return self._turns.next_at(clock) - clock

    async def settled(self) -> bool:
        """Wait until the mints that are under way have ended; False where there were none."""
        return await self._calls.settled()

    async def close(self) -> None:
        """Give up all mints. Nothing is minted afterwards."""
        await self._calls.close()

    def _start(self, login: TokenEntry, request: TokenRequest, now: float) -> None:
        late_by = None if login.planned_at is None else now - login.planned_at
        login.begin_attempt(now)
        self._calls.start(
            request, login.material, partial(self._settle, login, request.provider, late_by)
        )

    def _settle(
        self,
        login: TokenEntry,
        provider: str,
        late_by: float | None,
        outcome: Token | LoginError,
        took: float,
    ) -> None:
        self._on_outcome(login, outcome)
        # An answer may be no successor; and what is asked for ahead of its time is not late.
        if login.grant is outcome and late_by is not None and late_by >= 0:
            self._meter.refreshed(provider=provider, late=late_by + took)
