"""The order of the test files, in which workers share two cores."""

from collections.abc import Iterable, Sequence
from pathlib import Path

WAITING = ("scale", "emulated", "chaos", "node", "cluster")
"""The tiers that wait for clocks and servers most of the time; the others compute. The bench, which
compares times, is the longest file, and those that compute least begin beside it."""

LONG = ("test_demo", "test_hostile_server_state", "test_transitions", "test_withdrawal")
"""Files that take a minute: they begin first in their tier, so that none of them is the last."""

_BENCH_ENDS = 0.35
"""The place of the first file that computes: none of them is to run beside the bench."""
_LAST_WAITING = 0.9
"""Short files that compute come last, so that all workers end at the same time."""


def places(files: Iterable[Path], tests: Path) -> dict[Path, float]:
    """Each file's place in the order, by its path; `tests` is the folder of the tiers.

    Files that wait and files that compute are mixed evenly: of workers that all wait the cores are
    idle, and workers that all compute are in each other's way.
    """
    waiting: list[Path] = []
    computing: list[Path] = []
    for file in sorted(set(files)):
        tier = file.relative_to(tests).parts[0]
        (waiting if tier in WAITING else computing).append(file)
    waiting.sort(
        key=lambda file: (WAITING.index(file.relative_to(tests).parts[0]), file.stem not in LONG)
    )
    return _spread(waiting, 0, _LAST_WAITING) | _spread(computing, _BENCH_ENDS, 1)


def _spread(files: Sequence[Path], first: float, last: float) -> dict[Path, float]:
    step = (last - first) / max(1, len(files))
    return {file: first + number * step for number, file in enumerate(files)}
