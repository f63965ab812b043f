"""The `limit` of a list request: as many objects as make a page of about a megabyte.

An ArtifactIndex has 5 KB, a Secret with a hundred tokens 100 KB, and ten times that while it is
decoded. One limit for both would make the first slow, or the second the memory peak. An average
does not bound a page: whoever creates large objects decides on it. So a page that grows beyond a
bound is given up, and asked for again with the fewest objects.
"""

from typing import Final

_WEIGHT: Final = 2**20
"""Bytes of JSON that a page should have."""

LARGEST_PAGE: Final = 8 * _WEIGHT
"""Bytes of JSON at which a page of more than the fewest objects is given up."""

FEWEST: Final = 10
_MOST: Final = 100
"""Larger pages are hardly faster."""

_UNKNOWN: Final = _WEIGHT / 10
"""Bytes assumed for an object of a kind that has not been listed yet."""

_SHARE: Final = 1 / 8
"""Weight of the latest answer in the moving average."""


class PageSizes:
    """Learns the average size of each kind's objects, by plural."""

    def __init__(self) -> None:
        self._bytes: dict[str, float] = {}

    def learn(self, plural: str, *, objects: int, size: int) -> None:
        """Learn from an answer with so many objects in so many bytes."""
        if objects:
            latest = size / objects
            average = self._bytes.get(plural, latest)
            self._bytes[plural] = average + _SHARE * (latest - average)

    def shrink(self, plural: str) -> None:
        """Go on with the fewest objects: a page was larger than `LARGEST_PAGE`."""
        self._bytes[plural] = max(self._bytes.get(plural, 0), _WEIGHT / FEWEST)

    def of(self, plural: str) -> int:
        """The page size for this kind, in objects."""
        weight = self._bytes.get(plural, _UNKNOWN)
        return max(FEWEST, min(_MOST, int(_WEIGHT / weight)))
