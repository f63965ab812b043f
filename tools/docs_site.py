"""Build the site of the docs: `make docs` writes it to `site/`.

python tools/docs_site.py             builds; fails on a dead link or anchor, or an orphan page
python tools/docs_site.py --to DIR    builds into another folder

A page may link to a file outside `docs/`, such as an example. The site gets a page for it below
`files/`, so no link of the site leads to a place that only a checkout has.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP)]

from tools.site_links import problems_of_site  # noqa: E402 - needs the path

CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
COLOUR = re.compile(r"\x1b\[[\d;]*m")
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)")


def page_of(path: Path, top: Path) -> Path:
    """Return where the site keeps the page of a file or folder, relative to its sources."""
    docs = top / "docs"
    if path.is_relative_to(docs) and path.is_file():
        return path.relative_to(docs)
    name = Path("files") / path.relative_to(top)
    if path.is_dir():
        return name / "index.md"
    return name if path.suffix == ".md" else name.with_name(f"{name.name}.md")


def target_of(link: str, source: Path) -> Path:
    """Return the file or folder that a link names; of a folder with a README, as GitHub, that."""
    folder = source if source.is_dir() else source.parent
    target = Path(os.path.normpath(folder / link))
    readme = target / "README.md"
    return readme if readme.exists() else target


def text_of(path: Path) -> str:
    """Return what is shown of a file or folder, in Markdown, its links still those of the file."""
    if path.is_dir():
        names = sorted(each.relative_to(path) for each in path.rglob("*") if each.is_file())
        return "\n".join([f"# {path.name}/", "", *(f"- [{name}]({name})" for name in names), ""])
    text = path.read_text()
    if path.suffix == ".md":
        return text
    return f"# {path.name}\n\n~~~{path.suffix[1:]}\n{text}~~~\n"


def staged(top: Path) -> dict[Path, str]:
    """Return the site's pages: those of `docs/`, and those that they link to, by their place."""
    pages: dict[Path, str] = {}
    waiting = sorted((top / "docs").rglob("*.md"))

    def place(match: re.Match[str]) -> str:
        target = target_of(match[1], source)
        if not target.exists():
            return match[0]
        waiting.append(target)
        return f"]({os.path.relpath(page_of(target, top), place_of_source.parent)}"

    while waiting:
        source = waiting.pop()
        place_of_source = page_of(source, top)
        if place_of_source in pages or source.suffix in {".svg", ".png"}:
            continue
        parts = CODE.split(text_of(source))
        parts[::2] = [LINK.sub(place, part) for part in parts[::2]]
        pages[place_of_source] = "".join(parts)
    return pages


def unlisted(top: Path) -> list[str]:
    """Return the pages of `docs/` that the navigation in `mkdocs.yml` does not list."""
    listed = set(re.findall(r"([\w./-]+\.md)$", (top / "mkdocs.yml").read_text(), re.MULTILINE))
    pages = {str(each.relative_to(top / "docs")) for each in (top / "docs").rglob("*.md")}
    return [f"mkdocs.yml: nav does not list {page}" for page in sorted(pages - listed)]


def build(top: Path, site: Path) -> list[str]:
    """Build the site of a checkout; returns what is wrong, one line each, and then keeps none."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        shutil.copy(top / "mkdocs.yml", stage)
        shutil.copytree(top / "docs", stage / "docs")
        for name, text in staged(top).items():
            (stage / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / "docs" / name).write_text(text)
        command = [sys.executable, "-m", "zensical", "build", "--strict"]
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=stage, capture_output=True, text=True, check=False
        )
        problems = unlisted(top)
        if done.returncode:
            problems += COLOUR.sub("", done.stderr.partition("Traceback")[0]).splitlines()
        else:
            problems += problems_of_site(stage / "site")
        if not problems:
            shutil.rmtree(site, ignore_errors=True)
            shutil.copytree(stage / "site", site)
    return problems


def main() -> int:
    """Build the site; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=TOP / "site", help="the folder, replaced")
    folder = parser.parse_args().to
    problems = build(TOP, folder)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if not problems:
        sys.stdout.write(f"{folder / 'index.html'}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
