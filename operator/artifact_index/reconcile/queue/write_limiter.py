"""Limits the rate of writes to the API server; while writes wait, the first by priority goes."""

import asyncio
import heapq
import itertools
from typing import Final

OUTPUT, STATUS, EVENT = range(3)
_WHOLE: Final = 1 - 1e-9  # a whole token, less the error of rounding


class WriteLimiter:
    """A token bucket: `burst` writes at once, `per_second` on average; 0 means no limit.

    Outputs go before statuses and statuses before events. Among outputs, the one whose token must
    be withdrawn first goes first. Requests that the client repeats because the server did not act
    on them are not counted.
    """

    def __init__(self, per_second: float = 0, burst: int = 1) -> None:
        self._per_second = per_second
        self._burst: Final = float(burst)
        self._tokens = self._burst
        self._filled_at = -float("inf")
        self._waiting: list[tuple[int, float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, rank: int, priority: float = 0.0) -> None:
        """Wait until an OUTPUT, a STATUS or an EVENT may be written.

        The lowest priority goes first, as in the queue.
        """
        if not self._per_second:
            return
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, priority, next(self._order), admitted))
        if self._timer is None:
            self._admit()
        await admitted

    def _admit(self) -> None:
        """Let as many writes go as there are tokens, and set a timer for the next token."""
        loop = asyncio.get_running_loop()
        self._timer = None
        now = loop.time()
        filled = self._tokens + (now - self._filled_at) * self._per_second
        self._tokens, self._filled_at = min(self._burst, filled), now
        while self._waiting and self._tokens >= _WHOLE:
            *_, admitted = heapq.heappop(self._waiting)
            # A write that was cancelled while it waited uses no token.
            if not admitted.done():
                admitted.set_result(None)
                self._tokens -= 1
        if self._waiting:
            delay = (1 - self._tokens) / self._per_second
            self._timer = loop.call_later(delay, self._admit)
