"""The tables of a week, and of the same week at two sizes; the JSON of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.week.expected import Expected, Span, expected
from bench.week.ledger import (
    COLUMNS,
    ELECTION,
    EVENTS,
    INDEX_ADDED,
    INDEX_DELETED,
    INDEXES,
    KEY_ROTATED,
    MINTS,
    NO_CAUSE,
    OPTIONS,
    OUTAGE,
    OUTPUTS,
    RESTART,
    SPEC_EDITED,
    START,
    WRITES,
    refresh_of,
)
from bench.week.life import Lived
from bench.week.memory import BY_NAME, LISTED, LISTINGS

_SAME = 0.01
"""What does not depend on the number of indexes may differ by so much: when exactly a token is
refreshed depends on the second at which the one before it was minted."""


def causes_of(lived: Lived) -> list[str]:
    """Every row of the tables, in their order: also those for which nothing was counted."""
    lives = {login.sort: login.life for login in lived.plan.logins().values() if login.life}
    refreshes = [refresh_of(sort) for sort in sorted(lives, key=lambda sort: -lives[sort])]
    changes = [KEY_ROTATED, SPEC_EDITED, INDEX_ADDED, INDEX_DELETED]
    return [START, *refreshes, *changes, OUTAGE, ELECTION, RESTART, NO_CAUSE]


def week_tables(lived: Lived) -> str:
    """What the week cost, by cause."""
    return (
        f"{lived.plan.title}, {lived.cpu:.0f} s of CPU with its surroundings\n"
        f"in an hour: mean (worst hour)\n{hourly_table(lived)}\n"
        f"in all, with what arithmetic says where it is not just that\n{total_table(lived)}"
    )


def hourly_table(lived: Lived) -> str:
    """Per hour, by cause: the mean over the week, and the worst hour in brackets."""
    ledger, hours = lived.ledger, lived.plan.hours

    def cell(cause: str, column: str) -> str:
        total = ledger.total(cause, column)
        if not total:
            return "0"
        return f"{_rate(total / hours)} ({ledger.worst_hour(cause, column):,})"

    return _by_cause(lived, cell)


def total_table(lived: Lived) -> str:
    """In the whole week, by cause: what was counted, and what there ought to be by arithmetic."""
    wanted: Expected = expected(lived)

    def cell(cause: str, column: str) -> str:
        span = wanted.get((cause, column), Span(0, 0))
        total = lived.ledger.total(cause, column)
        return f"{total:,}" if span == (total, total) else f"{total:,} of {span}"

    return _by_cause(lived, cell)


def _by_cause(lived: Lived, cell: Callable[[str, str], str]) -> str:
    rows = [["cause", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    rows += [[cause, *(cell(cause, column) for column in COLUMNS)] for cause in causes_of(lived)]
    return _markdown(rows)


@dataclass(frozen=True)
class Rate:
    """Something in an hour, in the mean, by the number of indexes; `grows` if it may with them."""

    title: str
    values: tuple[float, ...]
    grows: bool


def rates(weeks: Sequence[Lived]) -> list[Rate]:
    """The cost of the same week in an hour at each size, without the start."""

    def counted(title: str, columns: Sequence[str], causes: Sequence[str]) -> Rate:
        values = tuple(
            sum(week.ledger.total(cause, column) for cause in causes for column in columns)
            / week.plan.hours
            for week in weeks
        )
        return Rate(title, values, grows=INDEXES in columns)

    refreshes = [cause for cause in causes_of(weeks[0]) if cause.startswith(refresh_of(""))]
    everything = [*refreshes, KEY_ROTATED, SPEC_EDITED, INDEX_ADDED, INDEX_DELETED, OUTAGE]
    found = [counted(column, [column], refreshes) for column in (MINTS, OUTPUTS, OPTIONS, INDEXES)]
    found.append(counted("events without an outage", [EVENTS], refreshes))
    found.append(counted("all writes, of all causes", WRITES, everything))
    for kind in (LISTINGS, LISTED, BY_NAME):
        values = tuple(week.reads[kind] / week.plan.hours for week in weeks)
        found.append(Rate(kind, values, grows=kind == LISTED))
    return found


def rates_table(weeks: Sequence[Lived]) -> str:
    """The rates, a column for each size."""
    rows = [["in an hour", *(f"{week.plan.size:,} indexes" for week in weeks)]]
    rows.append(["---"] * len(rows[0]))
    rows += [[rate.title, *(_rate(value) for value in rate.values)] for rate in rates(weeks)]
    return _markdown(rows)


def growing(weeks: Sequence[Lived]) -> list[str]:
    """What grew with the number of indexes though it must not, and what grew faster than it."""
    found: list[str] = []
    sizes = [week.plan.size for week in weeks]
    for rate in rates(weeks):
        first, *others = rate.values
        for size, value in zip(sizes[1:], others, strict=True):
            most = first * (size / sizes[0] if rate.grows else 1)
            if value > most * (1 + _SAME):
                found.append(
                    f"{rate.title}: {_rate(first)} with {sizes[0]:,} indexes and {_rate(value)} "
                    f"with {size:,}, expected {_rate(most)} at most"
                )
    return found


def week_data(lived: Lived) -> dict[str, Any]:
    """Everything that was counted."""
    wanted = expected(lived)
    return {
        "title": lived.plan.title,
        "hours": lived.plan.hours,
        "indexes": lived.plan.size,
        "cpu": lived.cpu,
        "reads": dict(lived.reads),
        "counts": [
            {
                "cause": cause,
                "column": column,
                "total": lived.ledger.total(cause, column),
                "merged": lived.ledger.merged[cause, column],
                "worst_hour": lived.ledger.worst_hour(cause, column),
                "expected": wanted.get((cause, column), Span(0, 0)),
            }
            for cause in causes_of(lived)
            for column in COLUMNS
        ],
    }


def _rate(value: float) -> str:
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
