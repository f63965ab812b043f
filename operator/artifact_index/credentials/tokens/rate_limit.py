"""The rate at which clouds are asked: so many calls in a second, the most urgent first."""

import heapq
import itertools
import math
from collections import deque
from typing import Final

_SECOND: Final = 1.0


class RateLimiter:
    """A priority queue that releases at most `per_second` keys in any one second.

    Times are seconds of a monotonic clock; a lower priority value goes first. A key is queued once;
    adding it again changes nothing.
    """

    def __init__(self, per_second: int) -> None:
        self._released: deque[float] = deque(maxlen=per_second)
        self._queued: dict[str, int] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._queued)

    def add(self, key: str, priority: float) -> None:
        """Queue a key."""
        if key not in self._queued:
            self._queued[key] = number = next(self._order)
            heapq.heappush(self._heap, (priority, number, key))

    def discard(self, key: str) -> None:
        """Take a key off the queue, if it is on it."""
        self._queued.pop(key, None)

    def pop(self, now: float) -> str | None:
        """The most urgent key, if one may be released now."""
        while self._heap and self._queued.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)
        if not self._heap or now < self._next_release(now):
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._queued[key]
        self._released.append(now)
        return key

    def next_at(self, now: float) -> float:
        """When the next key may be released; infinity while none is queued."""
        return self._next_release(now) if self._queued else math.inf

    def _next_release(self, now: float) -> float:
        if len(self._released) < (self._released.maxlen or 1):
            return now
        return max(now, self._released[0] + _SECOND)
