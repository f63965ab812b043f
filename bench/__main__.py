"""`python -m bench`: print the table; exit with 1 where a budget is broken."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.against import ratio_table
from bench.budget import Budget, wrong_costs, wrong_counts
from bench.bytecode import Build, compile_ours
from bench.client_models import compare_clients
from bench.fan_out import wrong_shares
from bench.growth import growth, growth_table
from bench.instructions import MOST, NoValgrindError, count_against, count_table
from bench.pairs import run_against
from bench.phase import Phase
from bench.plot import plot
from bench.profile import profile, profile_table
from bench.report import as_data, machine, medians, table
from bench.rounds import run_round
from bench.scene import Scene
from bench.scenes import (
    ALL,
    FULL,
    GATE,
    GROWTH,
    SMALL,
    TENANTS,
    WEEK,
    Plan,
    chosen,
    names_of,
    paired,
)
from bench.tenants.live import live_together
from bench.tenants.plan import Tenants
from bench.tenants.report import broken_limits, tenants_data, tenants_table
from bench.week.expected import wrong_week
from bench.week.life import Lived, live_through
from bench.week.plan import Week
from bench.week.report import growing, rates_table, week_data, week_tables
from support.control_plane.binaries import find_binaries
from support.other_operator import RevisionUnavailable, environment_of


def main() -> int:
    """Run what was asked for; 1 where a budget is broken."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the size, one round")
    parser.add_argument("--rounds", type=int, help="default: 3, small 1")
    parser.add_argument(
        "--scene", action="append", default=[], metavar="NAME",
        help=f"only this one; repeatable: {', '.join(names_of(FULL))}",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write all numbers there as well")
    parser.add_argument("--plot", type=Path, help="draw the growth there, as SVG")
    parser.add_argument(
        "--profile", action="store_true", help="where the CPU goes, instead of time and budgets"
    )
    parser.add_argument(
        "--client", action="store_true", help="what the client's own models would cost, instead"
    )
    parser.add_argument(
        "--against", metavar="REV",
        help="run each scene with the operator of this commit as well, and exit with 1 where ours "
        f"costs more; without --scene: {', '.join(GATE)}; --scene {ALL} is every scene",
    )  # fmt: skip
    parser.add_argument(
        "--count", action="store_true",
        help="with --against: count the instructions under valgrind, instead of time and memory",
    )  # fmt: skip
    parser.add_argument(
        "--most", type=float, default=MOST, metavar="RATIO",
        help="with --count: how many of their instructions ours may take (default: %(default)s)",
    )  # fmt: skip
    asked = parser.parse_args()
    if asked.count and not asked.against:
        parser.error("--count needs --against: a count says something beside another one")
    try:
        plan = _planned(asked)
        their_python = environment_of(asked.against) if asked.against else None
        if their_python and asked.count:
            return _count(asked, their_python, plan)
    except (ValueError, RevisionUnavailable, NoValgrindError) as error:
        parser.error(str(error))
    if their_python:
        return _against(asked.against, their_python, plan, asked.json)
    if asked.client:
        return _client(plan.rounds)
    if asked.profile:
        return _profile(plan)
    return _run(plan, asked.json, asked.plot)


def _planned(asked: argparse.Namespace) -> Plan:
    plan = SMALL if asked.small else FULL
    if asked.rounds:
        plan = replace(plan, rounds=asked.rounds, most_rounds=asked.rounds)
    if asked.against:
        return replace(plan, scenes=paired(asked.scene, small=asked.small))
    plan = replace(plan, scenes=chosen(plan, asked.scene))
    if asked.scene and WEEK not in asked.scene:
        plan = replace(plan, weeks=())
    if asked.scene and TENANTS not in asked.scene:
        plan = replace(plan, tenants=())
    return plan


def _client(rounds: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        print(compare_clients(compile_ours(Path(folder)).env, rounds))
    return 0


def _profile(plan: Plan) -> int:
    with tempfile.TemporaryDirectory() as folder:
        env = compile_ours(Path(folder)).env
        for scene, _ in plan.scenes:
            print(f"\n{scene.title}\n{profile_table(profile(scene, env))}", flush=True)
    return 0


def _against(revision: str, python: Path, plan: Plan, json_path: Path | None) -> int:
    comparisons, data = run_against(python, plan)
    print(f"\nours over {revision}\n{ratio_table(comparisons)}")
    problems = [problem for phase in comparisons for problem in phase.problems]
    return _finish(problems, {"against": revision, **data}, json_path)


def _count(asked: argparse.Namespace, python: Path, plan: Plan) -> int:
    counted = count_against(python, plan)
    print(f"\ninstructions of ours over {asked.against}, in 10^9\n{count_table(counted)}")
    problems = [problem for phase in counted if (problem := phase.problem(asked.most))]
    data = {"against": asked.against, "instructions": [asdict(phase) for phase in counted]}
    return _finish(problems, data, asked.json)


def _run(plan: Plan, json_path: Path | None, plot_path: Path | None) -> int:
    problems: list[str] = []
    data: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if plan.scenes:
            problems += _run_scenes(plan, Path(folder), plot_path, data)
        if plan.weeks:
            problems += _live_weeks(plan.weeks, data)
        if plan.tenants:
            problems += _live_together(plan.tenants, Path(folder), data)
    return _finish(problems, data, json_path)


def _finish(problems: list[str], data: dict[str, Any], json_path: Path | None) -> int:
    if json_path:
        json_path.write_text(json.dumps(data, indent=2))
    for problem in problems:
        print(f"BROKEN: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _run_scenes(
    plan: Plan, folder: Path, plot_path: Path | None, data: dict[str, Any]
) -> list[str]:
    """Run every scene; the bytecode is kept in the folder."""
    binaries = find_binaries()
    print(", ".join(f"{name} {value}" for name, value in machine(binaries).items()), flush=True)
    everything: list[list[Phase]] = []
    summary: list[Phase] = []
    sizes: list[tuple[int, Phase]] = []
    problems: list[str] = []
    ours = compile_ours(folder)
    for scene, budget in plan.scenes:
        rounds = _rounds(scene, budget, plan, ours)
        middle = medians(rounds)
        everything += rounds
        summary += middle
        sizes += [(scene.indexes, phase) for phase in middle if scene in GROWTH]
        problems += [problem for phases in rounds for problem in wrong_counts(scene, phases)]
        problems += wrong_costs(middle, budget)
    problems += wrong_shares(summary)
    print(f"\nmedians\n{table(summary)}")
    if measures := growth(sizes):
        print(f"\ngrowth\n{growth_table(measures)}")
        if plot_path:
            plot_path.write_text(plot(measures))
    data |= as_data(binaries, summary, everything)
    return problems


def _live_weeks(plans: Sequence[Week], data: dict[str, Any]) -> list[str]:
    weeks: list[Lived] = []
    for plan in plans:
        weeks.append(live_through(plan))
        print(f"\n{week_tables(weeks[-1])}", flush=True)
    print(f"\n{rates_table(weeks)}", flush=True)
    data["weeks"] = [week_data(week) for week in weeks]
    return [problem for week in weeks for problem in wrong_week(week)] + growing(weeks)


def _live_together(plans: Sequence[Tenants], folder: Path, data: dict[str, Any]) -> list[str]:
    """Let the tenants live together; bytecode that the folder holds is not made again."""
    problems: list[str] = []
    ours = compile_ours(folder)
    for plan in plans:
        phases = live_together(plan, ours)
        print(f"\n{tenants_table(plan, phases)}", flush=True)
        data.setdefault(TENANTS, []).append(tenants_data(plan, phases))
        problems += broken_limits(plan, phases)
    return problems


def _rounds(scene: Scene, budget: Budget, plan: Plan, ours: Build) -> list[list[Phase]]:
    rounds: list[list[Phase]] = []
    while len(rounds) < plan.rounds or (
        len(rounds) < plan.most_rounds and wrong_costs(medians(rounds), budget)
    ):
        rounds.append(run_round(scene, plan.durations, ours))
        print(f"\nround {len(rounds)}\n{table(rounds[-1])}", flush=True)
    return rounds


if __name__ == "__main__":
    sys.exit(main())
