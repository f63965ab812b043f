"""What pages say of the chart's values is what the chart takes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import CHART, RELEASE, run_helm, with_image
from support.operator_process import REPOSITORY

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]

PAGES = [
    REPOSITORY / "README.md",
    CHART / "README.md",
    *sorted((REPOSITORY / "docs" / "how-to").glob("*.md")),
]
SET = re.compile(r"--set (?:'[^'\n]+'|[^\s'`]+)")
DIGEST = "${IMAGE:?}"
"""The variable in which a page keeps the digest of a verified image."""
NAMED = re.compile(r"`([a-z]\w+(?:\.\w+)+)(?:[=:][^`]*)?`")


def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


def test_every_value_that_a_page_sets_is_taken() -> None:
    options = {option for path in PAGES for option in SET.findall(path.read_text())}
    assert len(options) > 5
    filled = (option.replace(DIGEST, f"sha256:{0:064}") for option in sorted(options))
    words = [word for option in filled for word in shlex.split(option)]
    run_helm("template", RELEASE, CHART, *words, values=with_image())


def test_the_values_of_the_page_on_installing_are_taken() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "install.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        run_helm("template", RELEASE, CHART, values=with_image(yaml.safe_load(block)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_value_that_a_page_names_exists(page: Path) -> None:
    """Paths that begin with a key of the chart; deeper than a mapping of names anything goes."""
    text, _, _ = page.read_text().partition("\n## Not here, because\n")
    known = values()
    missing = [
        path for path in NAMED.findall(text) if path.split(".")[0] in known and not has(known, path)
    ]
    assert missing == []


def has(found: Any, path: str) -> bool:
    """Whether there is a value at the path, or one that users fill."""
    for key in path.split("."):
        if not found and isinstance(found, dict):
            return True
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True
