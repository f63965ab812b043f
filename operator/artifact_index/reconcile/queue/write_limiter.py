"""Limits the rate of writes to the API server; writes that wait go by rank, turn and priority."""

import asyncio
from typing import Final

from artifact_index.reconcile.queue.namespace_queue import NamespaceQueue

OUTPUT, STATUS, EVENT = range(3)
_WHOLE: Final = 1 - 1e-9  # a whole token, less the error of rounding


class WriteLimiter:
    """A token bucket: `burst` writes at once, `per_second` on average; 0 means no limit.

    Outputs go before statuses and statuses before events. Among equals the namespaces take turns,
    each with the output whose token must be withdrawn first. Requests that the client repeats
    because the server did not act on them are not counted.
    """

    def __init__(self, per_second: float = 0, burst: int = 1) -> None:
        self._per_second = per_second
        self._burst: Final = float(burst)
        self._tokens = self._burst
        self._filled_at = -float("inf")
        self._waiting: NamespaceQueue[asyncio.Future[None]] = NamespaceQueue()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, rank: int, namespace: str, priority: float = 0.0) -> None:
        """Wait until an OUTPUT, a STATUS or an EVENT of the namespace may be written.

        The lowest priority goes first, as in the queue.
        """
        if not self._per_second:
            return
        loop = asyncio.get_running_loop()
        if self._timer is None:
            # Nobody waits.
            self._fill(loop.time())
            if self._tokens >= _WHOLE:
                self._tokens -= 1
                return
        admitted = loop.create_future()
        self._waiting.push(namespace, rank, priority, admitted)
        if self._timer is None:
            self._set_timer(loop)
        await admitted

    def _fill(self, now: float) -> None:
        filled = self._tokens + (now - self._filled_at) * self._per_second
        self._tokens, self._filled_at = min(self._burst, filled), now

    def _admit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let as many writes go as there are tokens, and set a timer for the next token."""
        self._timer = None
        self._fill(loop.time())
        while self._tokens >= _WHOLE and (admitted := self._waiting.pop()) is not None:
            # A write that was cancelled while it waited uses no token.
            if not admitted.done():
                admitted.set_result(None)
                self._tokens -= 1
        if self._waiting:
            self._set_timer(loop)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        delay = (1 - self._tokens) / self._per_second
        self._timer = loop.call_later(delay, self._admit, loop)
