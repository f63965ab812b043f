"""How many objects one page of a listing asks for: some that weigh a megabyte together.

An ArtifactIndex is 5 KB, a Secret with a hundred tokens 100 KB, and ten times that while it is
decoded: one number for both would be slow for the one and the peak of the memory for the other.
"""

from typing import Final

_WEIGHT: Final = 2**20
"""Bytes of JSON that a page is meant to have."""

_LEAST: Final = 10
_MOST: Final = 100
"""Larger pages are hardly faster."""

_UNKNOWN: Final = _WEIGHT / 10
"""Bytes that an object of a kind is taken for before one was seen."""

_SHARE: Final = 1 / 8
"""What the last answer counts beside those before it."""


class PageSizes:
    """What the answers so far tell of the size of each kind, by its plural."""

    def __init__(self) -> None:
        self._bytes: dict[str, float] = {}

    def learn(self, plural: str, *, objects: int, size: int) -> None:
        """Take in an answer: so many objects in so many bytes."""
        if objects:
            known, seen = self._bytes.get(plural), size / objects
            self._bytes[plural] = seen if known is None else known + _SHARE * (seen - known)

    def of(self, plural: str) -> int:
        """Objects to ask for in a page of this kind."""
        weight = self._bytes.get(plural, _UNKNOWN)
        return max(_LEAST, min(_MOST, int(_WEIGHT / weight)))

    def for_all(self) -> int:
        """One number for every kind, for who takes no other."""
        return min((self.of(plural) for plural in self._bytes), default=_MOST)
