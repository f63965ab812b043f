"""The workqueue: one entry per object, debounced, rate limited after failures, by priority."""

import asyncio
import heapq
import itertools
import random
import sys
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from artifact_index.reconcile.cache.cache import Key
from artifact_index.reconcile.queue.namespace_queue import NamespaceQueue

DEBOUNCE: Final = 0.05
"""Seconds for which changes of one object are collected into one reconcile."""

_FIRST_RETRY: Final = 0.5
_LONGEST_RETRY: Final = 120.0

_SLOW: Final = 1.0
"""Seconds after which a reconcile counts as slow: a webhook or a read holds it up."""

_LOOK_EVERY: Final = 0.02

_WRITE_OUTPUTS: Final = "IndexOptions", "ClusterOutputs"


class WorkQueue:
    """Keys to be reconciled.

    A key stands in the queue at most once and is never handed to two workers at a time: a key that
    is added while a worker has it becomes ready again when that worker is done. Keys of
    IndexOptions come first, since only they write outputs. Namespaces take turns, and within one
    `priority` orders the keys, lowest first.

    With `workers`, their number, a namespace has at most as many as stay free for the others: half
    of them, fewer if others work, too. A namespace whose writes take long never has them all.
    """

    def __init__(
        self, *, priority: Callable[[Key], float], rng: random.Random, workers: int | None = None
    ) -> None:
        self._priority = priority
        self._rng = rng
        self._workers = workers
        self._due: dict[Key, float] = {}
        self._delayed: list[tuple[float, int, Key]] = []
        self._ready: NamespaceQueue[Key] = NamespaceQueue()
        self._queued: dict[Key, float] = {}  # ready since, on the loop's clock; oldest first
        self._working: dict[Key, float] = {}  # since when, on the loop's clock
        self._working_in: Counter[str] = Counter()
        self._again: set[Key] = set()
        self._requeues: dict[Key, int] = {}
        self._order = itertools.count()
        self._starting = asyncio.Lock()
        self._timer: tuple[float, asyncio.Handle] | None = None
        self._idle: deque[asyncio.Future[None]] = deque()  # the workers that wait in `get`

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
            self._set_timer()

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
        """Wait for a ready key and take the first one; the caller has it until `done`."""
        while (key := self._ready.pop(self._may_start)) is None:
            woken = asyncio.get_running_loop().create_future()
            self._idle.append(woken)
            try:
                await woken
            except asyncio.CancelledError:
                if not woken.cancelled():
                    self._wake_worker()
                raise
        del self._queued[key]
        self._working[key] = asyncio.get_running_loop().time()
        self._working_in[key.ref.namespace] += 1
        if key.kind == "IndexOptions":
            try:
                # At most one reconcile of an IndexOptions starts per iteration of the event loop:
                # otherwise sixteen workers with large files would block it in one go.
                async with self._starting:
                    await asyncio.sleep(0)
            except asyncio.CancelledError:
                # Nobody gets it now, and whoever leads again must.
                self.done(key)
                self.add_after(key, 0)
                raise
        return key

    async def taken(self, *, but: int = 0) -> None:
        """Wait until at most `but` ready keys wait for a worker, and others in slow namespaces.

        In a slow one no reconcile has begun within the last second, and some are in progress. A key
        of cluster scope is always waited for: it may have a thousand namespaces enqueued.
        """
        while self._waiting_elsewhere(self._slow_namespaces()) > but:  # noqa: ASYNC110 - once a start
            await asyncio.sleep(_LOOK_EVERY)

    async def outlasted(self, seconds: float) -> None:
        """Wait until a namespace has been done for so long with what is ready now, another not.

        Never returns where all of them are done within that time, or there is only one.
        """
        clock = asyncio.get_running_loop().time
        namespaces = waiting = set(self._ready.waiting())
        first_done = clock()
        while not waiting or len(waiting) == len(namespaces) or clock() < first_done + seconds:
            if len(waiting) == len(namespaces):
                first_done = clock()
            await asyncio.sleep(_LOOK_EVERY)
            waiting = waiting & {*self._ready.waiting(), *self._working_in}

    def done(self, key: Key) -> None:
        """Give the key back after `get`, whether or not the reconcile succeeded.

        The worker then calls `get` again: nobody else is woken for the key that may start now.
        """
        del self._working[key]
        namespace = key.ref.namespace
        self._working_in[namespace] -= 1
        if not self._working_in[namespace]:
            del self._working_in[namespace]
        if key in self._again:
            self._again.discard(key)
            self.add_after(key, 0)

    def _may_start(self, namespace: str) -> bool:
        if self._workers is None:
            return True
        return self._working_in[namespace] < self._workers - len(self._working)

    def _waiting_elsewhere(self, namespaces: set[str]) -> int:
        waiting = self._ready.waiting()
        if "" not in namespaces and ("" in waiting or "" in self._working_in):
            return sys.maxsize
        return sum(count for each, count in waiting.items() if each not in namespaces)

    def _slow_namespaces(self) -> set[str]:
        """The namespaces that have workers, and none of them for less than `_SLOW`."""
        recent = asyncio.get_running_loop().time() - _SLOW
        lately = {key.ref.namespace for key, since in self._working.items() if since > recent}
        return self._working_in.keys() - lately

    def _wake_worker(self) -> None:
        while self._idle:
            woken = self._idle.popleft()
            if not woken.done():
                woken.set_result(None)
                return

    def _make_ready(self, key: Key) -> None:
        if key in self._working:
            self._again.add(key)
        elif key not in self._queued:
            self._queued[key] = asyncio.get_running_loop().time()
            rank = 0 if key.kind in _WRITE_OUTPUTS else 1
            self._ready.push(key.ref.namespace, rank, self._priority(key), key)
            if self._may_start(key.ref.namespace):
                self._wake_worker()

    def _set_timer(self) -> None:
        """Have the delayed keys made ready once the first of them is due."""
        if not self._delayed:
            return
        due = self._delayed[0][0]
        if self._timer is not None:
            at, handle = self._timer
            if at <= due:
                return
            handle.cancel()
        self._timer = due, asyncio.get_running_loop().call_at(due, self._promote, due)

    def _promote(self, until: float) -> None:
        self._timer = None
        now = max(until, asyncio.get_running_loop().time())
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            # A key that got an earlier deadline meanwhile left this entry behind.
            if self._due.get(key) == due:
                del self._due[key]
                self._make_ready(key)
        self._set_timer()
