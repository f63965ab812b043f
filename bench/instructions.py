"""The instructions of two operators, counted by valgrind: what a busy machine does not change."""

import re
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from bench.bytecode import Build, compile_counted
from bench.phase import COLD_START, IDLE, TOKEN_REFRESHED
from bench.rounds import operate
from bench.scene import Scene
from bench.scenes import Plan
from support.other_operator import environment_of

MOST: Final = 1.03
"""The gate: how many of their instructions our operator may take, in the median of the rounds."""

_SLOWDOWN: Final = 50.0
_COUNT: Final = re.compile(r"I +refs: +([\d,]+)")
_NOT_COUNTED: Final = (IDLE, TOKEN_REFRESHED)
"""Nothing happens in the one, and the other is a rotation that begins by the clock."""

Counts = Mapping[str, float]
"""Instructions by phase."""


class NoValgrindError(Exception):
    """There is no valgrind on PATH; the message says what to do."""


@dataclass(frozen=True)
class Counted:
    """One phase of a scene, the counts of each round in order."""

    scene: str
    phase: str
    theirs: Sequence[float]
    ours: Sequence[float]

    @property
    def ratio(self) -> float:
        """Ours over theirs, of the medians."""
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def control(self) -> tuple[float, float]:
        """Theirs over theirs of the other rounds, the least and the most: what chance does."""
        return min(self.theirs) / max(self.theirs), max(self.theirs) / min(self.theirs)

    def problem(self, most: float) -> str | None:
        """Where the gate is broken, in words."""
        if self.ratio <= most:
            return None
        where = f"{self.scene}, {self.phase}"
        return f"{where}: {self.ratio:.3f} times their instructions, more than {most:.2f}"


def count_against(their_python: Path, plan: Plan) -> list[Counted]:
    """Run every scene of a plan with both operators under valgrind, at the same time.

    Raises NoValgrindError.
    """
    if shutil.which("valgrind") is None:
        raise NoValgrindError(
            "no `valgrind` is on PATH, which counts the instructions: install the package valgrind"
        )
    counted: list[Counted] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as both:
        # The packages of each commit's own lock: what a development environment has beside them
        # would count against ours.
        builds = [
            compile_counted(Path(folder), python, ours=ours)
            for python, ours in ((their_python, False), (environment_of("HEAD"), True))
        ]
        for scene, _ in plan.scenes:
            rounds: list[list[Counts]] = []
            for number in range(plan.rounds):
                rounds.append(list(both.map(partial(_count, scene, plan), builds)))
                print(f"\nround {number + 1}\n{count_table(_join(scene, rounds[-1:]))}", flush=True)
            counted += _join(scene, rounds)
    return counted


def count_table(counted: Sequence[Counted]) -> str:
    """Thousand millions of instructions and the ratios, as Markdown."""
    rows = [["scene", "phase", "theirs", "ours", "ratio", "theirs over theirs"], ["---"] * 6]
    for phase in counted:
        counts = (f"{statistics.median(each) / 1e9:.2f}" for each in (phase.theirs, phase.ours))
        least, most = phase.control
        control = f"{least:.3f} to {most:.3f}" if len(phase.theirs) > 1 else ""
        rows.append([phase.scene, phase.phase, *counts, f"{phase.ratio:.3f}", control])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _join(scene: Scene, rounds: Sequence[Sequence[Counts]]) -> list[Counted]:
    return [
        Counted(scene.name, phase, *([each[who][phase] for each in rounds] for who in (0, 1)))
        for phase in rounds[0][0]
    ]


def _count(scene: Scene, plan: Plan, build: Build) -> Counts:
    """The counts of one operator. valgrind tells them of whole processes.

    So each phase after the restart is what a process with it took more than one without it.
    """
    phases = [phase for phase in scene.phases if phase not in _NOT_COUNTED]
    starts: list[float] = []
    counts: dict[str, float] = {}
    before = 0.0
    for number, phase in enumerate(phases, 1):
        cold, after = _count_processes(replace(scene, phases=tuple(phases[:number])), plan, build)
        starts.append(cold)
        counts[phase] = after - before
        before = after
    return {COLD_START: statistics.mean(starts), **counts}


def _count_processes(scene: Scene, plan: Plan, build: Build) -> list[float]:
    """The instructions of the process that starts cold, and of the one after it."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "python"
        python.write_text(
            "#!/bin/sh\n"
            "exec valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null "
            f'--log-file={folder}/$(date +%s.%N).log {build.python} "$@"\n'
        )
        python.chmod(0o755)
        operate(scene, plan.durations, build._replace(python=str(python), slowdown=_SLOWDOWN))
        return [instructions_in(log.read_text()) for log in sorted(Path(folder).glob("*.log"))]


def instructions_in(log: str) -> float:
    """What the log of one process tells. Raises RuntimeError where it tells none."""
    if (count := _COUNT.search(log)) is None:
        last = log.strip().rpartition("\n")[2]
        raise RuntimeError(f"valgrind has counted nothing; its log ends with: {last}")
    return float(count[1].replace(",", ""))
