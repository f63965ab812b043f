"""The order of the test files, in which workers share two cores."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

WAITING = ("scale", "emulated", "chaos", "node", "cluster")
"""The tiers that wait for clocks and servers most of the time; the others compute. The bench, which
compares times, is the longest file, and those that compute least begin beside it."""

LONG = (
    "cluster/test_demo",
    "cluster/test_hostile_server_state",
    "cluster/test_newest_kubernetes",
    "cluster/test_transitions",
    "cluster/test_withdrawal",
)
"""Files that take a minute: they begin first in their tier, so that none of them is the last."""

_BENCH_ENDS = 0.42
"""The place of the first file that computes: none of them is to run beside the bench."""
_LAST_LONG = 0.85
"""The place after which only unit tests begin, whose files are short: all workers end at once."""


def places(files: Iterable[Path], tests: Path) -> dict[Path, float]:
    """Each file's place in the order, from 0 to 1; `tests` is the folder of the tiers.

    Files that wait and files of each tier that computes are mixed evenly: of workers that all wait
    the cores are idle, and workers that all compute are in each other's way.
    """
    tiers: defaultdict[str, list[Path]] = defaultdict(list)
    named = {file: file.relative_to(tests).with_suffix("") for file in files}
    for file in sorted(named, key=lambda file: (named[file].as_posix() not in LONG, file)):
        tiers[named[file].parts[0]].append(file)
    waiting = [file for tier in WAITING for file in tiers.pop(tier, [])]
    found = _spread(waiting, 0, _LAST_LONG)
    for tier, computing in tiers.items():
        found |= _spread(computing, _BENCH_ENDS, 1 if tier == "unit" else _LAST_LONG)
    return found


def _spread(files: Sequence[Path], first: float, last: float) -> dict[Path, float]:
    step = (last - first) / max(1, len(files))
    return {file: first + number * step for number, file in enumerate(files)}
