"""The bench's own sums: which counts it expects, which costs it refuses, what it says of growth."""

import importlib.util
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import pytest
from bench.budget import Budget, expected, least_writes, wrong_costs, wrong_counts
from bench.fan_out import FanOut, wrong_shares
from bench.growth import Growth, growth, growth_table
from bench.phase import COLD_START, IDLE, KEY_ROTATED, STORM, Phase
from bench.plot import plot
from bench.sampler import FOR_THEIR_CALLER, PARTS, part_of
from bench.scene import Scene
from bench.scenes import FULL, SMALL, chosen

pytestmark = pytest.mark.unit

SCENE = Scene("a", "a scene", indexes=40, options=4, namespaces=2, logins=2)


def test_a_cold_start_is_one_write_for_each_object_and_one_mint_for_each_login() -> None:
    wanted = expected(SCENE, COLD_START)

    assert wanted.writes == {
        "create secrets": (5, 5),
        "patch indexoptions/status": (4, 4),
        "patch artifactindexes/status": (40, 40),
    }
    assert wanted.mints == 4
    assert wanted.endpoint_calls == 40
    assert least_writes(SCENE, COLD_START) == 49


def test_a_static_login_changes_outputs_alone() -> None:
    static = replace(SCENE, source="basicAuth")

    assert expected(static, KEY_ROTATED).writes == {"patch secrets": (4, 4)}
    assert expected(static, KEY_ROTATED).mints == 0


def test_a_storm_may_gather_the_edits_of_one_file_but_loses_no_status() -> None:
    assert expected(SCENE, STORM).writes["patch secrets"] == (4, 40)
    written = {"patch secrets": 41, "patch artifactindexes/status": 39}

    problems = wrong_counts(SCENE, [Phase("a", STORM, writes=written)])

    assert problems == [
        "a scene, storm of edits: 39 times patch artifactindexes/status, expected 40",
        "a scene, storm of edits: 41 times patch secrets, expected 4 to 40",
    ]


def test_a_write_that_nobody_expects_is_a_problem() -> None:
    assert wrong_counts(SCENE, [Phase("a", IDLE)]) == []
    assert wrong_counts(SCENE, [Phase("a", IDLE, writes={"create events": 1})]) != []
    assert wrong_counts(SCENE, [Phase("a", IDLE, failed=1)]) != []
    assert wrong_counts(SCENE, [Phase("a", IDLE, mints=1)]) != []


def test_one_definition_is_a_secret_in_each_namespace_by_one_mint() -> None:
    scene = FanOut("fan-out", "many", indexes=10, options=1, namespaces=1_000)

    wanted = expected(scene, COLD_START)

    assert wanted.writes == {
        "create secrets": (1_001, 1_001),
        "patch clusterindexoptions/status": (1, 1),
        "patch clusterartifactindexes/status": (10, 10),
    }
    assert wanted.mints == 1


def test_one_definition_may_cost_only_a_share_of_what_as_many_files_cost() -> None:
    files = Phase("files", COLD_START, total=10.0, cpu=5.0, memory=90.0)
    ours = Phase("fan-out", COLD_START, total=4.0, cpu=2.0, memory=90.0)

    assert wrong_shares([ours]) == []
    assert wrong_shares([files, ours]) == []
    for worse in (
        replace(ours, total=4.1), replace(ours, cpu=2.1), replace(ours, memory=91.0),
    ):  # fmt: skip
        assert len(wrong_shares([files, worse])) == 1


def test_costs_above_the_budget_are_named() -> None:
    budget = Budget(ratio=1.5, memory=100, cpu=2, answer_p99=1000, lag_p99=100)
    good = Phase("a", COLD_START, ratio=1.5, memory=100, cpu_ratio=2, answer_p99=1000, lag_p99=100)

    assert wrong_costs([good], budget) == []
    for worse in (
        {"ratio": 1.6}, {"memory": 101}, {"cpu_ratio": 2.1}, {"answer_p99": 1001}, {"lag_p99": 101},
    ):  # fmt: skip
        assert len(wrong_costs([replace(good, **worse)], budget)) == 1


def test_a_machine_of_half_the_speed_breaks_no_ratio() -> None:
    budget = Budget(ratio=1.5, cpu=2.5, start_ups=1.0)
    fast: dict[str, Any] = {
        "total": 3.4,
        "bare": 2.0,
        "cpu": 2.5,
        "bare_cpu": 1.0,
        "bare_start_up": 0.4,
    }
    slow = {measure: 2 * seconds for measure, seconds in fast.items()}

    for seconds in (fast, slow):
        phase = replace(Phase("a", COLD_START), **seconds)
        phase.compare()
        assert wrong_costs([phase], budget) == []

        worse = replace(phase, total=1.01 * seconds["total"], cpu=1.01 * seconds["cpu"])
        worse.compare()
        assert wrong_costs([worse], budget) == [
            "a, cold start: 1.72 times the bare loop's time, more than 1.70",
            "a, cold start: 2.52 times the bare loop's CPU, more than 2.50",
        ]


def test_every_phase_may_add_the_start_of_the_bare_loop() -> None:
    budget = Budget(ratio=2.0, start_ups=3.0)
    cold = Phase("a", COLD_START, bare=1.0, ratio=5.0)
    rotated = Phase("a", KEY_ROTATED, bare=1.0, ratio=5.0)

    assert len(wrong_costs([replace(cold, bare_start_up=0.9), rotated], budget)) == 2
    assert wrong_costs([replace(cold, bare_start_up=1.0), rotated], budget) == []


def test_linear_growth_has_the_exponent_1_whatever_is_fixed() -> None:
    linear = Growth("t", (100, 1_000, 10_000), (5.1, 6.0, 15.0))
    quadratic = Growth("t", (100, 1_000, 10_000), (1.0, 100.0, 10_000.0))

    assert linear.exponent == pytest.approx(1)
    assert linear.fixed == pytest.approx(5)
    assert linear.each == pytest.approx(0.001)
    assert quadratic.exponent == pytest.approx(2)
    assert Growth("t", (100, 1_000, 10_000), (1.0, 1.0, 1.0)).exponent is None


def test_growth_is_told_and_drawn() -> None:
    phases = [
        (size, Phase("g", COLD_START, total=size / 100, cpu=1.0)) for size in (1_000, 100, 10_000)
    ]
    measures = growth(phases)

    assert [measure.title for measure in measures] == ["cold start: time, s", "cold start: CPU, s"]
    assert "| cold start: time, s | 1.00 | 10.00 | 100.00 |" in growth_table(measures)
    drawn = ElementTree.fromstring(plot(measures))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert growth(phases[:1]) == []


def test_scenes_are_chosen_by_name() -> None:
    assert [scene.name for scene, _ in chosen(FULL, ["storm", "files"])] == ["files", "storm"]
    assert len(chosen(FULL, ["growth"])) == 3
    assert chosen(SMALL, []) == SMALL.scenes
    assert chosen(FULL, ["week"]) == ()
    with pytest.raises(ValueError, match="there are shared-login, storm"):
        chosen(SMALL, ["nothing"])


# -- the parts of a profile


def test_a_profile_groups_by_modules_that_exist() -> None:
    names = [name for part in (*PARTS.values(), FOR_THEIR_CALLER) for name in part]
    ours = [name for name in names if name.startswith("artifact_index")]
    assert len(ours) > 10
    assert [name for name in ours if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("artifact_index.formats.uv_toml", "rendering"),
        ("artifact_index.reconcile.resolve.checks", "resolving"),
        ("artifact_index.reconcile.state.state", "planning"),
        ("artifact_index.reconcile.status.writer", "statuses"),
        ("artifact_index.reconcile.controller", "cache and queue"),
        ("artifact_index.sources.registry", None),
    ],
)
def test_a_module_counts_for_its_folder(module: str, part: str | None) -> None:
    assert part_of(module) == part
