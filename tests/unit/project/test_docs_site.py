"""The site of the docs builds, and its build refuses dead links, orphans and other hosts."""

from pathlib import Path

import pytest
from tools.docs_site import build
from tools.site_links import problems_of_site

from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit

CONFIG = "site_name: t\nuse_directory_urls: false\ntheme: {font: false}\nnav:\n  - index.md\n"


def checkout(folder: Path, **files: str) -> Path:
    """A checkout with a home page and these pages beside it, none of which `nav` lists."""
    (folder / "docs").mkdir(parents=True)
    (folder / "mkdocs.yml").write_text(CONFIG)
    for name, text in files.items():
        (folder / "docs" / f"{name}.md").write_text(text)
    return folder


def test_the_site_of_this_checkout_has_no_problem_and_a_page_for_each_file_it_links(
    tmp_path: Path,
) -> None:
    assert build(REPOSITORY, tmp_path / "site") == []
    example = tmp_path / "site" / "files" / "examples" / "builders" / "uv-job.yaml.html"
    assert "UV_CONFIG_FILE" in example.read_text()
    # What a reader would load from another host is seen in this site's own theme.
    page = tmp_path / "site" / "index.html"
    page.write_text(
        page.read_text().replace("<body", '<script src="//cdn.test/x.js"></script><body')
    )
    style = tmp_path / "site" / "site.css"
    style.write_text("@import '//fonts.test/x.css';")
    assert problems_of_site(tmp_path / "site") == [
        "index.html: loads //cdn.test/x.js from another host",
        "site.css: loads from another host",
    ]


def test_a_page_that_the_navigation_does_not_list_is_named_and_nothing_is_kept(
    tmp_path: Path,
) -> None:
    # A link in code is none, so it is not dead either.
    index = "# Home\n\n```md\n[a](gone.md)\n```\n\nand `[b](gone.md)`\n"
    problems = build(checkout(tmp_path, index=index, lost="# Lost\n"), tmp_path / "site")
    assert problems == ["mkdocs.yml: nav does not list lost.md"]
    assert not (tmp_path / "site").exists()


def test_dead_links_fail_the_build(tmp_path: Path) -> None:
    generators_own = "# Home\n\n[a](gone.md)\n[b](#gone)\n"
    told = "\n".join(build(checkout(tmp_path / "own", index=generators_own), tmp_path / "site"))
    assert "page does not exist" in told and "anchor does not exist" in told
    ours = "# Home\n\n[a](../gone.yaml)\n![b](gone.svg)\n"
    assert build(checkout(tmp_path / "ours", index=ours), tmp_path / "site") == [
        "index.html: dead link ../gone.yaml",
        "index.html: dead link gone.svg",
    ]
