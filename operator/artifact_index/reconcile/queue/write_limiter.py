"""How fast the API server is written to: so much in a second, and the most urgent write first."""

import asyncio
import heapq
import itertools
from typing import Final

_OUTPUT, _STATUS, _EVENT = range(3)
_WHOLE: Final = 1 - 1e-9  # what rounding may leave of one


class WriteLimiter:
    """A token bucket: `burst` writes at once, and `per_second` of them in the long run.

    0 for `per_second` sets no bound. While writes wait, outputs go before statuses, and statuses
    before events; among outputs, the one whose token has to be withdrawn first. The client's own
    repetitions of a request that the server did not act on are not counted.
    """

    def __init__(self, per_second: float = 0, burst: int = 1) -> None:
        self._per_second = per_second
        self._burst: Final = float(burst)
        self._tokens = self._burst
        self._filled_at = -float("inf")
        self._waiting: list[tuple[int, float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def output(self, priority: float) -> None:
        """Wait for the turn of an output; less is more urgent, as in the queue."""
        await self._turn(_OUTPUT, priority)

    async def status(self) -> None:
        """Wait for the turn of a status."""
        await self._turn(_STATUS, 0)

    async def event(self) -> None:
        """Wait for the turn of an event."""
        await self._turn(_EVENT, 0)

    async def _turn(self, rank: int, priority: float) -> None:
        if not self._per_second:
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, priority, next(self._order), turn))
        if self._timer is None:
            self._serve()
        await turn

    def _serve(self) -> None:
        """Give the turns that there are, and come back for the next one."""
        loop = asyncio.get_running_loop()
        self._timer = None
        now = loop.time()
        filled = self._tokens + (now - self._filled_at) * self._per_second
        self._tokens, self._filled_at = min(self._burst, filled), now
        while self._waiting and self._tokens >= _WHOLE:
            *_, turn = heapq.heappop(self._waiting)
            # Whoever was cancelled while it waited takes no turn from the others.
            if not turn.done():
                turn.set_result(None)
                self._tokens -= 1
        if self._waiting:
            delay = (1 - self._tokens) / self._per_second
            self._timer = loop.call_later(delay, self._serve)
