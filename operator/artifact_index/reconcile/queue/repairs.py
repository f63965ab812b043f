"""Spaces out the repairs of what somebody else undoes again and again."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

AT_ONCE: Final = 3
"""Repairs of one object in a row that do not wait."""

CALM: Final = 120.0
"""Seconds for which an object must stay as it was written: it is not contested any more.

Also the longest time between two repairs, as after failures.
"""

_FIRST_DELAY: Final = 0.5

Item = TypeVar("Item", bound=Hashable)


@dataclass(slots=True)
class Repaired:
    """How often an object was repaired lately, and when last, on the event loop's clock.

    `content` is what was written, `writer` what is known of whoever undoes it.
    """

    times: int = 0
    last: float = 0.0
    content: str = ""
    writer: str = ""

    @property
    def next_at(self) -> float:
        """The time from which the next repair may follow."""
        if self.times < AT_ONCE:
            return self.last
        doublings = min(self.times - AT_ONCE, 16)
        return self.last + min(CALM, _FIRST_DELAY * float(2**doublings))


class Repairs(Generic[Item]):
    """The objects that were repaired lately. A healthy object takes no memory."""

    def __init__(self) -> None:
        self._repaired: dict[Item, Repaired] = {}  # the latest repair last

    def __len__(self) -> int:
        return len(self._repaired)

    def get(self, item: Item) -> Repaired | None:
        """The repairs of an object; None if it has stayed as it was written."""
        return self._repaired.get(item)

    def count(self, item: Item, content: str = "") -> Repaired:
        """Count a repair that is made now, and forget objects that were repaired long ago."""
        now = asyncio.get_running_loop().time()
        repaired = self._repaired.pop(item, None)
        while self._repaired:
            oldest = next(iter(self._repaired))
            if self._repaired[oldest].last > now - 2 * CALM:
                break
            del self._repaired[oldest]
        if repaired is None or repaired.last <= now - 2 * CALM:
            repaired = Repaired()
        repaired.times, repaired.last, repaired.content = repaired.times + 1, now, content
        self._repaired[item] = repaired
        return repaired

    def forget(self, item: Item) -> None:
        """Let the next repair be the first one."""
        self._repaired.pop(item, None)
