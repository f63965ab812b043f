"""Repositories whose URL waits to be asked for: so many at a time of each remote service."""

from collections import Counter


class Lanes:
    """In each lane the keys wait in the order in which they came, for one of `places`."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: dict[str, dict[str, None]] = {}
        self._begun = Counter[str]()

    def wait(self, lane: str, key: str) -> None:
        """Ask for a place; a key that waits already keeps its turn."""
        self._waiting.setdefault(lane, {}).setdefault(key)

    def forget(self, key: str) -> None:
        """Wait no more."""
        for waiting in self._waiting.values():
            waiting.pop(key, None)

    def take(self) -> str | None:
        """A key that is to `enter` its lane now, if there is one."""
        for lane, waiting in self._waiting.items():
            if waiting and self._begun[lane] < self._places:
                key = next(iter(waiting))
                del waiting[key]
                return key
        return None

    def enter(self, lane: str) -> None:
        """Take up a place."""
        self._begun[lane] += 1

    def leave(self, lane: str) -> None:
        """Give the place back."""
        self._begun[lane] -= 1
