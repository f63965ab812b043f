"""Who goes next: tenants take turns, and the keys of one tenant go by priority."""

import heapq
import itertools
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

LIVE_EVERY: Final = 2
"""Each second turn goes to a tenant with something to lose, beside the first attempts of many."""

REPEATS_EVERY: Final = 5
"""Each fifth turn goes to a repeat: a flood of first attempts never stops them."""

_SLACK: Final = 64
"""Outdated tickets that are kept at most beside as many as there are valid ones."""


class Rank(Enum):
    """What an attempt is about."""

    LIVE = "a successor of a token that is still good"
    FIRST = "a first token"
    REPEAT = "what was refused, or fails with nothing to lose"


class Turn(NamedTuple):
    """A key whose turn it is, the tenant whose turn it used, and what the attempt is about."""

    key: str
    tenant: Hashable
    rank: Rank = Rank.FIRST


@dataclass(slots=True, eq=False)
class _Ticket:
    key: str
    priority: float
    number: int
    rank: Rank
    tenants: tuple[Hashable, ...] = ()
    valid: bool = True


class FairQueue:
    """Keys that wait. Tenants take turns; within a tenant the lowest priority value goes first.

    A key of several tenants goes with the first turn of any of them. A repeat waits until nothing
    else does, but for some turns; and some turns go to tenants whose next key is LIVE.
    """

    def __init__(self) -> None:
        self._tickets: dict[str, _Ticket] = {}
        self._first, self._repeats = _Lines(), _Lines()
        self._numbers = itertools.count()
        self._turn = 0
        self._outdated = 0
        self._live = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, key: str) -> bool:
        return key in self._tickets

    def add(
        self, key: str, priority: float, tenants: Iterable[Hashable], rank: Rank = Rank.FIRST
    ) -> None:
        """Queue a key. A queued one keeps its place, and further tenants wait for it, too."""
        ticket = self._tickets.get(key)
        if ticket is None:
            ticket = self._tickets[key] = _Ticket(key, priority, next(self._numbers), rank)
            self._live += rank is Rank.LIVE
        for tenant in tenants:
            if tenant not in ticket.tenants:
                ticket.tenants += (tenant,)
                self._lines_of(ticket).add(tenant, ticket)

    def discard(self, key: str) -> None:
        """Take a key off the queue, if it is on it."""
        ticket = self._tickets.pop(key, None)
        if ticket is not None:
            self._outdate(ticket, len(ticket.tenants))

    def tenants(self, *, live: bool = True) -> Iterable[Hashable]:
        """Those with keys, and perhaps some whose last key was discarded since the last `pop`.

        Without `live`, those whose next key is not LIVE.
        """
        return itertools.chain(self._first.tenants(live=live), self._repeats.tenants())

    def pop(
        self, may_go: Callable[[Hashable], bool] = lambda tenant: True, *, live: bool = True
    ) -> Turn | None:
        """The next key of those tenants that `may_go`; None if there is none.

        Without `live`, tenants whose next key is LIVE do not go, and it counts as no turn.
        """
        turn = self._turn + 1
        live_first = live and turn % LIVE_EVERY == 0 and self._live > 0
        repeat_first = live and turn % REPEATS_EVERY == 0
        found = self._repeats.pop(may_go) if repeat_first else None
        found = found or self._first.pop(may_go, live=live, live_first=live_first)
        found = found or self._repeats.pop(may_go)
        if found is None:
            return None
        if live:
            self._turn = turn
        ticket, tenant = found
        del self._tickets[ticket.key]
        self._outdate(ticket, len(ticket.tenants) - 1)
        return Turn(ticket.key, tenant, ticket.rank)

    def _lines_of(self, ticket: _Ticket) -> "_Lines":
        return self._repeats if ticket.rank is Rank.REPEAT else self._first

    def _outdate(self, ticket: _Ticket, left_behind: int) -> None:
        """Invalidate a ticket, which is left in so many lines."""
        ticket.valid = False
        self._live -= ticket.rank is Rank.LIVE
        self._outdated += left_behind
        if self._outdated > len(self._tickets) + _SLACK:
            self._outdated = 0
            for lines in (self._first, self._repeats):
                lines.clean()


class _Lines:
    """A line of tickets for each tenant, in the order of the tenants' turns."""

    def __init__(self) -> None:
        self._heaps: dict[Hashable, list[tuple[float, int, _Ticket]]] = {}

    def add(self, tenant: Hashable, ticket: _Ticket) -> None:
        heap = self._heaps.setdefault(tenant, [])
        heapq.heappush(heap, (ticket.priority, ticket.number, ticket))

    def pop(
        self, may_go: Callable[[Hashable], bool], *, live: bool = True, live_first: bool = False
    ) -> tuple[_Ticket, Hashable] | None:
        chosen: Hashable | None = None
        found = False
        for tenant in list(self._heaps):
            heap = self._heaps[tenant]
            while heap and not heap[0][2].valid:
                heapq.heappop(heap)
            if not heap:
                del self._heaps[tenant]
            elif (live or not _is_live(heap)) and may_go(tenant):
                is_live = _is_live(heap)
                if is_live or not found:
                    chosen, found = tenant, True
                if is_live or not live_first:
                    break
        if not found:
            return None
        heap = self._heaps.pop(chosen)
        _, _, ticket = heapq.heappop(heap)
        if heap:
            # The tenant's next turn comes after those of all others.
            self._heaps[chosen] = heap
        return ticket, chosen

    def tenants(self, *, live: bool = True) -> Iterable[Hashable]:
        """Those with a line; without `live`, those whose next key is not LIVE."""
        return [tenant for tenant, heap in self._heaps.items() if live or not _is_live(heap)]

    def clean(self) -> None:
        """Drop the tickets that are no longer valid."""
        for tenant, heap in list(self._heaps.items()):
            heap[:] = [item for item in heap if item[2].valid]
            heapq.heapify(heap)
            if not heap:
                del self._heaps[tenant]


def _is_live(heap: list[tuple[float, int, _Ticket]]) -> bool:
    return heap[0][2].rank is Rank.LIVE
