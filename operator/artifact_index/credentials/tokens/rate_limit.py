"""The rate at which clouds are asked: so many calls in a second, shared by those that wait."""

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Final

from artifact_index.credentials.fair_queue import FairQueue, Rank, Turn

_SECOND: Final = 1.0

_PACE: Final = 0.9
"""The part of their second over which keys that have to wait are spread: ten at once would have the
next one wait for a whole second, however urgent it is. The rest makes up for late timers."""


class RateLimiter:
    """A queue that releases at most `per_second` keys in any one second, in a FairQueue's order.

    After a pause all of them go at once. From then on they are spread over the second, until none
    waits any more. Times are seconds of a monotonic clock.
    """

    def __init__(self, per_second: int) -> None:
        self._released: deque[float] = deque(maxlen=per_second)
        # In 64ths, of which floats hold sums exactly: a key is never early by a rounding error.
        self._pace = math.floor(64 * _PACE * _SECOND / per_second) / 64
        self._paced = False
        self._queue = FairQueue()

    def __len__(self) -> int:
        return len(self._queue)

    def add(
        self, key: str, priority: float, tenants: Iterable[Hashable], rank: Rank = Rank.FIRST
    ) -> None:
        """Queue a key. A queued one keeps its place, and further tenants wait for it, too."""
        self._queue.add(key, priority, tenants, rank)

    def discard(self, key: str) -> None:
        """Take a key off the queue, if it is on it."""
        self._queue.discard(key)

    def pop(self, now: float, may_go: Callable[[Hashable], bool]) -> Turn | None:
        """The next key of those tenants that `may_go`, if one may be released now."""
        if now < self._next_release(now):
            self._paced = len(self._queue) > 0
            return None
        turn = self._queue.pop(may_go)
        if turn is not None:
            self._released.append(now)
        self._paced = self._paced and len(self._queue) > 0
        return turn

    def next_at(self, now: float) -> float:
        """When the next key may be released; infinity while none is queued."""
        return self._next_release(now) if len(self._queue) else math.inf

    def _next_release(self, now: float) -> float:
        if self._released and self._paced:
            now = max(now, self._released[-1] + self._pace)
        if len(self._released) < (self._released.maxlen or 1):
            return now
        return max(now, self._released[0] + _SECOND)
