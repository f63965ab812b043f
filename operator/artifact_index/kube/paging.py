"""How many objects one page of a listing asks for: some that weigh a megabyte together.

An ArtifactIndex is 5 KB, a Secret with a hundred tokens 100 KB, and ten times that while it is
decoded: one number for both would be slow for the one and the peak of the memory for the other.
"""

from typing import Final

_WEIGHT: Final = 2**20
"""Bytes of JSON that a page is meant to have."""

_FIRST: Final = 20
"""Objects in the first page of a kind, whose weight is not known yet."""

_LEAST: Final = 10
MOST: Final = 100
"""Larger pages are hardly faster."""


class PageSizes:
    """What the listings so far tell of each kind, by its plural."""

    def __init__(self) -> None:
        self._objects: dict[str, int] = {}

    def of(self, plural: str) -> int:
        """Objects to ask for in the next page."""
        return self._objects.get(plural, _FIRST)

    def learn(self, plural: str, *, objects: int, size: int) -> None:
        """Take in a page: how many objects there were, in how many bytes."""
        if objects:
            self._objects[plural] = max(_LEAST, min(MOST, objects * _WEIGHT // size))

    def for_all(self) -> int:
        """One number for every kind, for who knows only one: between the smallest and the rest."""
        return max(2 * _LEAST, min(self._objects.values(), default=MOST))
