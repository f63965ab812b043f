"""Medians over the rounds, the table, and what the JSON holds."""

import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.phase import Phase
from support.control_plane.binaries import Binaries

_COLUMNS = (
    ("total s", "total", "{:.2f}"),
    ("bare s", "bare", "{:.2f}"),
    ("ratio", "ratio", "{:.2f}"),
    ("writing s", "writing", "{:.2f}"),
    ("start-up s", "start_up", "{:.2f}"),
    ("bare start-up s", "bare_start_up", "{:.2f}"),
    ("ready s", "ready", "{:.2f}"),
    ("CPU s", "cpu", "{:.2f}"),
    ("bare CPU s", "bare_cpu", "{:.2f}"),
    ("CPU ratio", "cpu_ratio", "{:.2f}"),
    ("server CPU s", "server_cpu", "{:.1f}"),
    ("bare server CPU s", "bare_server_cpu", "{:.1f}"),
    ("work ratio", "work_ratio", "{:.2f}"),
    ("MiB", "memory", "{:.0f}"),
    ("answer p50 ms", "answer_p50", "{:.0f}"),
    ("answer p99 ms", "answer_p99", "{:.0f}"),
    ("lag p99 ms", "lag_p99", "{:.0f}"),
    ("worst ms", "lag_worst", "{:.0f}"),
)


def medians(rounds: Sequence[Sequence[Phase]]) -> list[Phase]:
    """One phase for each of the rounds' phases; counts are those of the last round."""
    return [_median(same) for same in zip(*rounds, strict=True)]


def _median(phases: Sequence[Phase]) -> Phase:
    result = Phase(**{item.name: getattr(phases[-1], item.name) for item in fields(Phase)})
    for item in fields(Phase):
        values = [getattr(phase, item.name) for phase in phases]
        if all(isinstance(value, float) for value in values):
            setattr(result, item.name, statistics.median(values))
    return result


def table(phases: Iterable[Phase]) -> str:
    """The medians as Markdown."""
    rows = [["scene", "phase", "writes", "reads", "mints", *(title for title, _, _ in _COLUMNS)]]
    rows.append(["---"] * len(rows[0]))
    for phase in phases:
        counts = [str(sum(phase.writes.values())), str(sum(phase.reads.values())), str(phase.mints)]
        measured = [_shown(getattr(phase, name), form) for _, name, form in _COLUMNS]
        rows.append([phase.scene, phase.name, *counts, *measured])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def machine(binaries: Binaries) -> dict[str, Any]:
    """What the numbers depend on."""
    page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(page * pages / 2**30),
        "python": platform.python_version(),
        "kube-apiserver": _version(binaries.kube_apiserver),
        "etcd": _version(binaries.etcd),
        **{name: metadata.version(name) for name in ("kopf", "kubernetes", "boto3", "aiohttp")},
    }


def _version(program: Path) -> str:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()[0].split()[-1]


def as_data(
    binaries: Binaries, medians_: Iterable[Phase], rounds: Sequence[Sequence[Phase]]
) -> dict[str, Any]:
    """Everything: the machine, the medians, and each round."""
    return {
        "machine": machine(binaries),
        "medians": [asdict(phase) for phase in medians_],
        "rounds": [[asdict(phase) for phase in phases] for phases in rounds],
    }
