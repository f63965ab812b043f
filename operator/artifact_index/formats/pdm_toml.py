"""PDM's config.toml: stored sources with their logins, and the source in PyPI's place.

PDM merges a stored source into a project's source of the same name, or adds it; it asks all of them
and takes the best version. User name and password are keys beside the URL, unencoded.
"""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import tomlkit
from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.reasons import Reason
from artifact_index.formats.base import (
    HEADER,
    Format,
    FormatLimit,
    PublicContent,
    RenderingError,
    SensitiveContent,
    URLs,
    ascii_url,
    limits_without_order,
    login_of,
    logins_of_tables,
    url_of,
)
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.urls import UnusableURLError, split_userinfo

_KEY: Final = "config.toml"
# Settings of PDM in the place of a table for a source of the same name (`pypi.url`), and the source
# in PyPI's place, which a table of its name would displace.
_RESERVED_NAMES: Final = frozenset({"url", "username", "password", "pypi"})

Table = dict[str, Any]


class PdmToml(Format):
    """The sources that PDM asks, without the explicit indexes.

    The source in PyPI's place is the public index, or without one the first private index. While a
    private index is blocked it is the blocked one: PDM passes over a source that fails, and must
    not find a look-alike on the public index then.
    """

    name = "PdmToml"
    key = _KEY
    ordered = False

    def carries(self, index: ArtifactIndexSpec) -> bool:
        """Whether the index is listed: PDM cannot keep a package to an explicit one."""
        return not index.explicit

    def render_secret(self, document: Document) -> SensitiveContent:
        """Render with logins. Raises `RenderingError`."""
        held = frozenset(
            entry.name for entry in _listed(document) if not entry.blocked and login_of(entry)
        )
        text = SecretStr(_render(document, sensitive=True))
        return SensitiveContent({_KEY: text}, _limits(document), held)

    def render_public(self, document: Document) -> PublicContent:
        """Render without any credential. Raises `NotCredentialFreeError` and `RenderingError`."""
        return PublicContent({_KEY: _render(document, sensitive=False)}, _limits(document))

    def read_back(self, files: Mapping[str, SecretStr], urls: URLs) -> dict[str, Credential]:
        """Read the login of the source that is named like each index."""
        try:
            tables = tomllib.loads(files[_KEY].get_secret_value()).get("pypi", {})
        except tomllib.TOMLDecodeError:
            return {}
        sources = {name: table for name, table in tables.items() if isinstance(table, dict)}
        return logins_of_tables(sources, urls)


def _searched(document: Document) -> list[IndexEntry]:
    return [entry for entry in document.entries if not entry.explicit]


def _listed(document: Document) -> list[IndexEntry]:
    """The entries that have a table of their own."""
    return [entry for entry in _searched(document) if entry.name not in _RESERVED_NAMES]


def _limits(document: Document) -> tuple[FormatLimit, ...]:
    reserved = (entry.name for entry in _searched(document) if entry.name in _RESERVED_NAMES)
    return (*limits_without_order(_KEY, document), *map(_reserved, reserved))


def _render(document: Document, *, sensitive: bool) -> str:
    searched = _searched(document)
    tables = {entry.name: _table(entry, sensitive=sensitive) for entry in searched}
    blocked = (tables[entry.name] for entry in searched if entry.blocked)
    listed = {name: table for name, table in tables.items() if name not in _RESERVED_NAMES}
    default = next(blocked, None) or _default(document, list(listed.values()))
    return _text({**default, **listed})


def _default(document: Document, private: Sequence[Table]) -> Table:
    if document.public is not None:
        return {"url": ascii_url(document.public.url)}
    if private:
        return private[0]
    # Without any index PDM would go to PyPI.
    return {"url": "https://no-index.unavailable.invalid/simple/"}


def _table(entry: IndexEntry, *, sensitive: bool) -> Table:
    problem = None
    try:
        table = {"url": ascii_url(split_userinfo(url_of(entry, sensitive=sensitive))[0])}
        login = login_of(entry) if sensitive and not entry.blocked else None
    except UnusableURLError as error:
        problem = str(error)
    if problem is not None:
        raise RenderingError(f"index {entry.name}: {problem}", index_name=entry.name)
    if login is not None:
        table |= {"username": login.username, "password": login.password.get_secret_value()}
    return table


def _reserved(name: str) -> FormatLimit:
    return FormatLimit(
        Reason.NOT_EXPRESSIBLE,
        f"config.toml cannot hold index {name!r}, since pypi.{name} means something else to PDM; "
        "choose another spec.name",
        severe=True,
    )


def _text(pypi: Table) -> str:
    lines = [HEADER, "[pypi]\n"]
    lines += [_line(key, value) for key, value in pypi.items() if not isinstance(value, dict)]
    for name, table in pypi.items():
        if isinstance(table, dict):
            lines.append(f"\n[pypi.{name}]\n")
            lines += [_line(key, value) for key, value in table.items()]
    text = "".join(lines)
    try:
        text.encode()
        parsed: Table | None = tomllib.loads(text)
    except ValueError:
        parsed = None
    if parsed != {"pypi": pypi}:
        raise RenderingError("the config.toml does not say what was meant", index_name="")
    return text


def _line(key: str, value: str) -> str:
    return f"{key} = {tomlkit.item(value).as_string()}\n"
