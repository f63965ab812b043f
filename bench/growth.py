"""How time, memory and writes grow with the number of indexes: the fit, and the plot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.phase import COLD_START, IDLE, KEY_ROTATED, RESTART, Phase

_MEASURES = (
    ("cold start: time, s", COLD_START, "total"),
    ("cold start: CPU, s", COLD_START, "cpu"),
    ("cold start: memory, MiB", COLD_START, "memory"),
    ("on the API server: JSON, MiB", COLD_START, "stored"),
    ("restart: CPU, s", RESTART, "cpu"),
    ("idle: CPU, s", IDLE, "cpu"),
    ("key rotated: CPU, s", KEY_ROTATED, "cpu"),
)


@dataclass(frozen=True)
class Growth:
    """One measure at each size, and how it grows between them."""

    title: str
    sizes: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def each(self) -> float:
        """What one more index costs, by least squares with each size weighted by its inverse."""
        return self._line[1]

    @property
    def fixed(self) -> float:
        """What there is without any index, by the same fit."""
        return self._line[0]

    @property
    def exponent(self) -> float | None:
        """By which power of the size the last step grew, beside the one before; a fixed part does
        not matter. 1 is linear, 2 quadratic; None where something got less."""
        steps = [after - before for before, after in pairwise(self.values)]
        spans = [after - before for before, after in pairwise(self.sizes)]
        if len(steps) < 2 or min(steps) <= 0:
            return None
        return math.log(steps[-1] / steps[-2]) / math.log(spans[-1] / spans[-2])

    @property
    def _line(self) -> tuple[float, float]:
        weights = [1 / size for size in self.sizes]
        total = sum(weights)
        middle_x = sum(w * x for w, x in zip(weights, self.sizes, strict=True)) / total
        middle_y = sum(w * y for w, y in zip(weights, self.values, strict=True)) / total
        points = list(zip(weights, self.sizes, self.values, strict=True))
        spread = sum(w * (x - middle_x) ** 2 for w, x, _ in points)
        slope = sum(w * (x - middle_x) * (y - middle_y) for w, x, y in points) / spread
        return middle_y - slope * middle_x, slope


def growth(phases: Sequence[tuple[int, Phase]]) -> list[Growth]:
    """The measures of phases, each with the number of its indexes; at least two sizes."""
    found = []
    for title, name, attribute in _MEASURES:
        points = sorted(
            (size, value)
            for size, phase in phases
            if phase.name == name and (value := getattr(phase, attribute)) is not None
        )
        if len(points) > 1:
            sizes, values = zip(*points, strict=True)
            found.append(Growth(title, sizes, values))
    return found


def growth_table(measures: Sequence[Growth]) -> str:
    """The values, the straight line and the exponent as Markdown."""
    sizes = measures[0].sizes
    rows = [["measure", *(f"{size:,}" for size in sizes), "fixed", "for 1,000 more", "exponent"]]
    rows.append(["---"] * len(rows[0]))
    for measure in measures:
        exponent = "" if measure.exponent is None else f"{measure.exponent:.2f}"
        values = (f"{value:.2f}" for value in measure.values)
        rows.append(
            [measure.title, *values, f"{measure.fixed:.2f}", f"{1000 * measure.each:.2f}", exponent]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
