"""`python -m bench`: print the table; exit with 1 where a budget is broken."""

import argparse
import sys
from pathlib import Path

from bench.report import Budget, as_json, broken, machine, medians, table
from bench.rounds import Durations, Phase, run_round
from bench.scene import Scene
from support.control_plane.binaries import find_binaries

_FULL = (
    Scene("1,000 indexes in 100 files", indexes=1000, options=100),
    Scene("10 indexes in 1,000 files", indexes=10, options=1000),
)
_SMALL = (Scene("100 indexes in 10 files", indexes=100, options=10),)

_LIFE = 44 * 60 + 40 + 33
"""Seconds: the margin of the defaults and a build of 30 minutes, and the least refresh period."""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the size, one round")
    parser.add_argument("--rounds", type=int, help="default: 3, small 1")
    parser.add_argument("--scene", type=int, help="only this one, counted from 1")
    parser.add_argument("--json", type=Path, help="write all numbers there as well")
    chosen = parser.parse_args()
    scenes = _SMALL if chosen.small else _FULL
    if chosen.scene:
        scenes = scenes[chosen.scene - 1 : chosen.scene]
    durations = Durations(idle=2, life=None) if chosen.small else Durations(idle=20, life=_LIFE)
    # The fixed costs of a start, such as loading an SDK, weigh ten times as much in a small one.
    budget = Budget(slack=1.5) if chosen.small else Budget()

    binaries = find_binaries()
    print(", ".join(f"{name} {value}" for name, value in machine(binaries).items()), flush=True)
    everything: list[list[Phase]] = []
    summary: list[Phase] = []
    problems: list[str] = []
    for scene in scenes:
        rounds = []
        for number in range(1, (chosen.rounds or (1 if chosen.small else 3)) + 1):
            rounds.append(run_round(scene, durations))
            print(f"\nround {number}\n{table(rounds[-1])}", flush=True)
        everything += rounds
        summary += medians(rounds)
        problems += broken(scene, medians(rounds), budget)
        # A count has no median: it is right in every round, or not.
        problems += [p for phases in rounds[:-1] for p in broken(scene, phases, Budget(1e9))]
    print(f"\nmedians\n{table(summary)}")
    if chosen.json:
        chosen.json.write_text(as_json(binaries, summary, everything))
    for problem in problems:
        print(f"BROKEN: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
