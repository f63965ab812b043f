"""The places for cloud calls: so many in all and for each service, shared among tenants."""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable
from typing import Final, NamedTuple, TypeVar

from artifact_index.credentials.errors import LoginError

TIMEOUTS: Final = 3
"""Calls in a row that time out until a tenant's calls to the service are suspended."""

PAUSE: Final = 30.0
"""Seconds for which they are. Then a single call finds out whether the service answers again."""

REMEMBERED_FOR: Final = 600.0
"""Seconds after which a timeout is forgotten if nobody has called the service since."""

_Key = TypeVar("_Key", bound=Hashable)


class Lane(NamedTuple):
    """The calls of one tenant to one service.

    A tenant can make a healthy service slow for its own logins, such as by an identity provider
    that hangs. So it is a lane that is suspended, never a service for everyone.
    """

    tenant: Hashable
    service: str


class _Timeouts(NamedTuple):
    in_a_row: int
    last_at: float
    error: LoginError


class Places:
    """At most `total` calls at once, and `per_service` to one service. Times are the loop's.

    - Those who wait take turns by tenant, then by service.
    - A tenant gets another place while more are free than it holds: the first one gets half of
      them at most, the next one half of the rest.
    - Services whose last call timed out hold at most half of the places together.
    - A lane has one place after a timeout, until a call of it is answered. After several timeouts
      in a row it has none for a while, and its calls fail at once.
    """

    def __init__(self, total: int, per_service: int) -> None:
        self._free = total
        self._for_slow = max(1, total // 2)
        self._per_service = per_service
        self._by_tenant: Counter[Hashable] = Counter()
        self._by_service: Counter[str] = Counter()
        self._by_lane: Counter[Lane] = Counter()
        self._waiting: dict[Hashable, dict[str, deque[asyncio.Future[None]]]] = {}
        self._timeouts: dict[Lane | str, _Timeouts] = {}  # the oldest first

    async def take(self, lane: Lane) -> None:
        """Wait for a place, which `release` gives back. Raises LoginError in a suspended lane."""
        loop = asyncio.get_running_loop()
        self._forget_timeouts(loop.time())
        if (error := self._suspended(lane, loop.time())) is not None:
            raise error
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(lane.tenant, {}).setdefault(lane.service, deque()).append(turn)
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self.release(lane)  # it was handed out just before
            else:
                self._leave(lane, turn)
            raise

    def release(self, lane: Lane) -> None:
        """Give a place back to those who wait."""
        self._free += 1
        _decrement(self._by_tenant, lane.tenant)
        _decrement(self._by_service, lane.service)
        _decrement(self._by_lane, lane)
        self._hand_out()

    def answered(self, lane: Lane) -> None:
        """A call was answered, be it by a refusal."""
        self._timeouts.pop(lane, None)
        self._timeouts.pop(lane.service, None)

    def timed_out(self, lane: Lane, error: LoginError) -> None:
        """A call timed out with this error; also what waits in a lane that is now suspended."""
        now = asyncio.get_running_loop().time()
        for key in (lane, lane.service):
            before = self._timeouts.pop(key, None)
            in_a_row = before.in_a_row + 1 if before is not None else 1
            self._timeouts[key] = _Timeouts(in_a_row, now, error)
        if (suspended := self._suspended(lane, now)) is None:
            return
        for turn in list(self._waiting.get(lane.tenant, {}).get(lane.service, ())):
            self._leave(lane, turn)
            if not turn.done():
                turn.set_exception(suspended)

    def _suspended(self, lane: Lane, now: float) -> LoginError | None:
        """The error of a call to a suspended lane: that of its last call, and when to come back."""
        last = self._timeouts.get(lane)
        if last is None or last.in_a_row < TIMEOUTS or now >= last.last_at + PAUSE:
            return None
        retry_after = last.last_at + PAUSE - now
        return LoginError(last.error.reason, last.error.message, retry_after=retry_after)

    def _hand_out(self) -> None:
        """Hand out the free places to those who wait and may have one."""
        while (lane := self._next_lane()) is not None:
            services = self._waiting.pop(lane.tenant)
            turns = services.pop(lane.service)
            turn = turns.popleft()
            # The next turns of the tenant, and of this service in it, come after all others.
            if turns:
                services[lane.service] = turns
            if services:
                self._waiting[lane.tenant] = services
            if not turn.done():
                self._free -= 1
                self._by_tenant[lane.tenant] += 1
                self._by_service[lane.service] += 1
                self._by_lane[lane] += 1
                turn.set_result(None)

    def _next_lane(self) -> Lane | None:
        held = self._by_service.items()
        held_by_slow = sum(count for service, count in held if service in self._timeouts)
        slow_may = held_by_slow < self._for_slow
        for tenant, services in self._waiting.items():
            if self._by_tenant[tenant] < self._free:
                for service in services:
                    if self._has_place(lane := Lane(tenant, service), slow_may=slow_may):
                        return lane
        return None

    def _has_place(self, lane: Lane, *, slow_may: bool) -> bool:
        """Whether the lane may have a free place; `slow_may`: services that time out may."""
        if self._by_service[lane.service] >= self._per_service:
            return False
        if lane in self._timeouts and self._by_lane[lane]:
            return False
        return slow_may or lane.service not in self._timeouts

    def _leave(self, lane: Lane, turn: asyncio.Future[None]) -> None:
        """Take one who waits out of the line."""
        services = self._waiting.get(lane.tenant, {})
        turns = services.get(lane.service)
        if turns is None or turn not in turns:
            return
        turns.remove(turn)
        if not turns:
            del services[lane.service]
        if not services:
            del self._waiting[lane.tenant]

    def _forget_timeouts(self, now: float) -> None:
        while self._timeouts:
            oldest = next(iter(self._timeouts))
            if now < self._timeouts[oldest].last_at + REMEMBERED_FOR:
                return
            del self._timeouts[oldest]


def _decrement(counts: Counter[_Key], key: _Key) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
