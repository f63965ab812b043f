"""Two operators beside each other: the ratios, the gate, and which scenes are run for it."""

from dataclasses import replace
from typing import Any

import pytest
from bench.against import Comparison, Ratio, Round, compare, ratio_table, theirs_first
from bench.observe import DISCOVERY
from bench.phase import COLD_START, IDLE, RESTART, Phase
from bench.scenes import paired

pytestmark = pytest.mark.unit

THEIRS = Phase(
    "a", COLD_START, writes={"create secrets": 5}, reads={"get secrets": 1}, mints=1,
    total=2.0, cpu=1.0, memory=100.0,
)  # fmt: skip
EQUAL = Ratio(1.0, 1.0, 1.0)


def rounds_of(*ours: Phase, theirs: Phase = THEIRS) -> list[Round]:
    """Rounds of one phase, with the same numbers of theirs in each."""
    return [Round([theirs], [phase]) for phase in ours]


def test_each_ratio_is_of_one_round_and_the_median_of_all() -> None:
    quiet = Round([THEIRS], [replace(THEIRS, total=2.2, cpu=0.9, memory=101.0)])
    busy = Round([replace(THEIRS, total=8.0)], [replace(THEIRS, total=8.0, cpu=1.1)])
    even = Round([THEIRS], [replace(THEIRS, total=1.8)])

    [phase] = compare([quiet, busy, even])

    assert str(phase.time) == "1.000 (0.90 to 1.10)"
    assert str(phase.cpu) == "1.000 (0.90 to 1.10)"
    assert str(phase.memory) == "1.000 (1.00 to 1.01)"
    assert phase.problems == []


def test_the_gate_breaks_above_each_of_its_ratios() -> None:
    [kept] = compare(rounds_of(replace(THEIRS, total=2.06, cpu=1.03, memory=102.0)))
    [broken] = compare(rounds_of(replace(THEIRS, total=2.08, cpu=1.04, memory=103.0)))

    assert kept.problems == []
    assert broken.problems == [
        "a, cold start: 1.040 times their time, more than 1.03",
        "a, cold start: 1.040 times their CPU, more than 1.03",
        "a, cold start: 1.030 times their memory, more than 1.02",
    ]


def test_one_round_out_of_three_does_not_break_a_ratio() -> None:
    slow = replace(THEIRS, total=4.0, cpu=2.0, memory=200.0)

    assert compare(rounds_of(THEIRS, slow, THEIRS))[0].problems == []
    assert len(compare(rounds_of(slow, slow, THEIRS))[0].problems) == 3


def test_a_count_that_differs_in_one_round_breaks_the_gate() -> None:
    more = replace(THEIRS, writes={"create secrets": 6, "create events": 1})
    [phase] = compare(rounds_of(THEIRS, more, THEIRS))

    assert phase.problems == [
        "a, cold start: round 2: 1 times create events, theirs 0",
        "a, cold start: round 2: 6 times create secrets, theirs 5",
    ]
    others: tuple[dict[str, Any], ...] = (
        {"writes": {}}, {"reads": {}}, {"mints": 0}, {"endpoint_calls": 1}, {"failed": 1},
    )  # fmt: skip
    for other in others:
        assert len(compare(rounds_of(replace(THEIRS, **other)))[0].problems) == 1


def test_the_least_listings_of_all_rounds_are_compared() -> None:
    restart = Phase("a", RESTART, reads={"list secrets": 4, DISCOVERY: 6})
    disturbed = replace(restart, reads={"list secrets": 8, DISCOVERY: 6})
    fewer = replace(restart, reads={"list secrets": 3, DISCOVERY: 5})

    assert compare(rounds_of(disturbed, restart, theirs=restart))[0].problems == []
    assert compare(rounds_of(disturbed, fewer, theirs=restart))[0].problems == [
        "a, restart: in the least of all rounds: 5 times get, theirs 6",
        "a, restart: in the least of all rounds: 3 times list secrets, theirs 4",
    ]


def test_the_end_of_a_cold_start_may_cut_off_listings_but_no_read_by_name() -> None:
    cold = Phase("a", COLD_START, reads={"get secrets": 1, "list secrets": 4, DISCOVERY: 6})
    cut_off = replace(cold, reads={"get secrets": 1, "list secrets": 3})
    more = replace(cold, reads={"get secrets": 2})

    assert compare(rounds_of(cut_off, theirs=cold))[0].problems == []
    assert compare(rounds_of(more, theirs=cold))[0].problems == [
        "a, cold start: round 1: 2 times get secrets, theirs 1"
    ]


def test_an_idle_phase_has_counts_alone() -> None:
    idle = Phase("a", IDLE, total=2.0, cpu=0.02, memory=0.1)
    [phase] = compare(rounds_of(replace(idle, cpu=0.09, memory=0.4, mints=1), theirs=idle))

    assert (phase.time, phase.cpu, phase.memory) == (None, None, None)
    assert phase.problems == ["a, idle: round 1: 1 mints, theirs 0"]


def test_the_time_of_a_restart_is_shown_and_only_its_cpu_and_memory_count() -> None:
    restart = Phase("a", RESTART, ready=0.8, cpu=1.0, memory=100.0)
    [phase] = compare(rounds_of(replace(restart, ready=1.2), theirs=restart))

    assert str(phase.time) == "1.500 (1.50 to 1.50)"
    assert phase.problems == []


def test_the_table_has_a_row_for_each_phase() -> None:
    differing = Comparison("a", IDLE, None, None, None, ("round 1: 1 mints, theirs 0",))
    same = Comparison("a", COLD_START, Ratio(1.0125, 0.98, 1.04), EQUAL, EQUAL, ())

    assert ratio_table([same, differing]).splitlines()[2:] == [
        "| a | cold start | 1.012 (0.98 to 1.04) | 1.000 (1.00 to 1.00) | 1.000 (1.00 to 1.00) "
        "| equal |",
        "| a | idle |  |  |  | differ |",
    ]


def test_the_operators_take_turns_to_begin() -> None:
    assert [theirs_first(number) for number in range(4)] == [True, False, True, False]


def test_without_a_name_the_scenes_of_the_gate_are_paired() -> None:
    gate = [scene.name for scene, _ in paired([], small=False)]

    assert gate == ["files", "ten-tokens", "indexes", "logins"]
    assert [scene.name for scene, _ in paired(["storm"], small=False)] == ["storm"]
    with pytest.raises(ValueError, match="no scene 'nothing'"):
        paired(["nothing"], small=False)
    with pytest.raises(ValueError, match="week"):
        paired(["week"], small=False)


def test_a_small_pair_is_a_tenth_of_its_scene() -> None:
    sizes = {
        scene.name: (scene.indexes, scene.options, scene.logins, scene.namespaces)
        for scene, _ in paired(["files", "ten-tokens", "logins", "namespaces"], small=True)
    }

    assert sizes == {
        "files": (100, 100, 1, 1),
        "ten-tokens": (10, 100, 1, 1),
        "logins": (100, 100, 100, 1),
        "namespaces": (1_000, 10, 1, 10),
    }
