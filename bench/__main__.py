"""`python -m bench`: print the table; exit with 1 where a budget is broken."""

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from bench.bytecode import compile_into
from bench.report import Budget, as_json, machine, medians, table, wrong_costs, wrong_counts
from bench.rounds import Durations, Phase, run_round
from bench.scene import Scene
from support.control_plane.binaries import find_binaries

_TOKEN_LIFE = 44 * 60 + 40 + 33
"""Seconds: the margin of the defaults and a build of 30 minutes, and the least refresh period."""


@dataclass(frozen=True)
class Plan:
    """What is run. The fixed cost of a start weighs ten times as much in the small one.

    While a time or the memory breaks its budget, more rounds than `rounds` are run, up to
    `most_rounds`: on a busy machine a single round proves little. A wrong count is final.
    """

    scenes: tuple[tuple[Scene, Budget], ...]
    durations: Durations
    rounds: int
    most_rounds: int


FULL = Plan(
    scenes=(
        (Scene("1,000 indexes in 100 files", indexes=1000, options=100), Budget()),
        # Ten tokens in each of a thousand files: looser, and to be tightened as it gets better.
        (
            Scene("10 indexes in 1,000 files", indexes=10, options=1000),
            Budget(ratio=3.0, memory=160),
        ),
    ),
    durations=Durations(idle=20, life=_TOKEN_LIFE),
    rounds=3,
    most_rounds=3,
)
SMALL = Plan(
    scenes=((Scene("100 indexes in 10 files", indexes=100, options=10), Budget(slack=1.5)),),
    durations=Durations(idle=2, life=None),
    rounds=1,
    most_rounds=3,
)


def main() -> int:
    """Run what was asked for; 1 where a budget is broken."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the size, one round")
    parser.add_argument("--rounds", type=int, help="default: 3, small 1")
    parser.add_argument("--scene", type=int, help="only this one, counted from 1")
    parser.add_argument("--json", type=Path, help="write all numbers there as well")
    chosen = parser.parse_args()
    plan = SMALL if chosen.small else FULL
    if chosen.rounds:
        plan = replace(plan, rounds=chosen.rounds, most_rounds=chosen.rounds)
    scenes = plan.scenes[chosen.scene - 1 : chosen.scene] if chosen.scene else plan.scenes

    binaries = find_binaries()
    print(", ".join(f"{name} {value}" for name, value in machine(binaries).items()), flush=True)
    everything: list[list[Phase]] = []
    summary: list[Phase] = []
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        env = compile_into(Path(folder))
        for scene, budget in scenes:
            rounds = _rounds(scene, budget, plan, env)
            everything += rounds
            summary += medians(rounds)
            problems += [problem for phases in rounds for problem in wrong_counts(scene, phases)]
            problems += wrong_costs(medians(rounds), budget)
    print(f"\nmedians\n{table(summary)}")
    if chosen.json:
        chosen.json.write_text(as_json(binaries, summary, everything))
    for problem in problems:
        print(f"BROKEN: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _rounds(scene: Scene, budget: Budget, plan: Plan, env: dict[str, str]) -> list[list[Phase]]:
    rounds: list[list[Phase]] = []
    while len(rounds) < plan.rounds or (
        len(rounds) < plan.most_rounds and wrong_costs(medians(rounds), budget)
    ):
        rounds.append(run_round(scene, plan.durations, env))
        print(f"\nround {len(rounds)}\n{table(rounds[-1])}", flush=True)
    return rounds


if __name__ == "__main__":
    sys.exit(main())
