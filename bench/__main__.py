"""`python -m bench`: print the table; exit with 1 where a budget is broken."""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.budget import Budget, wrong_costs, wrong_counts
from bench.bytecode import compile_into
from bench.growth import growth, growth_table
from bench.phase import Phase
from bench.plot import plot
from bench.profile import profile, profile_table
from bench.report import as_json, machine, medians, table
from bench.rounds import run_round
from bench.scene import Scene
from bench.scenes import FULL, GROWTH, SMALL, Plan, chosen
from support.control_plane.binaries import find_binaries


def main() -> int:
    """Run what was asked for; 1 where a budget is broken."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the size, one round")
    parser.add_argument("--rounds", type=int, help="default: 3, small 1")
    parser.add_argument(
        "--scene", action="append", default=[], metavar="NAME",
        help=f"only this one; repeatable: growth, {', '.join(s.name for s, _ in FULL.scenes)}",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write all numbers there as well")
    parser.add_argument("--plot", type=Path, help="draw the growth there, as SVG")
    parser.add_argument(
        "--profile", action="store_true", help="where the CPU goes, instead of time and budgets"
    )
    asked = parser.parse_args()
    plan = SMALL if asked.small else FULL
    if asked.rounds:
        plan = replace(plan, rounds=asked.rounds, most_rounds=asked.rounds)
    try:
        plan = replace(plan, scenes=chosen(plan, asked.scene))
    except ValueError as error:
        parser.error(str(error))
    if asked.profile:
        return _profile(plan)
    return _run(plan, asked.json, asked.plot)


def _profile(plan: Plan) -> int:
    with tempfile.TemporaryDirectory() as folder:
        env = compile_into(Path(folder))
        for scene, _ in plan.scenes:
            print(f"\n{scene.title}\n{profile_table(profile(scene, env))}", flush=True)
    return 0


def _run(plan: Plan, json_path: Path | None, plot_path: Path | None) -> int:
    binaries = find_binaries()
    print(", ".join(f"{name} {value}" for name, value in machine(binaries).items()), flush=True)
    everything: list[list[Phase]] = []
    summary: list[Phase] = []
    sizes: list[tuple[int, Phase]] = []
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        env = compile_into(Path(folder))
        for scene, budget in plan.scenes:
            rounds = _rounds(scene, budget, plan, env)
            middle = medians(rounds)
            everything += rounds
            summary += middle
            sizes += [(scene.indexes, phase) for phase in middle if scene in GROWTH]
            problems += [problem for phases in rounds for problem in wrong_counts(scene, phases)]
            problems += wrong_costs(middle, budget)
    print(f"\nmedians\n{table(summary)}")
    if measures := growth(sizes):
        print(f"\ngrowth\n{growth_table(measures)}")
        if plot_path:
            plot_path.write_text(plot(measures))
    if json_path:
        json_path.write_text(as_json(binaries, summary, everything))
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
