"""The table of the tenants, what their JSON holds, and what broke a limit."""

from collections.abc import Sequence
from typing import Any

from bench.tenants.live import ALONE, ARRIVING, BESIDE, RESTARTED, Watched
from bench.tenants.plan import Limits, Tenants

_COLUMNS = (
    "phase", "seconds", "new files", "p50 s", "p99 s", "bare p50 s", "bare p99 s", "tokens",
    "replaced", "withdrawn", "least life s", "healthz bad of", "worst s", "longest without s",
    "lag p99 ms", "MiB", "CPU s", "mints", "per s", "lookups",
)  # fmt: skip

_OVER = "beside others over alone"
_RAW = " raw"


def tenants_table(plan: Tenants, phases: Sequence[Watched]) -> str:
    """One row for each phase, as Markdown, and the ratio."""
    rows = [list(_COLUMNS), ["---"] * len(_COLUMNS), *(_row(phase) for phase in phases)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in _ratios(phases).items())
    return "\n".join([plan.title, *(f"| {line} |" for line in lines), f"{_OVER}: {ratios}"])


def tenants_data(plan: Tenants, phases: Sequence[Watched]) -> dict[str, Any]:
    """All numbers."""
    rows = [dict(zip(_COLUMNS, _row(phase), strict=True)) for phase in phases]
    return {"title": plan.title, "phases": rows, "ratios": _ratios(phases)}


def broken_limits(plan: Tenants, phases: Sequence[Watched]) -> list[str]:
    """Every limit that a phase broke, in words."""
    limits = plan.limits
    problems: list[str] = []
    for phase in phases:
        for what, found, most in (
            _new_file(phase, limits),
            ("tokens withdrawn", phase.seen.withdrawn, 0),
            ("tokens missing at the end", plan.good - phase.seen.held, 0),
            ("bad answers of /healthz", phase.health.bad, 0),
            ("ms of lag at p99", 1000 * phase.lag_p99, limits.lag),
            ("MiB", phase.memory, limits.memory),
            ("mints in a second", phase.mints / phase.seconds, limits.mints),
            ("lookups of URLs", phase.lookups, limits.lookups * _logins(plan, phase)),
        ):
            if most is not None and found > most:
                problems.append(f"tenants, {phase.name}: {found:.2f} {what}, more than {most:.2f}")
        if limits.life is not None and phase.seen.least_life < limits.life:
            problems.append(
                f"tenants, {phase.name}: a token had {phase.seen.least_life:.1f} s left, promised "
                f"were {limits.life:.1f}"
            )
    problems += [
        f"tenants: {name} beside others is {ratio:.2f} times that alone, more than {limits.ratio}"
        for name, ratio in _ratios(phases).items()
        if limits.ratio is not None and not name.endswith(_RAW) and ratio > limits.ratio
    ]
    return problems


def _new_file(phase: Watched, limits: Limits) -> tuple[str, float, float]:
    """The limit of the time to a new file.

    The bench itself keeps the API server busy while the others arrive: there only what the operator
    takes beyond a bare loop counts.
    """
    if phase.name == ARRIVING and phase.bare is not None:
        beyond = phase.files.p99_beyond(phase.bare)
        return "s to a new file beyond a bare loop at p99", beyond, limits.new_file
    most = limits.after_start if phase.name == RESTARTED else limits.new_file
    return "s to a new file at p99", phase.files.p99, most


def _logins(plan: Tenants, phase: Watched) -> int:
    return plan.logins + len(phase.files.waits)


def _ratios(phases: Sequence[Watched]) -> dict[str, float]:
    """The times beside the others over those alone.

    What a bare loop takes longer beside the others is the API server's and the machine's: the good
    tenant alone would take that longer, too. Without that the ratio is raw, and has no limit.
    """
    found = {phase.name: phase for phase in phases}
    alone, beside = found[ALONE], found[BESIDE]
    ratios = {}
    for name in ("p50", "p99"):
        before, after = getattr(alone.files, name), getattr(beside.files, name)
        if alone.bare is not None and beside.bare is not None:
            ratios[f"{name}{_RAW}"] = after / before
            before += max(0.0, getattr(beside.bare, name) - getattr(alone.bare, name))
        ratios[name] = after / before
    return ratios


def _bare(phase: Watched) -> list[str]:
    if phase.bare is None:
        return ["", ""]
    return [f"{phase.bare.p50:.2f}", f"{phase.bare.p99:.2f}"]


def _row(phase: Watched) -> list[str]:
    files, seen, health = phase.files, phase.seen, phase.health
    return [
        phase.name, f"{phase.seconds:.0f}", str(len(files.waits)), f"{files.p50:.2f}",
        f"{files.p99:.2f}", *_bare(phase), str(seen.held), str(seen.replaced), str(seen.withdrawn),
        f"{seen.least_life:.1f}",
        f"{health.bad} of {health.asked}", f"{health.worst:.2f}", f"{health.gap:.1f}",
        f"{1000 * phase.lag_p99:.0f}", f"{phase.memory:.0f}", f"{phase.cpu:.1f}",
        str(phase.mints), f"{phase.mints / phase.seconds:.1f}", str(phase.lookups),
    ]  # fmt: skip
