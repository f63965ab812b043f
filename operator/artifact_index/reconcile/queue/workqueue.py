"""The work queue: one entry per object, debounced, with back-off and an order of urgency."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Final

from artifact_index.reconcile.cache.cache import Key

DEBOUNCE: Final = 0.05
"""Seconds in which changes of one object are gathered into one pass."""

_FIRST_RETRY: Final = 0.5
_LONGEST_RETRY: Final = 120.0


class WorkQueue:
    """Keys to be reconciled.

    A key stands in the queue at most once and is never handed to two workers at a time: one that
    is added while it is being worked on comes again afterwards. Outputs go before statuses and,
    among outputs, what has little life left goes first: `priority` gives an IndexOptions' order,
    and every ArtifactIndex comes after them.
    """

    def __init__(
        self, *, priority: Callable[[Key], float], rng: random.Random | None = None
    ) -> None:
        self._priority = priority
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not cryptography
        self._due: dict[Key, float] = {}
        self._delayed: list[tuple[float, int, Key]] = []
        self._ready: list[tuple[int, float, int, Key]] = []
        self._queued: dict[Key, float] = {}  # since when it is ready, in that order
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._order = itertools.count()
        self._beginning = asyncio.Lock()
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queued) + len(self._due)

    @property
    def depth(self) -> int:
        """How many keys wait for a worker; those that are due later are not among them."""
        return len(self._queued)

    @property
    def oldest_age(self) -> float:
        """Seconds for which the key has waited for a worker that has waited longest."""
        oldest = next(iter(self._queued.values()), None)
        return 0.0 if oldest is None else asyncio.get_running_loop().time() - oldest

    @property
    def idle(self) -> bool:
        """Nothing is being worked on, and nothing is due before a set time."""
        return not self._queued and not self._working and not self._again

    def add(self, key: Key, delay: float = DEBOUNCE) -> None:
        """Ask for a pass over the object after `delay` seconds, or sooner if one is due sooner."""
        if key in self._queued:
            return
        due = asyncio.get_running_loop().time() + delay
        if delay > 0 and self._due.get(key, float("inf")) <= due:
            return
        if delay <= 0:
            self._due.pop(key, None)
            self._make_ready(key)
        else:
            self._due[key] = due
            heapq.heappush(self._delayed, (due, next(self._order), key))
        self._wake.set()

    def retry(self, key: Key, at_least: float = 0.0) -> float:
        """Ask for another pass after a failure; returns the seconds until then.

        Exponential with jitter, from half a second to two minutes; `at_least` is what the API
        server asked for.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        ceiling = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(failures, 16))
        delay: float = max(at_least, ceiling * self._rng.uniform(0.5, 1.0))
        self.add(key, delay)
        return delay

    def is_busy(self, key: Key) -> bool:
        """Whether a pass over the object is under way, or about to be."""
        return key in self._working or key in self._queued

    def failures(self, key: Key) -> int:
        """How many passes over the object have failed in a row."""
        return self._failures.get(key, 0)

    def forget_failures(self, key: Key) -> None:
        """A pass went well: the next failure starts from the shortest wait."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The most urgent key; it is the caller's until `done`."""
        while True:
            self._promote()
            if self._ready:
                rank, _, _, key = heapq.heappop(self._ready)
                del self._queued[key]
                self._working.add(key)
                if rank == 0:
                    await self._turn()
                return key
            self._wake.clear()
            await self._sleep_until_next()

    async def _turn(self) -> None:
        """One pass over a file begins in a round of the loop: sixteen large ones would hold it."""
        async with self._beginning:
            await asyncio.sleep(0)

    async def settled(self) -> None:
        """Wait until everything that was ready has been worked on."""
        while not self.idle:
            self._drained.clear()
            await self._drained.wait()

    def done(self, key: Key) -> None:
        """The caller has finished with the key."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key, 0)
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
            # A key that was asked for sooner in the meantime left a stale entry behind.
            if self._due.get(key) == due:
                del self._due[key]
                self._make_ready(key)

    async def _sleep_until_next(self) -> None:
        timeout = None
        if self._delayed:
            timeout = max(0.0, self._delayed[0][0] - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return
