"""Spaces out the repairs of what somebody else undoes again and again."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

CALM: Final = 120.0
"""Seconds for which an object must stay as it was written: it is not contested any more.

Also the longest time between two repairs, as after failures.
"""

_AT_ONCE: Final = 4
"""Writes of one content in a row that do not wait: the first, and three repairs."""

_FIRST_DELAY: Final = 0.5

Item = TypeVar("Item", bound=Hashable)


@dataclass(slots=True)
class Written:
    """What was written to an object last, and how often in a row.

    `content` is a hash, `last` is on the event loop's clock.
    """

    content: int
    times: int
    last: float

    @property
    def often(self) -> bool:
        """Whether one more write of the content is one too many."""
        return self.times >= _AT_ONCE

    @property
    def next_at(self) -> float:
        """The time from which the same may be written again."""
        if not self.often:
            return self.last
        doublings = min(self.times - _AT_ONCE, 16)
        return self.last + min(CALM, _FIRST_DELAY * float(2**doublings))


class Repairs(Generic[Item]):
    """The objects that were written lately: one that is written again has been undone."""

    def __init__(self) -> None:
        self._written: dict[Item, Written] = {}  # the latest write last

    def __len__(self) -> int:
        return len(self._written)

    def get(self, item: Item) -> Written | None:
        """The last write of an object; None if there was none lately."""
        return self._written.get(item)

    def count(self, item: Item, content: int = 0) -> Written:
        """Count a write that is made now. Forgets the objects that were written long ago."""
        now = asyncio.get_running_loop().time()
        written = self._written.pop(item, None)
        while self._written:
            oldest = next(iter(self._written))
            if self._written[oldest].last > now - 2 * CALM:
                break
            del self._written[oldest]
        if written is None or written.last <= now - 2 * CALM:
            written = Written(content, 1, now)
        elif written.content == content:
            written.times += 1
        elif not written.often:
            written.times = 1
        written.content, written.last = content, now
        self._written[item] = written
        return written

    def forget(self, item: Item) -> None:
        """Count the next write as the first one."""
        self._written.pop(item, None)
