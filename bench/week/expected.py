"""What a week has to cost, from its plan and its timeline by arithmetic alone."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from bench.week.arithmetic import is_promised, periods, refreshes, withdrawn_before
from bench.week.ledger import (
    COLUMNS,
    ELECTION,
    EVENTS,
    INDEX_ADDED,
    INDEX_DELETED,
    INDEXES,
    KEY_ROTATED,
    LEASES,
    MINTS,
    NO_CAUSE,
    OPTIONS,
    OUTAGE,
    OUTPUTS,
    REFUSED,
    RESTART,
    SPEC_EDITED,
    START,
    URLS,
    Ledger,
    refresh_of,
)
from bench.week.life import Lived
from bench.week.plan import Index, Login
from bench.week.timeline import DOWN_SECONDS, OUTAGE_SECONDS

_LONGEST_WAIT = 60.0
"""Seconds between two attempts at a cloud that refuses, at most."""

_MOST_REFUSED = 100
"""Attempts of one login in 20 minutes: their waits are 30 s in the middle, so that is the double
of what there ought to be."""


class Span(NamedTuple):
    """The least and the most."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"


Expected = dict[tuple[str, str], Span]
"""By cause and column; what is not there is none."""


class _Sums:
    def __init__(self) -> None:
        self._least: Counter[tuple[str, str]] = Counter()
        self._most: Counter[tuple[str, str]] = Counter()

    def add(self, cause: str, column: str, least: int, most: int | None = None) -> None:
        self._least[cause, column] += least
        self._most[cause, column] += least if most is None else most

    def spans(self) -> Expected:
        return {key: Span(self._least[key], most) for key, most in self._most.items() if most}


def expected(lived: Lived) -> Expected:
    """Everything, for a whole week."""
    plan, timeline, sums = lived.plan, lived.timeline, _Sums()
    # The renewals, and what a change of the leader costs; one standby reads it once.
    renewals = plan.seconds // int(plan.election.retry)
    sums.add(ELECTION, LEASES, renewals - 10, renewals + 10)
    held = _held(plan.indexes())
    sums.add(START, OUTPUTS, len(plan.all_files()))
    sums.add(START, OPTIONS, len(plan.all_files()))
    sums.add(START, INDEXES, plan.size)
    sums.add(SPEC_EDITED, OUTPUTS, len(timeline.edited) + 1)
    sums.add(SPEC_EDITED, INDEXES, len(timeline.edited))
    sums.add(SPEC_EDITED, OPTIONS, 1)
    for column in (OUTPUTS, OPTIONS, INDEXES, URLS):
        sums.add(INDEX_ADDED, column, 1)
    for column in (OUTPUTS, OPTIONS):
        sums.add(INDEX_DELETED, column, 1)
    for name, login in plan.logins().items():
        indexes = held[name]
        if name in timeline.rotations:
            _add_rotation(sums, login, indexes)
        if login.life is not None:
            _add_start(sums, login, indexes)
            _add_refreshes(sums, lived, login, indexes)
            _add_outage(sums, lived, login, indexes)
    return sums.spans()


def _held(indexes: Iterator[Index]) -> dict[str, list[Index]]:
    held: defaultdict[str, list[Index]] = defaultdict(list)
    for index in indexes:
        if index.login is not None:
            held[index.login.name].append(index)
    return held


def _files(indexes: list[Index]) -> int:
    return len({index.file for index in indexes})


def _urls(login: Login, indexes: list[Index]) -> int:
    """Repositories whose URL the cloud has to tell."""
    named = {index.repository for index in indexes}
    return len(named) if login.source == "codeArtifact" else 0


def _add_start(sums: _Sums, login: Login, indexes: list[Index]) -> None:
    sums.add(START, MINTS, 1)
    sums.add(START, URLS, _urls(login, indexes))
    if not is_promised(login.life or 0):
        sums.add(START, EVENTS, _files(indexes) + len(indexes))


def _add_rotation(sums: _Sums, login: Login, indexes: list[Index]) -> None:
    """Statuses show the expiry of a token, and nothing of a password."""
    sums.add(KEY_ROTATED, OUTPUTS, _files(indexes))
    if login.life is not None:
        sums.add(KEY_ROTATED, MINTS, 1)
        sums.add(KEY_ROTATED, URLS, _urls(login, indexes))
        sums.add(KEY_ROTATED, OPTIONS, _files(indexes))
        sums.add(KEY_ROTATED, INDEXES, len(indexes))


def _add_refreshes(sums: _Sums, lived: Lived, login: Login, indexes: list[Index]) -> None:
    """Each is one mint, an output and a status of each file, and a status of each index."""
    timeline, end, cause = lived.timeline, float(lived.plan.seconds), refresh_of(login.sort)
    rotated = timeline.rotations.get(login.name)
    spans = [end] if rotated is None else [rotated, end - rotated]
    outage = OUTAGE_SECONDS + _LONGEST_WAIT
    least, most = refreshes(login.life or 0, spans, outage + DOWN_SECONDS)
    files = _files(indexes)
    sums.add(cause, MINTS, least, most)
    sums.add(cause, OUTPUTS, least * files, most * files)
    sums.add(cause, OPTIONS, least * files, most * files)
    came = timeline.added.login is not None and timeline.added.login.name == login.name
    went = timeline.deleted.login is not None and timeline.deleted.login.name == login.name
    sums.add(cause, INDEXES, least * (len(indexes) - went), most * (len(indexes) + came))


def _add_outage(sums: _Sums, lived: Lived, login: Login, indexes: list[Index]) -> None:
    """Whose refresh falls into it says so, and once more where its token is withdrawn and dies."""
    begin, end = lived.timeline.outage
    minted = lived.before_outage[login.name].at
    shortest, longest = (minted + period for period in periods(login.life or 0))
    surely, perhaps = longest < end - _LONGEST_WAIT, shortest < end and longest >= begin
    withdrawn_at = minted + (login.life or 0) - withdrawn_before(login.life or 0)
    dies_surely = surely and minted + (login.life or 0) < end
    dies_perhaps = perhaps and withdrawn_at < end + _LONGEST_WAIT
    files, count = _files(indexes), len(indexes)

    def add(column: str, each: int, when_dying: int) -> None:
        least = surely * each + dies_surely * when_dying
        sums.add(OUTAGE, column, least, perhaps * each + dies_perhaps * when_dying)

    sums.add(OUTAGE, REFUSED, int(surely), perhaps * _MOST_REFUSED)
    add(OUTPUTS, 0, files)
    add(OPTIONS, files, 2 * files)
    add(INDEXES, count, 2 * count)
    add(EVENTS, 2 * (files + count), 2 * (files + count))


def wrong_week(lived: Lived) -> list[str]:
    """Each count that arithmetic does not allow; what was written without cause, late or never."""
    ledger, wanted = lived.ledger, expected(lived)
    found: list[str] = []
    for cause in sorted(({cause for cause, _ in wanted} | ledger.causes()) - {RESTART, NO_CAUSE}):
        for column in COLUMNS:
            span = wanted.get((cause, column), Span(0, 0))
            if not _within(ledger, cause, column, span):
                count = ledger.total(cause, column)
                found.append(f"{cause}: {count:,} {column}, expected {span}")
    found += [*ledger.unexplained, *ledger.late, *ledger.unpaid(lived.plan.seconds)]
    return [f"{lived.plan.title}: {line}" for line in found]


def _within(ledger: Ledger, cause: str, column: str, span: Span) -> bool:
    """A write that shows two things counts once, though two were expected."""
    count = ledger.total(cause, column)
    return count <= span.most and count + ledger.merged[cause, column] >= span.least
