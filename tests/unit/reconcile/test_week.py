"""The simulated week of the bench: nothing is written or minted without a cause."""

import asyncio
import logging
from collections import Counter

import pytest
from bench.week.arithmetic import is_promised, periods, refreshes, withdrawn_before
from bench.week.expected import wrong_week
from bench.week.ledger import (
    ELECTION,
    INDEXES,
    MINTS,
    NO_CAUSE,
    OPTIONS,
    OUTPUTS,
    REFUSED,
    RESTART,
    START,
    URLS,
    Ledger,
    refresh_of,
)
from bench.week.life import Lived, live_through
from bench.week.plan import Week
from bench.week.report import growing, rates_table, week_tables

from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.kube.port import Object
from artifact_index.kube.resources import SECRETS
from artifact_index.wiring import Operator

pytestmark = pytest.mark.unit

HOUR = 3600
FOUR_HOURS = Week("four hours", hours=4, namespaces=1, files=5, width=1)
FILE = (OUTPUTS, "dept-0", "team-0")


class Lines(logging.Handler):
    """Counts the operator's lines at level info by hour and event."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.counts: Counter[tuple[int, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "artifact_index", {}).get("event", record.getMessage())
        self.counts[int(asyncio.get_running_loop().time()) // HOUR, event] += 1


@pytest.fixture(scope="module")
def lines() -> Lines:
    return Lines()


@pytest.fixture(scope="module")
def lived(lines: Lines) -> Lived:
    logger = logging.getLogger("artifact_index")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(lines)
    found = live_through(FOUR_HOURS)
    logger.removeHandler(lines)
    logger.setLevel(before)
    return found


# The ledger


def test_a_write_counts_for_what_it_shows() -> None:
    ledger = Ledger(lambda: 1.5 * HOUR)
    ledger.owe(FILE, "rotation", lambda text: "second" in text)

    ledger.written(FILE, "the second token")

    assert ledger.counts == {("rotation", OUTPUTS, 1): 1}
    assert ledger.unexplained == ledger.late == ledger.unpaid(2 * HOUR) == []


def test_a_write_that_shows_nothing_new_has_no_cause() -> None:
    ledger = Ledger(lambda: 60.0)
    ledger.owe(FILE, "rotation", lambda text: "second" in text)

    ledger.written(FILE, "the first token")

    assert ledger.total(NO_CAUSE, OUTPUTS) == 1
    assert ledger.unexplained == ["60 s, no cause: outputs, dept-0 team-0"]
    assert ledger.unpaid(60 + 61) == ["60 s, rotation: no write of outputs dept-0 team-0 shows it"]


def test_the_same_thing_written_twice_has_a_cause_once() -> None:
    ledger = Ledger(lambda: 0.0)
    ledger.owe(FILE, "rotation", lambda text: "second" in text)

    for _ in range(2):
        ledger.written(FILE, "the second token")

    assert (ledger.total("rotation", OUTPUTS), ledger.total(NO_CAUSE, OUTPUTS)) == (1, 1)


def test_one_write_may_show_two_things() -> None:
    ledger = Ledger(lambda: 0.0)
    for cause in ("rotation", "edit"):
        ledger.owe(FILE, cause, lambda text: True)

    ledger.written(FILE, "both")

    assert (ledger.total("rotation", OUTPUTS), ledger.total("edit", OUTPUTS)) == (1, 0)
    assert ledger.merged == {("edit", OUTPUTS): 1}
    assert ledger.unpaid(61) == []


def test_a_late_write_is_reported() -> None:
    now = 0.0
    ledger = Ledger(lambda: now)
    ledger.owe(FILE, "rotation", lambda text: True, within=10)
    now = 11.0

    ledger.written(FILE, "at last")

    assert ledger.late == ["0 s, rotation: outputs dept-0 team-0 came 11 s later"]


# The arithmetic


def test_tokens_are_refreshed_as_the_documentation_has_it() -> None:
    def minutes(life: int) -> tuple[float, float]:
        least, most = periods(life)
        return round(least / 60, 1), round(most / 60, 1)

    assert minutes(12 * HOUR) == (665.3, 675.3)
    assert minutes(HOUR) == (13.8, 15.3)
    assert minutes(900) == (5, 5)
    assert [is_promised(life) for life in (12 * HOUR, HOUR, 900)] == [True, True, False]
    assert [withdrawn_before(life) for life in (HOUR, 900, 300)] == [155, 155, 75]


def test_refreshes_are_counted_for_each_key_of_a_login() -> None:
    assert refreshes(12 * HOUR, [168.0 * HOUR], lost=0) == (14, 15)
    assert refreshes(12 * HOUR, [11.0 * HOUR, 12.0 * HOUR], lost=0) == (1, 1)
    assert refreshes(900, [float(HOUR)], lost=0) == (11, 12)
    assert refreshes(900, [float(HOUR)], lost=1200) == (7, 12)


# The week


def test_every_write_and_mint_of_a_week_has_its_cause(lived: Lived) -> None:
    assert wrong_week(lived) == []
    assert lived.ledger.total(START, INDEXES) == FOUR_HOURS.size
    assert lived.ledger.total(refresh_of("CodeArtifact 15 min"), MINTS) > 40


def test_the_log_has_a_line_for_each_answer_of_a_cloud_and_none_for_what_stays(
    lived: Lived, lines: Lines
) -> None:
    """Also none for the rewritten files: of hours in which nobody changes anything."""
    events = {MINTS: "TokenIssued", URLS: "EndpointFound", REFUSED: "TokenRefused"}
    answers: Counter[tuple[int, str]] = Counter()
    for (_, what, hour), count in lived.ledger.counts.items():
        if what in events:
            answers[hour, events[what]] += count
    assert answers[1, "TokenIssued"] > 20 and answers[2, "TokenRefused"] > 100
    changes = {(hour, event) for hour, event in lines.counts if event not in events.values()}
    handed_over = int(lived.timeline.restart[0]) // HOUR
    assert changes == {
        (0, "ConditionChanged"), (2, "ConditionChanged"), (2, "Deleted"),
        (0, "LeaseWon"), (0, "StandingBy"),
        *((handed_over, event) for event in ("LeaseReleased", "LeaseWon", "StandingBy")),
    }  # fmt: skip
    assert lines.counts - Counter({key: lines.counts[key] for key in changes}) == answers


def test_the_tables_have_a_row_for_each_cause_also_where_nothing_happened(lived: Lived) -> None:
    tables = week_tables(lived)

    assert f"| {RESTART} | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in tables
    assert f"| {NO_CAUSE} | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in tables
    assert f"| {ELECTION} | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1,80" in tables
    assert "| cloud outage, 20 min | 0 | " in tables


def test_an_operator_that_writes_once_too_often_is_reported() -> None:
    def write_again(operator: Operator) -> None:
        api = operator.relister._api
        again = api.patch(SECRETS, "dept-0", "team-0", {})
        asyncio.get_running_loop().call_later(1000, asyncio.ensure_future, again)

    found = wrong_week(live_through(FOUR_HOURS, write_again))

    assert [line.partition(" s, ")[2] for line in found] == [
        "no cause: outputs, dept-0 team-0",
        "no cause: outputs, dept-0 team-0",
    ]


def test_an_operator_that_mints_too_early_is_reported() -> None:
    def hurry(operator: Operator) -> None:
        operator.tokens._margins = Margins(outage=900)

    found = wrong_week(live_through(FOUR_HOURS, hurry))

    assert any("no cause: mints, hourly-0" in line for line in found)
    assert any("refresh: CodeArtifact 1 h" in line for line in found)


def test_an_operator_that_misses_a_change_is_reported() -> None:
    def look_away(operator: Operator) -> None:
        deliver = operator.feed.watched

        def without_secrets(plural: str, event: str | None, body: Object) -> None:
            if plural != "secrets":
                deliver(plural, event, body)

        operator.feed.watched = without_secrets  # type: ignore[method-assign]

    found = wrong_week(live_through(FOUR_HOURS, look_away))

    assert any("key rotated: a token of platform-0 came" in line for line in found), (
        "only the restart has noticed it"
    )
    assert any("key rotated: outputs dept-0 team-1 came" in line for line in found)


def test_an_operator_that_forgets_at_a_restart_is_reported() -> None:
    def forget(operator: Operator) -> None:
        operator.tokens._entries.clear()

    found = wrong_week(live_through(FOUR_HOURS, forget))

    assert any("restart: mints, company" in line for line in found)
    assert any("restart: outputs, dept-0 team-4" in line for line in found)


def test_only_statuses_of_indexes_grow_with_the_indexes(lived: Lived) -> None:
    larger = live_through(Week("larger", hours=4, namespaces=1, files=5, width=3))

    assert wrong_week(larger) == []
    assert growing([lived, larger]) == []
    for column, title in ((MINTS, MINTS), (OUTPUTS, OUTPUTS), (OPTIONS, OPTIONS)):
        larger.ledger.counts[refresh_of("Google 1 h"), column, 0] += 20
        assert any(line.startswith(f"{title}: ") for line in growing([lived, larger]))
    assert "| 50 indexes | 150 indexes |" in rates_table([lived, larger])
