"""Matches writes with causes: each event of the week calls for writes, and no others are allowed.

Nothing here asks the operator. The life of the week reports what happened; the API server and the
clouds in memory report what was written and minted.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

START: Final = "start"
KEY_ROTATED: Final = "key rotated"
SPEC_EDITED: Final = "spec edited"
INDEX_ADDED: Final = "index added"
INDEX_DELETED: Final = "index deleted"
OUTAGE: Final = "cloud outage, 20 min"
ELECTION: Final = "leader election"
RESTART: Final = "restart"
NO_CAUSE: Final = "no cause"

MINTS: Final = "mints"
REFUSED: Final = "refused attempts"
URLS: Final = "repository URLs"
OUTPUTS: Final = "outputs"
OPTIONS: Final = "IndexOptions statuses"
INDEXES: Final = "ArtifactIndex statuses"
EVENTS: Final = "events"
LEASES: Final = "Lease requests"
COLUMNS: Final = (MINTS, REFUSED, URLS, OUTPUTS, OPTIONS, INDEXES, EVENTS, LEASES)
WRITES: Final = (OUTPUTS, OPTIONS, INDEXES, EVENTS)

HOUR: Final = 3600

Target = tuple[str, str, str]
"""A column of writes, a namespace and a name."""
Shows = Callable[[Any], bool]
"""True if a write shows what happened; it gets the text of an output, a status, or an event."""


def refresh_of(sort: str) -> str:
    """The cause of a refresh of a login of this sort."""
    return f"refresh: {sort}"


PROMPT: Final = 60.0
"""Seconds within which a change must be written: the first tokens of all logins take 12."""


@dataclass(frozen=True, slots=True)
class _Debt:
    cause: str
    since: float
    within: float
    shown_by: Shows


class Ledger:
    """Counts by cause, column and hour. `clock` gives the seconds since the week began."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.counts: Counter[tuple[str, str, int]] = Counter()
        self.merged: Counter[tuple[str, str]] = Counter()
        """Expected writes that another write has shown too, by cause and column."""
        self.unexplained: list[str] = []
        self.late: list[str] = []
        self._debts: defaultdict[Target, list[_Debt]] = defaultdict(list)
        self._clock = clock
        self._without_cause = NO_CAUSE

    def blame(self, cause: str) -> None:
        """Count every write without a cause of its own for this cause from now on."""
        self._without_cause = cause

    def owe(self, target: Target, cause: str, shown_by: Shows, *, within: float = PROMPT) -> None:
        """Expect one write of the target `within` seconds that shows what happened."""
        self._debts[target].append(_Debt(cause, self._clock(), within, shown_by))

    def written(self, target: Target, content: Any) -> None:
        """Count a write for the first cause that it shows."""
        debts = self._debts.get(target, [])
        paid = [debt for debt in debts if debt.shown_by(content)]
        if not paid:
            self.count(self._without_cause, target[0], " ".join(target[1:]))
            return
        self._debts[target] = [debt for debt in debts if debt not in paid]
        self.count(paid[0].cause, target[0])
        for debt in paid[1:]:
            self.merged[debt.cause, target[0]] += 1
        for debt in paid:
            self.expect(debt.cause, debt.since, debt.within, " ".join(target))

    def expect(self, cause: str, since: float, within: float, what: str) -> None:
        """Note as late what comes now, if it was due `within` seconds `since` its cause."""
        if (waited := self._clock() - since) > within:
            self.late.append(f"{since:.0f} s, {cause}: {what} came {waited:.0f} s later")

    def count(self, cause: str | None, column: str, what: str = "") -> None:
        """Count something that is not a write, or a write without a cause (`what` names it)."""
        cause = cause or self._without_cause
        if cause in (NO_CAUSE, RESTART):
            self.unexplained.append(f"{self._clock():.0f} s, {cause}: {column}, {what}")
        self.counts[cause, column, int(self._clock() // HOUR)] += 1

    def unpaid(self, at: float) -> list[str]:
        """What no write has shown by then although it was due."""
        return [
            f"{debt.since:.0f} s, {debt.cause}: no write of {' '.join(target)} shows it"
            for target, debts in self._debts.items()
            for debt in debts
            if debt.since + debt.within < at
        ]

    def total(self, cause: str, column: str) -> int:
        """The count of the whole week."""
        return sum(n for (why, what, _), n in self.counts.items() if (why, what) == (cause, column))

    def worst_hour(self, cause: str, column: str) -> int:
        """The highest count of an hour."""
        return max(
            (n for (why, what, _), n in self.counts.items() if (why, what) == (cause, column)),
            default=0,
        )

    def causes(self) -> set[str]:
        """Every cause with a count."""
        return {why for why, _, _ in self.counts}
