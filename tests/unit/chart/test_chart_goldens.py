"""What the chart makes of sets of values is what was reviewed, with both Helms."""

from pathlib import Path

import pytest
import yaml

from support.chart import HELM_VERSIONS, render
from support.chart_goldens import GOLDEN, golden_files, golden_values

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]


def test_each_kept_rendering_is_current() -> None:
    """`make golden` writes them anew; look at the difference before it is committed."""
    stale = [path.name for path, text in golden_files().items() if path.read_text() != text]
    assert stale == []


def test_nothing_else_is_kept() -> None:
    wanted = set(golden_files()) | set(golden_values().values())
    assert set(GOLDEN.iterdir()) - wanted == set()
    assert len(golden_values()) >= 10


@pytest.mark.parametrize("path", golden_values().values(), ids=golden_values())
def test_helm_3_and_helm_4_render_the_same(path: Path) -> None:
    values = yaml.safe_load(path.read_text())
    three, four = (render(values, version=version) for version in sorted(HELM_VERSIONS))
    assert three == four
