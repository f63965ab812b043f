"""The order in which workers take test files: waiting and computing ones, evenly mixed."""

from pathlib import Path

import pytest

from support.file_order import LONG, WAITING, places

pytestmark = pytest.mark.unit

TESTS = Path(__file__).parents[2]
FILES = list(TESTS.glob("*/**/test_*.py"))
ORDER = sorted(FILES, key=places(FILES, TESTS).__getitem__)


def _waits(file: Path) -> bool:
    return file.relative_to(TESTS).parts[0] in WAITING


def _name(file: Path) -> str:
    return file.relative_to(TESTS).with_suffix("").as_posix()


def test_the_bench_begins_and_only_files_that_wait_run_beside_it() -> None:
    assert ORDER[0] == TESTS / "scale" / "test_bench.py"
    assert all(map(_waits, ORDER[: len(list(filter(_waits, FILES))) // 3]))


def test_after_the_bench_every_tier_that_computes_is_mixed_with_those_that_wait() -> None:
    began = ORDER.index(next(file for file in ORDER if not _waits(file)))
    ends = max(number for number, file in enumerate(ORDER) if _waits(file))
    middle = (began + ends) // 2
    for part in (ORDER[began:middle], ORDER[middle : ends + 1]):
        tiers = {file.relative_to(TESTS).parts[0] for file in part}
        assert tiers == {"cluster", "clients", "cloud", "unit", "uv"}


def test_short_files_come_last() -> None:
    assert all(file.is_relative_to(TESTS / "unit") for file in ORDER[-20:])


def test_every_tier_and_file_that_is_named_is_there() -> None:
    assert set(WAITING) <= {file.relative_to(TESTS).parts[0] for file in FILES}
    assert set(LONG) <= {_name(file) for file in FILES}


def test_long_files_begin_first_in_their_tier() -> None:
    cluster = [_name(file) for file in ORDER if file.is_relative_to(TESTS / "cluster")]
    assert tuple(cluster[: len(LONG)]) == LONG


def test_files_of_one_tier_alone_keep_their_order() -> None:
    unit = sorted((TESTS / "unit").rglob("test_*.py"))
    assert sorted(unit, key=places(unit, TESTS).__getitem__) == unit
