"""pip.conf: index URLs with their logins, as pip reads them (RawConfigParser, UTF-8 or ASCII).

pip asks every index and takes the best version of all, whatever the order. So the public index is
listed beside the private ones only while none of those is blocked: pip passes over an index that
fails. pip also reads the machine's own file and merges the two key by key, so every key that adds
packages is there, empty where there is nothing to add.
"""

from collections import defaultdict
from collections.abc import Mapping

from pydantic import SecretStr

from artifact_index.formats import base
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.expiry import expiry_comments
from artifact_index.formats.urls import UnusableURLError, split_userinfo


class PipConf(base.FileFormat):
    """The indexes that pip asks, without the explicit ones."""

    name = "PipConf"
    key = "pip.conf"
    ordered = False

    def least_size(self, document: Document, *, sensitive: bool) -> int:
        """Bytes of the entries that pip searches, at least."""
        return base.least_size(document.searched, sensitive=sensitive)

    def render(self, document: Document, *, sensitive: bool) -> base.Rendered:
        """Render the global section."""
        expiry = expiry_comments(document.searched) if sensitive else ""
        text = _text(_settings(document, sensitive=sensitive), expiry)
        limits = base.limits_without_order(self.key, document)
        return text, limits, base.held_in(document.searched)

    def read_back(self, files: Mapping[str, SecretStr], urls: base.URLs) -> dict[str, Credential]:
        """Read the login in each index's URL, if only one login is listed with that URL."""
        section = base.parsed_ini(files[self.key].get_secret_value()).get("global", {})
        keys = ("index-url", "extra-index-url", "find-links")
        listed = " ".join(section.get(key, "") for key in keys).split()
        logins: defaultdict[str, set[Credential]] = defaultdict(set)
        for url in listed:
            try:
                bare, login = split_userinfo(url)
            except UnusableURLError:
                continue
            if login is not None:
                logins[bare].add(login)
        by_name = {name: logins.get(base.ascii_url(url), set()) for name, url in urls.items()}
        # Two logins at one URL cannot be told apart here.
        return {name: next(iter(found)) for name, found in by_name.items() if len(found) == 1}


def _settings(document: Document, *, sensitive: bool) -> dict[str, str]:
    urls: list[str] = []
    pages: list[str] = []
    for entry in document.searched:
        listed = pages if entry.flat and not entry.blocked else urls
        listed.append(_url(entry, sensitive=sensitive))
    blocked = any(entry.blocked for entry in document.searched)
    if document.public is not None and not blocked:
        public = base.ascii_url(document.public.url)
        urls = [*urls, public] if document.prefer_private else [public, *urls]
    values = {"no-input": "true"}
    if blocked:
        values["retries"] = "0"  # the blocked host cannot exist: no need to wait for it
    if urls:
        values["index-url"] = urls[0]
    else:
        values["no-index"] = "true"
    values["extra-index-url"] = "".join(f"\n{url}" for url in urls[1:])
    values["find-links"] = "".join(f"\n{url}" for url in pages)
    return values


def _url(entry: IndexEntry, *, sensitive: bool) -> str:
    try:
        return base.ascii_url(base.url_of(entry, sensitive=sensitive))
    except UnusableURLError as error:
        message = f"index {entry.name}: {error}"
        raise base.RenderingError(message, index_name=entry.name) from None


def _text(values: dict[str, str], expiry: str) -> str:
    text = f"{base.HEADER}{expiry}[global]\n"
    for key, value in values.items():
        indented = value.replace("\n", "\n    ")
        space = "" if value[:1] in ("", "\n") else " "
        text += f"{key} ={space}{indented}\n"
    if base.parsed_ini(text) != {"global": values}:
        raise base.RenderingError("the pip.conf does not say what was meant", index_name="")
    return text
