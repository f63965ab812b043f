"""Items of many namespaces that take turns, so that none of them waits behind all of another's."""

import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NamespaceQueue(Generic[Item]):
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
        # The next turn of each namespace that waits, or was served since all were.
        self._turn_of: dict[str, int] = {}
        self._order = itertools.count()

    def __bool__(self) -> bool:
        """Whether any item waits."""
        return bool(self._items)

    def waiting(self) -> dict[str, int]:
        """How many items each namespace has that has any."""
        return {namespace: len(items) for namespace, items in self._items.items()}

    def push(self, namespace: str, rank: int, priority: float, item: Item) -> None:
        """Add an item; equal ranks and priorities of a namespace keep the order of addition."""
        number = next(self._order)
        entry = (rank, priority, number, item)
        items = self._items.get(namespace)
        if items is None:
            self._items[namespace] = [entry]
            self._turn_of[namespace] = max(self._turn, self._turn_of.get(namespace, 0))
        else:
            heapq.heappush(items, entry)
            if items[0] is not entry:
                return
        turn = self._turn_of[namespace]
        heapq.heappush(self._firsts, (rank, turn, priority, number, namespace))

    def pop(self, may_go: Callable[[str], bool] = lambda _: True) -> Item | None:
        """Remove and return the first item, passing over namespaces that must not go now."""
        if not self._items:
            return None
        firsts, passed_over = self._firsts, []
        found = None
        while firsts:
            _, turn, _, number, namespace = firsts[0]
            items = self._items.get(namespace)
            if items is None or items[0][2] != number or self._turn_of[namespace] != turn:
                heapq.heappop(firsts)
            elif may_go(namespace):
                found = self._take(namespace, items, turn)
                break
            else:
                passed_over.append(heapq.heappop(firsts))
        for first in passed_over:
            heapq.heappush(firsts, first)
        if not self._items:
            # Nobody waits, so nobody has to be let go first: a namespace that is gone is forgotten.
            self._turn_of.clear()
            firsts.clear()
        return found

    def _take(self, namespace: str, items: list[tuple[int, float, int, Item]], turn: int) -> Item:
        """Take the first item of the namespace that is first, and line up its next one."""
        item = heapq.heappop(items)[3]
        # An item of a higher rank may have waited since a turn long past: that gives no credit.
        self._turn = max(self._turn, turn)
        self._turn_of[namespace] = following = self._turn + 1
        if items:
            rank, priority, number, _ = items[0]
            heapq.heapreplace(self._firsts, (rank, following, priority, number, namespace))
        else:
            heapq.heappop(self._firsts)
            del self._items[namespace]
        return item
