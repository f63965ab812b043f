"""Pages point at what is there: files by links, tests and examples by their paths."""

import re
from pathlib import Path

import pytest

from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit

PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *REPOSITORY.glob("helm/*/*.md"),
    ]
)
METRICS = REPOSITORY / "docs" / "reference" / "metrics.md"
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
CODE = re.compile(r"`[^`\n]*`")
PATH = re.compile(r"`((?:tests|examples|docs|helm|tools|bench|demo|crds|requirements)/[\w./-]+)`")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings]
    return {re.sub(r"\s", "-", each.strip()) for each in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_page_points_at_what_is_there(page: Path) -> None:
    text = page.read_text()
    missing = []
    for link in LINK.findall(CODE.sub("", text)):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    missing += [path for path in PATH.findall(text) if not (REPOSITORY / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_metric_that_a_page_names_is_one_that_is_served(page: Path) -> None:
    served = set(re.findall(r"^\| `(artifact_index_\w+)`", METRICS.read_text(), re.MULTILINE))
    named = set(re.findall(r"`(artifact_index_\w+)`", page.read_text()))
    assert named <= served


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_table_ends_at_an_empty_line(page: Path) -> None:
    """A renderer takes what follows at once for one more row."""
    assert re.findall(r"^\|.*\n(?!\||\n|<!--)(.+)", page.read_text(), re.MULTILINE) == []
