"""What is wrong with the links of a built site: dead ones, and whatever a reader would download."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

REMOTE = re.compile(r"""(?:url\(|@import\s+)\s*['"]?(?:https?:)?//""")


class Page(HTMLParser):
    """The anchors, the links and the loaded files of one page."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element names."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if "src" in values:
            self.loaded.add(values["src"])
        if tag == "link" and values.get("rel") not in {"canonical", "prev", "next"}:
            self.loaded.add(values.get("href", ""))


def problems_of_site(site: Path) -> list[str]:
    """Return the dead links and anchors of a site, and what its pages load from other hosts."""
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    problems = []
    for path, page in sorted(pages.items()):
        name = path.relative_to(site)
        for link in sorted(page.links | page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    problems.append(f"{name}: loads {link} from another host")
                continue
            # 404.html is served at any depth, so its links begin at the site's root.
            begin = site if parts.path.startswith("/") else path.parent
            target = (begin / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            if not target.exists():
                problems.append(f"{name}: dead link {link}")
            elif target in pages and unquote(parts.fragment) not in {"", *pages[target].anchors}:
                problems.append(f"{name}: dead anchor {link}")
    styles = [path for path in sorted(site.rglob("*.css")) if REMOTE.search(path.read_text())]
    return problems + [f"{path.relative_to(site)}: loads from another host" for path in styles]
