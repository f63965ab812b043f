"""Whose turn it is to ask a cloud: so many in a second, the most urgent first."""

import heapq
import itertools
import math
from collections import deque
from typing import Final

_SECOND: Final = 1.0


class RateLimiter:
    """At most `per_second` turns begin in any one second; whoever loses first goes first.

    Times are seconds of a monotonic clock, urgencies any scale on which less is more urgent. Keys
    wait once; one that waits already keeps its place.
    """

    def __init__(self, per_second: int) -> None:
        self._begun: deque[float] = deque(maxlen=per_second)
        self._waiting: dict[str, int] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, key: str, priority: float) -> None:
        """Ask for a turn."""
        if key not in self._waiting:
            self._waiting[key] = number = next(self._order)
            heapq.heappush(self._heap, (priority, number, key))

    def forget(self, key: str) -> None:
        """Wait no more."""
        self._waiting.pop(key, None)

    def take(self, now: float) -> str | None:
        """The key whose turn begins now, if there is one."""
        while self._heap and self._waiting.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)
        if not self._heap or now < self._next_free(now):
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._waiting[key]
        self._begun.append(now)
        return key

    def next_at(self, now: float) -> float:
        """When the next turn begins; infinity while nobody waits."""
        return self._next_free(now) if self._waiting else math.inf

    def _next_free(self, now: float) -> float:
        if len(self._begun) < (self._begun.maxlen or 1):
            return now
        return max(now, self._begun[0] + _SECOND)
