"""Two operators beside each other: the ratios, and where they break the gate."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.observe import DISCOVERY
from bench.phase import COLD_START, IDLE, RESTART, Phase

MOST_TIME = 1.03
MOST_CPU = 1.03
MOST_MEMORY = 1.02
"""The gate: how much of theirs our operator may take, in the median of the rounds."""


class Round(NamedTuple):
    """The phases of both operators, in the same order."""

    theirs: list[Phase]
    ours: list[Phase]


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs of the same round: the median, the least and the most of all rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.least:.2f} to {self.most:.2f})"


@dataclass(frozen=True)
class Comparison:
    """One phase of a scene over all rounds; a ratio is None where the phase has no such measure.

    `differences` are the counts that were not equal, in words.
    """

    scene: str
    phase: str
    time: Ratio | None
    cpu: Ratio | None
    memory: Ratio | None
    differences: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """Where the gate is broken, in words."""
        found = list(self.differences)
        for what, ratio, most in (
            # The bench looks fifty times a second whether a restarted operator is ready: too
            # coarse for 3 % of less than a second. Its CPU is compared.
            ("time", None if self.phase == RESTART else self.time, MOST_TIME),
            ("CPU", self.cpu, MOST_CPU),
            ("memory", self.memory, MOST_MEMORY),
        ):
            if ratio is not None and ratio.median > most:
                found.append(f"{ratio.median:.3f} times their {what}, more than {most:.2f}")
        return [f"{self.scene}, {self.phase}: {problem}" for problem in found]


def theirs_first(number: int) -> bool:
    """Whether the other operator begins this round, counted from 0; the two take turns."""
    return number % 2 == 0


def compare(rounds: Sequence[Round]) -> list[Comparison]:
    """Each phase of one scene, over all of its rounds."""
    theirs = zip(*(both.theirs for both in rounds), strict=True)
    ours = zip(*(both.ours for both in rounds), strict=True)
    return [_compared(*phase) for phase in zip(theirs, ours, strict=True)]


def ratio_table(comparisons: Iterable[Comparison]) -> str:
    """The ratios as Markdown, each with its least and its most, and whether counts are equal."""
    rows = [["scene", "phase", "time", "CPU", "memory", "counts"], ["---"] * 6]
    for phase in comparisons:
        ratios = (phase.time, phase.cpu, phase.memory)
        shown = ("" if ratio is None else str(ratio) for ratio in ratios)
        counts = "differ" if phase.differences else "equal"
        rows.append([phase.scene, phase.phase, *shown, counts])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _compared(theirs: Sequence[Phase], ours: Sequence[Phase]) -> Comparison:
    pairs = list(zip(theirs, ours, strict=True))
    # Nothing happens in an idle phase: hundredths of a second and of a MiB have no ratio.
    measured = [] if ours[0].name == IDLE else pairs
    return Comparison(
        scene=ours[0].scene,
        phase=ours[0].name,
        time=_ratio(measured, lambda phase: phase.ready if phase.total is None else phase.total),
        cpu=_ratio(measured, lambda phase: phase.cpu),
        memory=_ratio(measured, lambda phase: phase.memory),
        differences=(
            *(
                f"round {number}: {difference}"
                for number, (their, our) in enumerate(pairs, 1)
                for difference in _differences(_exact_counts(their), _exact_counts(our))
            ),
            *(
                f"in the least of all rounds: {difference}"
                for difference in _differences(_least_listings(theirs), _least_listings(ours))
            ),
        ),
    )


def _ratio(
    pairs: Sequence[tuple[Phase, Phase]], measure: Callable[[Phase], float | None]
) -> Ratio | None:
    ratios = [
        our / their
        for theirs, ours in pairs
        if (their := measure(theirs)) and (our := measure(ours)) is not None
    ]
    if not ratios:
        return None
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def _differences(theirs: Mapping[str, int], ours: Mapping[str, int]) -> list[str]:
    return [
        f"{ours.get(what, 0)} {what}, theirs {theirs.get(what, 0)}"
        for what in sorted(theirs.keys() | ours.keys())
        if ours.get(what, 0) != theirs.get(what, 0)
    ]


def _exact_counts(phase: Phase) -> dict[str, int]:
    by_name = {label: count for label, count in phase.reads.items() if not _is_listing(label)}
    return {
        **{f"times {label}": count for label, count in (phase.writes | by_name).items()},
        "mints": phase.mints,
        "endpoint calls": phase.endpoint_calls,
        "failed requests": phase.failed,
    }


def _least_listings(phases: Sequence[Phase]) -> dict[str, int]:
    """The least pages of each kind: on a busy machine watches begin apart, and more is listed."""
    if phases[0].name == COLD_START:
        # Its end may cut off the listings after the first wave.
        return {}
    labels = {label for phase in phases for label in phase.reads if _is_listing(label)}
    return {
        f"times {label}".strip(): min(phase.reads.get(label, 0) for phase in phases)
        for label in labels
    }


def _is_listing(label: str) -> bool:
    return label.startswith("list ") or label == DISCOVERY
