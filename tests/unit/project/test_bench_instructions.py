"""Instructions of two operators: the ratios, the gate, and what is needed to count."""

import shutil
from pathlib import Path

import pytest
from bench.fan_out import FanOut
from bench.instructions import Counted, NoValgrindError, count_against, count_table, instructions_in
from bench.scenes import ALL, FULL, SMALL, TENANTS, WEEK, names_of, paired

pytestmark = pytest.mark.unit

PHASE = Counted("files", "restart", theirs=[100e9, 101e9, 99e9], ours=[104e9, 102e9, 150e9])


def test_the_ratio_is_of_the_medians_and_chance_is_shown_beside_it() -> None:
    assert PHASE.ratio == pytest.approx(1.04)
    assert PHASE.control == pytest.approx((99 / 101, 101 / 99))
    assert count_table([PHASE]).splitlines()[-1] == (
        "| files | restart | 100.00 | 104.00 | 1.040 | 0.980 to 1.020 |"
    )


def test_the_gate_breaks_above_its_ratio() -> None:
    assert PHASE.problem(1.05) is None
    assert PHASE.problem(1.03) == ("files, restart: 1.040 times their instructions, more than 1.03")


def test_one_round_says_nothing_about_chance() -> None:
    assert count_table([Counted("a", "b", [1e9], [1e9])]).endswith("| 1.000 |  |")


def test_the_count_is_read_from_the_log_of_valgrind() -> None:
    log = "==7== Cachegrind, a profiler\n==7== \n==7== I   refs:      4,789,509,940\n"
    assert instructions_in(log) == 4_789_509_940


def test_a_log_without_a_count_says_how_it_ends() -> None:
    with pytest.raises(RuntimeError, match=r"ends with: .*Killed"):
        instructions_in("==7== Command: python\n==7== Killed")


def test_without_valgrind_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(NoValgrindError, match="install the package valgrind"):
        count_against(Path("python"), SMALL)


def test_all_scenes_are_counted_by_one_name() -> None:
    counted = {scene.name for scene, _ in paired([ALL], small=True)}
    fan_outs = {scene.name for scene, _ in FULL.scenes if isinstance(scene, FanOut)}
    assert fan_outs == {"fan-out", "fan-out-10k"}
    assert counted == {scene.name for scene, _ in FULL.scenes} - fan_outs
    assert counted >= set(names_of(FULL)) - {"growth", TENANTS, WEEK} - fan_outs
