"""Each scene with another commit's operator and with this checkout's, in turn."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.against import Comparison, Round, compare, theirs_first
from bench.bytecode import Build, compile_ours, compile_theirs
from bench.phase import Durations, Phase
from bench.report import machine, table
from bench.rounds import operate
from bench.scene import Scene
from bench.scenes import Plan
from support.control_plane.binaries import find_binaries


def run_against(their_python: Path, plan: Plan) -> tuple[list[Comparison], dict[str, Any]]:
    """Run every scene of a plan with both operators; returns the ratios, and all numbers.

    The bare loop is left out: it would take time and say nothing about a pair.
    """
    found = machine(find_binaries())
    print(", ".join(f"{name} {value}" for name, value in found.items()), flush=True)
    comparisons: list[Comparison] = []
    everything: list[Round] = []
    with tempfile.TemporaryDirectory() as folder, _apart_from_the_servers() as processors:
        builds = {
            "theirs": compile_theirs(Path(folder), their_python)._replace(processors=processors),
            "ours": compile_ours(Path(folder))._replace(processors=processors),
        }
        for scene, _ in plan.scenes:
            rounds = [
                _run_pair(scene, plan.durations, builds, number) for number in range(plan.rounds)
            ]
            everything += rounds
            comparisons += compare(rounds)
    data = {
        "machine": found,
        "ratios": [asdict(phase) for phase in comparisons],
        "rounds": [
            {who: [asdict(phase) for phase in phases] for who, phases in both._asdict().items()}
            for both in everything
        ],
    }
    return comparisons, data


@contextmanager
def _apart_from_the_servers() -> Iterator[frozenset[int]]:
    """Keep one processor for the operator; the servers and this process share the others.

    On shared processors the same operator's time and CPU differ by 10 % from round to round. Yields
    an empty set where there is only one processor.
    """
    before = os.sched_getaffinity(0)
    own = frozenset(sorted(before)[1:][-1:])
    os.sched_setaffinity(0, before - own)
    try:
        yield own
    finally:
        os.sched_setaffinity(0, before)


def _run_pair(scene: Scene, durations: Durations, builds: dict[str, Build], number: int) -> Round:
    order = ("theirs", "ours") if theirs_first(number) else ("ours", "theirs")
    phases: dict[str, list[Phase]] = {}
    for who in order:
        phases[who] = operate(scene, durations, builds[who])
        print(f"\nround {number + 1}, {who}\n{table(phases[who])}", flush=True)
    return Round(**phases)
