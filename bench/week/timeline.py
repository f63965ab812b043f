"""The events of the week."""

from collections.abc import Callable
from typing import Protocol

from bench.week.plan import Index, Login, Place, Week

OUTAGE_SECONDS = 20 * 60
DOWN_SECONDS = 60


class Changes(Protocol):
    """What makes the events happen."""

    def edit_index(self, index: Index) -> None: ...
    def edit_file(self, file: Place) -> None: ...
    def rotate(self, login: Login) -> None: ...
    def add_index(self, index: Index) -> None: ...
    def delete_index(self, index: Index) -> None: ...
    def begin_outage(self) -> None: ...


class Timeline:
    """Times are seconds from the beginning, spread evenly over a week of any length."""

    def __init__(self, plan: Week) -> None:
        self._plan = plan
        firsts = {index.file: index for index in reversed(list(plan.indexes()))}
        some = list(firsts.values())
        self.edited = some[:: max(1, len(some) // 10)]
        """One index of each of ten files."""
        self.edited_file = plan.all_files()[-1]
        first = some[-1]
        self.added = first._replace(name="one-more", repository="one-more")
        self.deleted = firsts[plan.all_files()[1]]
        logins = plan.logins()
        names = ("platform-0", "team-0-1", "hourly-0", "data-0", "mirror-0", "forge-0")
        self.rotations = {name: self._at(0.2 + 0.04 * number) for number, name in enumerate(names)}
        """When each of these logins gets another key."""
        self._rotated = [(at, logins[name]) for name, at in self.rotations.items()]
        begins = self._at(0.5)
        self.outage = (begins, begins + OUTAGE_SECONDS)
        down = self._at(0.8)
        self.restart = (down, down + DOWN_SECONDS)

    def changes(self, who: Changes) -> list[tuple[float, Callable[[], None]]]:
        """Every event but the restart, in order."""

        def each(at: float, index: Index) -> tuple[float, Callable[[], None]]:
            return at, lambda: who.edit_index(index)

        def rotation(at: float, login: Login) -> tuple[float, Callable[[], None]]:
            return at, lambda: who.rotate(login)

        found = [each(self._at(0.1) + 60 * n, index) for n, index in enumerate(self.edited)]
        found += [rotation(at, login) for at, login in self._rotated]
        found += [
            (self.outage[0], who.begin_outage),
            (self._at(0.6), lambda: who.edit_file(self.edited_file)),
            (self._at(0.65), lambda: who.add_index(self.added)),
            (self._at(0.7), lambda: who.delete_index(self.deleted)),
        ]
        return sorted(found, key=lambda change: change[0])

    def _at(self, share: float) -> float:
        return float(int(share * self._plan.seconds))
