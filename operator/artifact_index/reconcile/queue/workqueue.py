"""The workqueue: one entry per object, debounced, rate limited after failures, by priority."""

import asyncio
import contextlib
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Final

from artifact_index.reconcile.cache.cache import Key

DEBOUNCE: Final = 0.05
"""Seconds for which changes of one object are collected into one reconcile."""

_FIRST_RETRY: Final = 0.5
_LONGEST_RETRY: Final = 120.0


class WorkQueue:
    """Keys to be reconciled.

    A key stands in the queue at most once and is never handed to two workers at a time: a key that
    is added while a worker has it becomes ready again when that worker is done. Keys of
    IndexOptions come first, since only they write outputs; `priority` orders them, lowest first.
    """

    def __init__(self, *, priority: Callable[[Key], float], rng: random.Random) -> None:
        self._priority = priority
        self._rng = rng
        self._due: dict[Key, float] = {}
        self._delayed: list[tuple[float, int, Key]] = []
        self._ready: list[tuple[int, float, int, Key]] = []
        self._queued: dict[Key, float] = {}  # ready since, on the loop's clock; oldest first
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._requeues: dict[Key, int] = {}
        self._order = itertools.count()
        self._starting = asyncio.Lock()
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queued) + len(self._due)

    @property
    def depth(self) -> int:
        """How many keys wait for a worker. Keys with a delay count once they are due."""
        return len(self._queued)

    @property
    def oldest_age(self) -> float:
        """Seconds for which the oldest ready key has waited for a worker; 0.0 if there is none."""
        oldest = next(iter(self._queued.values()), None)
        return 0.0 if oldest is None else asyncio.get_running_loop().time() - oldest

    @property
    def idle(self) -> bool:
        """True if no key is ready and no worker has one. Delayed keys do not count."""
        return not self._queued and not self._working and not self._again

    def add_after(self, key: Key, delay: float) -> None:
        """Enqueue the key after `delay` seconds; an earlier deadline wins."""
        if key in self._queued:
            return
        due = asyncio.get_running_loop().time() + delay
        if delay <= 0:
            self._due.pop(key, None)
            self._make_ready(key)
        elif self._due.get(key, float("inf")) <= due:
            return
        else:
            self._due[key] = due
            heapq.heappush(self._delayed, (due, next(self._order), key))
        self._wake.set()

    def add_rate_limited(self, key: Key, at_least: float = 0.0) -> float:
        """Enqueue the key after its back-off and return that delay in seconds.

        The back-off is exponential with jitter, from half a second to two minutes. `at_least` is
        the delay that the API server asked for (Retry-After).
        """
        requeues = self._requeues.get(key, 0)
        self._requeues[key] = requeues + 1
        ceiling = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(requeues, 16))
        delay: float = max(at_least, ceiling * self._rng.uniform(0.5, 1.0))
        self.add_after(key, delay)
        return delay

    def is_busy(self, key: Key) -> bool:
        """Whether a worker has the key, or the next free worker could take it."""
        return key in self._working or key in self._queued

    def num_requeues(self, key: Key) -> int:
        """How often the key was added rate limited since it was last forgotten."""
        return self._requeues.get(key, 0)

    def forget(self, key: Key) -> None:
        """Reset the back-off: the next failure starts from the shortest delay."""
        self._requeues.pop(key, None)

    async def get(self) -> Key:
        """Wait for a ready key and take the first by priority; the caller has it until `done`."""
        while True:
            self._promote()
            if self._ready:
                rank, _, _, key = heapq.heappop(self._ready)
                del self._queued[key]
                self._working.add(key)
                if rank == 0:
                    # At most one reconcile of an IndexOptions starts per iteration of the event
                    # loop: otherwise sixteen workers with large files would block it in one go.
                    async with self._starting:
                        await asyncio.sleep(0)
                return key
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._delayed[0][0] if self._delayed else None):
                    await self._wake.wait()

    async def settled(self) -> None:
        """Wait until the queue is idle."""
        while not self.idle:
            self._drained.clear()
            await self._drained.wait()

    def done(self, key: Key) -> None:
        """Give the key back after `get`, whether or not the reconcile succeeded."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add_after(key, 0)
        if self.idle:
            self._drained.set()

    def _make_ready(self, key: Key) -> None:
        if key in self._working:
            self._again.add(key)
        elif key not in self._queued:
            self._queued[key] = asyncio.get_running_loop().time()
            rank = 0 if key.kind == "IndexOptions" else 1
            heapq.heappush(self._ready, (rank, self._priority(key), next(self._order), key))

    def _promote(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            # A key that got an earlier deadline meanwhile left this entry behind.
            if self._due.get(key) == due:
                del self._due[key]
                self._make_ready(key)
