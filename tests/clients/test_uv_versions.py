"""docs/reference/uv-versions.md says what this very run measures."""

import importlib.util
from pathlib import Path

import pytest

from support.uv_clients import FOUR_VERSIONS
from support.uv_probes import measure

pytestmark = pytest.mark.clients

TOP = Path(__file__).parents[2]


@pytest.mark.parametrize("version", FOUR_VERSIONS)
def test_the_page_says_what_this_version_does(version: str) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (TOP / "docs" / "reference" / "uv-versions.md").read_text().splitlines()
        if line.startswith("|")
    ]
    column = rows[0].index(version)

    assert {row[0]: row[column] for row in rows[2:]} == measure(version)


def test_the_page_is_what_its_generator_writes() -> None:
    """Its head and its form, with the measured cells as they stand there."""
    spec = importlib.util.spec_from_file_location("uv_versions", TOP / "tools" / "uv_versions.py")
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    text = (TOP / "docs" / "reference" / "uv-versions.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]

    measured = {
        version: {row[0]: row[column] for row in rows[2:]}
        for column, version in enumerate(rows[0])
        if column
    }
    assert generator.page(measured) == text
