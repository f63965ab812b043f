"""Items of many namespaces that take turns, so that none of them waits behind all of another's."""

import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """A queue that is shared by namespace.

    The lowest rank goes first, whatever its namespace. Among equal ranks, each namespace that waits
    has one item in a turn: its first by priority, lowest first. Within a turn the namespaces go by
    the priority of that item, so with one item in each of them this is a plain priority queue. Both
    operations take logarithmic time.
    """

    def __init__(self) -> None:
        self._items: dict[str, list[tuple[int, float, int, Item]]] = {}
        # The first item of each namespace with its turn. An entry is outdated if the namespace has
        # another first item or turn by now.
        self._firsts: list[tuple[int, int, float, int, str]] = []
        self._turn = 0
        self._turn_of: dict[str, int] = {}  # of each namespace with items, or served in this turn
        self._order = itertools.count()

    def __bool__(self) -> bool:
        """Whether any item waits."""
        return bool(self._items)

    def push(self, namespace: str, rank: int, priority: float, item: Item) -> None:
        """Add an item; equal ranks and priorities of a namespace keep the order of addition."""
        items = self._items.setdefault(namespace, [])
        entry = (rank, priority, next(self._order), item)
        heapq.heappush(items, entry)
        if items[0] is entry:
            self._line_up(namespace)

    def pop(self, may_go: Callable[[str], bool] = lambda _: True) -> Item | None:
        """Remove and return the first item, passing over namespaces that must not go now."""
        passed_over = []
        found = None
        while found is None and self._firsts:
            first = heapq.heappop(self._firsts)
            _, turn, _, number, namespace = first
            items = self._items.get(namespace)
            if not items or items[0][2] != number or self._turn_of[namespace] != turn:
                continue
            if may_go(namespace):
                *_, found = heapq.heappop(items)
                self._turn = max(self._turn, turn)
                self._turn_of[namespace] = turn + 1
                if items:
                    self._line_up(namespace)
                else:
                    del self._items[namespace]
            else:
                passed_over.append(first)
        for first in passed_over:
            heapq.heappush(self._firsts, first)
        if not self._items:
            # Nobody waits, so nobody has to be let go first: a namespace that is gone is forgotten.
            self._turn_of.clear()
            self._firsts.clear()
        return found

    def _line_up(self, namespace: str) -> None:
        rank, priority, number, _ = self._items[namespace][0]
        turn = max(self._turn, self._turn_of.get(namespace, 0))
        self._turn_of[namespace] = turn
        heapq.heappush(self._firsts, (rank, turn, priority, number, namespace))
