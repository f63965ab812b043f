"""A heap of due times with one entry for each key."""

import heapq
import math


class Timers:
    """At most one time for each key; moving a key costs one push, however many there are."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, key: str, at: float) -> None:
        """Set or move the key's time (any scale); infinity removes the key."""
        if at == self._times.get(key, math.inf):
            return
        if at == math.inf:
            del self._times[key]
            return
        self._times[key] = at
        heapq.heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._times) + 64:
            self._heap = [(time, name) for name, time in self._times.items()]
            heapq.heapify(self._heap)

    def next_at(self) -> float:
        """The earliest time of all; infinity if there is none."""
        self._drop_moved()
        return self._heap[0][0] if self._heap else math.inf

    def take_due(self, now: float) -> list[str]:
        """Remove and return every key whose time has come, earliest first."""
        due = []
        while self.next_at() <= now:
            _, key = heapq.heappop(self._heap)
            del self._times[key]
            due.append(key)
        return due

    def _drop_moved(self) -> None:
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
