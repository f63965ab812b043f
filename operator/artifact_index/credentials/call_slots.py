"""The slots for cloud calls: so many in all and for each service, shared among tenants."""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable
from contextvars import ContextVar
from typing import Final, NamedTuple, TypeVar

from artifact_index.credentials.errors import LoginError

TENANT: Final[ContextVar[Hashable]] = ContextVar("tenant", default=None)
"""Whose share the running cloud call uses."""

TIMEOUTS: Final = 3
"""Calls in a row that time out until a tenant's calls to the service are suspended."""

PAUSE: Final = 30.0
"""Seconds for which they are. Then a single call finds out whether the service answers again."""

REMEMBERED_FOR: Final = 600.0
"""Seconds after which a timeout is forgotten if nobody has called the service since."""

_Key = TypeVar("_Key", bound=Hashable)


class Flow(NamedTuple):
    """The calls of one tenant to one service.

    A tenant can make a healthy service slow for its own logins, such as by an identity provider
    that hangs. So it is a flow that is suspended, never a service for everyone.
    """

    tenant: Hashable
    service: str


class _Timeouts(NamedTuple):
    in_a_row: int
    last_at: float
    error: LoginError


class CallSlots:
    """At most `total` calls at once, and `per_service` to one service. Times are the loop's.

    - Those who wait take turns by tenant, then by service.
    - A tenant gets another slot while more are free than it holds: the first one gets half of
      them at most, the next one half of the rest.
    - Services whose last call timed out hold at most half of the slots together.
    - A flow has one slot after a timeout, until a call of it is answered. After several timeouts
      in a row it has none for a while, and its calls fail at once.
    """

    def __init__(self, total: int, per_service: int) -> None:
        self._free = total
        self._for_slow = max(1, total // 2)
        self._per_service = per_service
        self._by_tenant: Counter[Hashable] = Counter()
        self._by_service: Counter[str] = Counter()
        self._by_flow: Counter[Flow] = Counter()
        self._waiting: dict[Hashable, dict[str, deque[asyncio.Future[None]]]] = {}
        self._timeouts: dict[Flow | str, _Timeouts] = {}  # the oldest first

    async def take(self, flow: Flow) -> None:
        """Wait for a slot, which `release` gives back. Raises LoginError in a suspended flow."""
        loop = asyncio.get_running_loop()
        self._forget_timeouts(loop.time())
        if (error := self._suspended(flow, loop.time())) is not None:
            raise error
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(flow.tenant, {}).setdefault(flow.service, deque()).append(turn)
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:
                self.release(flow)  # it was handed out just before
            else:
                self._leave(flow, turn)
            raise

    def release(self, flow: Flow) -> None:
        """Give a place back to those who wait."""
        self._free += 1
        _decrement(self._by_tenant, flow.tenant)
        _decrement(self._by_service, flow.service)
        _decrement(self._by_flow, flow)
        self._hand_out()

    def answered(self, flow: Flow) -> None:
        """A call was answered, be it by a refusal."""
        self._timeouts.pop(flow, None)
        self._timeouts.pop(flow.service, None)

    def timed_out(self, flow: Flow, error: LoginError) -> None:
        """A call timed out with this error; also what waits in a flow that is now suspended."""
        now = asyncio.get_running_loop().time()
        for key in (flow, flow.service):
            before = self._timeouts.pop(key, None)
            in_a_row = before.in_a_row + 1 if before is not None else 1
            self._timeouts[key] = _Timeouts(in_a_row, now, error)
        if (suspended := self._suspended(flow, now)) is None:
            return
        for turn in list(self._waiting.get(flow.tenant, {}).get(flow.service, ())):
            self._leave(flow, turn)
            if not turn.done():
                turn.set_exception(suspended)

    def _suspended(self, flow: Flow, now: float) -> LoginError | None:
        """The error of a call to a suspended flow: that of its last call, and when to come back."""
        last = self._timeouts.get(flow)
        if last is None or last.in_a_row < TIMEOUTS or now >= last.last_at + PAUSE:
            return None
        retry_after = last.last_at + PAUSE - now
        return LoginError(last.error.reason, last.error.message, retry_after=retry_after)

    def _hand_out(self) -> None:
        """Hand out the free slots to those who wait and may have one."""
        while (flow := self._next_flow()) is not None:
            services = self._waiting.pop(flow.tenant)
            turns = services.pop(flow.service)
            turn = turns.popleft()
            # The next turns of the tenant, and of this service in it, come after all others.
            if turns:
                services[flow.service] = turns
            if services:
                self._waiting[flow.tenant] = services
            if not turn.done():
                self._free -= 1
                self._by_tenant[flow.tenant] += 1
                self._by_service[flow.service] += 1
                self._by_flow[flow] += 1
                turn.set_result(None)

    def _next_flow(self) -> Flow | None:
        held = self._by_service.items()
        held_by_slow = sum(count for service, count in held if service in self._timeouts)
        slow_may = held_by_slow < self._for_slow
        for tenant, services in self._waiting.items():
            if self._by_tenant[tenant] < self._free:
                for service in services:
                    if self._has_slot(flow := Flow(tenant, service), slow_may=slow_may):
                        return flow
        return None

    def _has_slot(self, flow: Flow, *, slow_may: bool) -> bool:
        """Whether the flow may have a free slot; `slow_may`: services that time out may."""
        if self._by_service[flow.service] >= self._per_service:
            return False
        if flow in self._timeouts and self._by_flow[flow]:
            return False
        return slow_may or flow.service not in self._timeouts

    def _leave(self, flow: Flow, turn: asyncio.Future[None]) -> None:
        """Take one who waits out of the line."""
        services = self._waiting.get(flow.tenant, {})
        turns = services.get(flow.service)
        if turns is None or turn not in turns:
            return
        turns.remove(turn)
        if not turns:
            del services[flow.service]
        if not services:
            del self._waiting[flow.tenant]

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
