"""docs/explanation/threats.md names tests that exist, and a test or an open point in each row."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

TOP = Path(__file__).parents[3]
PAGE = (TOP / "docs" / "explanation" / "threats.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| Threat "))
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of the tests in a file."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    nodes = ast.walk(ast.parse(path.read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, functions))


@pytest.mark.parametrize(("path", "name"), sorted(set(TEST.findall(PAGE))))
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert name.startswith("test_") and name in names_in(TOP / path)


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_each_threat_has_an_answer_and_a_test_or_is_open(row: list[str]) -> None:
    assert len(row) == 3 and all(row)
    shown = row[2].split(", ")
    assert shown == ["open"] or all(TEST.fullmatch(test) for test in shown)


def test_there_are_rows() -> None:
    assert len(ROWS) > 40
