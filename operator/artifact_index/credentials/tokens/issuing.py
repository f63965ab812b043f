"""Asking the clouds: so many logins in a second, the most urgent first, each in its own task."""

import asyncio
from collections.abc import Callable
from typing import Final

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    CodeArtifactEndpointRequest,
    KeyMaterial,
    Token,
    TokenRequest,
    lane,
)
from artifact_index.credentials.threads import CALLS_PER_LANE
from artifact_index.credentials.tokens.attempt import Mint, attempt, unexpected
from artifact_index.credentials.tokens.entry import TokenEntry
from artifact_index.credentials.tokens.lanes import Lanes
from artifact_index.credentials.tokens.rate_limit import RateLimiter
from artifact_index.instrumentation import Meter

MINTS_PER_SECOND: Final = 10
"""Mints that begin in one second at most. CodeArtifact answers 40 for an account and region."""


class Minting:
    """The mints that wait for their turn, and those that are under way.

    `grant`, `deadline` and `per_second` are the token manager's. `on_outcome` gets each login with
    what     became of its mint, also of one that was cancelled.
    """

    def __init__(
        self,
        *,
        grant: Mint,
        deadline: float,
        per_second: int,
        on_outcome: Callable[[TokenEntry, Token | LoginError], None],
        meter: Meter,
    ) -> None:
        self._grant = grant
        self._deadline = deadline
        self._turns = RateLimiter(per_second)
        self._on_outcome = on_outcome
        self._meter = meter
        # A token waits for no more of them, and ten thousand tasks that wait would be 40 MiB.
        self._urls = Lanes(CALLS_PER_LANE)
        self._waiting: dict[str, TokenEntry] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = False

    def queue(self, login: TokenEntry, now: float) -> None:
        """Let it wait for a turn; `begin` is to follow once everything that is due waits.

        A repository's URL is no token: it is asked for once, no quota of tokens counts it, and
        `begin` is to follow after each outcome.
        """
        if self.closed:
            return
        login.queued = True
        self._waiting[login.digest] = login
        if isinstance(login.request, CodeArtifactEndpointRequest):
            self._urls.wait(lane(login.request), login.digest)
        else:
            self._turns.wait(login.digest, login.loses_at(now))

    def forget(self, login: TokenEntry) -> None:
        """Nobody wants it any more: it waits no longer."""
        self._turns.forget(login.digest)
        self._urls.forget(login.digest)
        self._waiting.pop(login.digest, None)
        login.queued = False

    def begin(self, now: float) -> None:
        """Start every mint whose turn has come; `now` is wall-clock time."""
        clock = asyncio.get_running_loop().time()
        while not self.closed and (digest := self._turns.take(clock) or self._urls.take()):
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
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks)
        return bool(tasks)

    async def close(self) -> None:
        """Give up all mints. Nothing is minted afterwards."""
        self.closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, login: TokenEntry, request: TokenRequest, now: float) -> None:
        if isinstance(request, CodeArtifactEndpointRequest):
            self._urls.enter(lane(request))
        late_by = None if login.planned_at is None else now - login.planned_at
        login.begin_attempt(now)
        task = asyncio.create_task(self._mint(login, request, login.material, late_by))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _mint(
        self, login: TokenEntry, request: TokenRequest, material: KeyMaterial, late_by: float | None
    ) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        outcome: Token | LoginError = unexpected()
        try:
            outcome = await attempt(self._grant, request, material, deadline=self._deadline)
        finally:  # a mint that was cancelled is settled too, or its login would wait for ever
            if isinstance(request, CodeArtifactEndpointRequest):
                self._urls.leave(lane(request))
            self._on_outcome(login, outcome)
        took = clock() - begun
        result = outcome.reason if isinstance(outcome, LoginError) else "ok"
        self._meter.cloud_answered(provider=request.provider, result=result, seconds=took)
        # An answer may be no successor; and what is asked for ahead of its time is not late.
        if login.grant is outcome and late_by is not None and late_by >= 0:
            self._meter.refreshed(provider=request.provider, late=late_by + took)
