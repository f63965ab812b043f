"""Reads the start of an index's pages. Pure."""

import re
from typing import Final

_JSON_NAME: Final = re.compile(rb'"name"\s*:\s*"([A-Za-z0-9][A-Za-z0-9._-]*)"')
_LINK: Final = re.compile(rb"<a\s[^>]*href=[\"']([^\"'#?]+)", re.IGNORECASE)
_FORM: Final = re.compile(rb"<(form|input|script)[\s>]", re.IGNORECASE)
_FILE: Final = re.compile(rb'"filename"\s*:')
_UPLOADED: Final = re.compile(rb'"upload-time"\s*:\s*"')


def first_project(body: bytes) -> str | None:
    """The first project of a list of projects, normalized; the list may be cut off."""
    found = _JSON_NAME.search(body)
    if found is None:
        link = _LINK.search(body)
        name = link[1].decode("ascii", "replace").rstrip("/").rpartition("/")[2] if link else ""
        return normalized(name) if re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]*", name) else None
    return normalized(found[1].decode())


def normalized(project: str) -> str:
    """The name by which an index has the page of a project (PEP 503); of another it redirects."""
    return re.sub("[-_.]+", "-", project).lower()


def looks_like_an_index(body: bytes) -> bool:
    """Whether HTML is a list of links, perhaps an empty one: a sign-in page has a form."""
    return not _FORM.search(body)


def has_files(body: bytes) -> bool:
    """Whether a page in JSON lists files, as that of a project does."""
    return bool(_FILE.search(body))


def has_upload_times(body: bytes) -> bool:
    """Whether the files of such a page have upload times."""
    return bool(_UPLOADED.search(body))
