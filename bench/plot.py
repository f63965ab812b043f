"""A plot of growth as SVG: both axes logarithmic, so that a straight 45° line is linear growth."""

import math
from collections.abc import Iterable, Sequence

from bench.growth import Growth

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 440, 60, 240, 20, 40
_COLOURS = ("#1b6ca8", "#c0392b", "#27875a", "#8e5ea2", "#b9770e", "#555555")


def plot(measures: Sequence[Growth]) -> str:
    """One line for each measure."""
    values = [value for measure in measures for value in measure.values if value > 0]
    sizes = measures[0].sizes
    x_axis, y_axis = _decades(sizes), _decades(values)

    def x_of(size: float) -> float:
        return _LEFT + _share(size, x_axis) * (_WIDTH - _LEFT - _RIGHT)

    def y_of(value: float) -> float:
        return _HEIGHT - _BOTTOM - _share(value, y_axis) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for power in range(x_axis[0], x_axis[1] + 1):
        x = x_of(10.0**power)
        parts.append(_line(x, _TOP, x, bottom, "#dddddd"))
        parts.append(_text(x, bottom + 18, f"{10**power:,}", "middle"))
    for power in range(y_axis[0], y_axis[1] + 1):
        y = y_of(10.0**power)
        parts.append(_line(_LEFT, y, right, y, "#dddddd"))
        parts.append(_text(_LEFT - 6, y + 4, f"{10.0**power:g}", "end"))
    parts.append(_text((_LEFT + right) / 2, _HEIGHT - 4, "ArtifactIndex", "middle"))
    for row, one in enumerate(measures):
        colour = _COLOURS[row % len(_COLOURS)]
        points = [(x_of(x), y_of(y)) for x, y in zip(one.sizes, one.values, strict=True) if y > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(_text(right + 16, _TOP + 18 * (row + 1), one.title, "start", colour))
    return "\n".join([*parts, "</svg>", ""])


def _decades(values: Iterable[float]) -> tuple[int, int]:
    """The powers of ten around all values, at least one apart."""
    logarithms = [math.log10(value) for value in values]
    first, last = math.floor(min(logarithms)), math.ceil(max(logarithms))
    return first, max(last, first + 1)


def _share(value: float, axis: tuple[int, int]) -> float:
    return (math.log10(value) - axis[0]) / (axis[1] - axis[0])


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
