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

_RESERVE: Final = 1 / 5
"""The part of a second's keys that tenants with many leave to those with few, which need not wait
for a turn of their own then. Successors of good tokens can wait: they neither use it nor count, so
that the refreshes of a tenant, which often come together, delay none of its first tokens."""


class RateLimiter:
    """A queue that releases at most `per_second` keys in any one second, in a FairQueue's order.

    After a pause all of them go at once. From then on they are spread over the second, until none
    waits any more. Unless all keys of the last second were one tenant's, some are kept back: a
    tenant that has had fewer than those gets one at once. Times are seconds of a monotonic clock.
    """

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._reserve = math.floor(per_second * _RESERVE)
        self._released: deque[tuple[float, Hashable]] = deque()  # within a second of the last
        self._released_to: dict[Hashable, deque[tuple[float, Rank]]] = {}  # by tenant of these
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
        turn = None
        if now >= self._next_turn(now):
            turn = self._queue.pop(may_go)
        else:
            self._paced = len(self._queue) > 0
            if self._paced and now >= self._next_release(now, self._per_second):
                turn = self._queue.pop(
                    lambda each: self._has_few(each, now) and may_go(each), live=False
                )
        if turn is not None:
            self._note(now, turn)
        self._paced = self._paced and len(self._queue) > 0
        return turn

    def next_at(
        self, now: float, may_go: Callable[[Hashable], bool] = lambda tenant: True
    ) -> float:
        """When a key of those tenants that `may_go` may be released; infinity if none waits.

        Call it after a `pop` that found none.
        """
        urgent = filter(may_go, self._queue.tenants(live=False))
        if any(self._has_few(tenant, now) for tenant in urgent):
            return self._next_release(now, self._per_second)
        return self._next_turn(now) if any(map(may_go, self._queue.tenants())) else math.inf

    def _next_turn(self, now: float) -> float:
        """When a key may be released to a tenant that has many."""
        shared = len(self._released_to) > 1
        most = self._per_second - self._reserve if shared else self._per_second
        at = self._next_release(now, most)
        if self._released and self._paced:
            # In 64ths, of which floats hold sums exactly: a key is never early by a rounding error.
            pace = math.floor(64 * _PACE * _SECOND / most) / 64
            at = max(at, self._released[-1][0] + pace)
        return at

    def _next_release(self, now: float, most: int) -> float:
        """When a key may be released so that no second has more than `most`."""
        if len(self._released) < most:
            return now
        return max(now, self._released[-most][0] + _SECOND)

    def _has_few(self, tenant: Hashable, now: float) -> bool:
        """Whether a tenant beside others has had fewer keys within a second than are kept back."""
        had = self._released_to.get(tenant, ())
        if len(self._released_to) == bool(had):
            return False  # there are no others
        counted = (at for at, rank in had if rank is not Rank.LIVE)
        return sum(at > now - _SECOND for at in counted) < self._reserve

    def _note(self, now: float, turn: Turn) -> None:
        while self._released and self._released[0][0] < now - _SECOND:
            _, oldest = self._released.popleft()
            self._released_to[oldest].popleft()
            if not self._released_to[oldest]:
                del self._released_to[oldest]
        self._released.append((now, turn.tenant))
        self._released_to.setdefault(turn.tenant, deque()).append((now, turn.rank))
