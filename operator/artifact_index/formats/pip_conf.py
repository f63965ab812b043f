"""pip.conf: index URLs with their logins, as pip reads them (RawConfigParser, UTF-8 or ASCII).

pip asks every index and takes the best version of all, whatever the order. So the public index is
listed beside the private ones only while none of those is blocked: pip passes over an index that
fails.
"""

import configparser
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.formats.base import (
    HEADER,
    Format,
    PublicContent,
    RenderingError,
    SensitiveContent,
    URLs,
    ascii_url,
    limits_without_order,
    login_of,
    parsed_ini,
    url_of,
)
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.urls import UnusableURLError, split_userinfo

_KEY: Final = "pip.conf"


class PipConf(Format):
    """The indexes that pip asks, without the explicit ones."""

    name = "PipConf"
    key = _KEY
    ordered = False

    def carries(self, index: ArtifactIndexSpec) -> bool:
        """Whether the index is listed: pip cannot keep a package to an explicit one."""
        return not index.explicit

    def render_secret(self, document: Document) -> SensitiveContent:
        """Render with logins. Raises `RenderingError`."""
        held = frozenset(
            entry.name for entry in _searched(document) if not entry.blocked and login_of(entry)
        )
        text = SecretStr(_render(document, sensitive=True))
        return SensitiveContent({_KEY: text}, limits_without_order(_KEY, document), held)

    def render_public(self, document: Document) -> PublicContent:
        """Render without any credential. Raises `NotCredentialFreeError` and `RenderingError`."""
        text = _render(document, sensitive=False)
        return PublicContent({_KEY: text}, limits_without_order(_KEY, document))

    def read_back(self, files: Mapping[str, SecretStr], urls: URLs) -> dict[str, Credential]:
        """Read the login in each index's URL, if only one login is listed with that URL."""
        section = parsed_ini(files[_KEY]).get("global", {})
        listed = f"{section.get('index-url', '')} {section.get('extra-index-url', '')}".split()
        logins: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for url in listed:
            try:
                bare, login = split_userinfo(url)
            except UnusableURLError:
                continue
            if login is not None:
                logins[bare].add((login.username, login.password.get_secret_value()))
        found = {}
        for name, url in urls.items():
            candidates = logins.get(ascii_url(url), set())
            if len(candidates) == 1:  # two logins at one URL cannot be told apart here
                username, password = next(iter(candidates))
                found[name] = Credential(username, SecretStr(password))
        return found


def _searched(document: Document) -> list[IndexEntry]:
    return [entry for entry in document.entries if not entry.explicit]


def _render(document: Document, *, sensitive: bool) -> str:
    searched = _searched(document)
    urls = [_url(entry, sensitive=sensitive) for entry in searched]
    blocked = any(entry.blocked for entry in searched)
    if document.public is not None and not blocked:
        public = ascii_url(document.public.url)
        urls = [*urls, public] if document.prefer_private else [public, *urls]
    values = {"no-input": "true"}
    if blocked:
        values["retries"] = "0"  # the blocked host cannot exist: no need to wait for it
    if urls:
        values["index-url"] = urls[0]
    else:
        values["no-index"] = "true"
    if urls[1:]:
        values["extra-index-url"] = "\n" + "\n".join(urls[1:])
    return _text(values)


def _url(entry: IndexEntry, *, sensitive: bool) -> str:
    problem = None
    try:
        return ascii_url(url_of(entry, sensitive=sensitive))
    except UnusableURLError as error:
        problem = str(error)
    raise RenderingError(f"index {entry.name}: {problem}", index_name=entry.name)


def _indented(lines: str) -> str:
    return lines.replace("\n", "\n    ")


def _text(values: dict[str, str]) -> str:
    text = f"{HEADER}[global]\n"
    for key, value in values.items():
        text += f"{key} = {value}\n" if "\n" not in value else f"{key} ={_indented(value)}\n"
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    if {section: dict(parser[section]) for section in parser.sections()} != {"global": values}:
        raise RenderingError("the pip.conf does not say what was meant", index_name="")
    return text
