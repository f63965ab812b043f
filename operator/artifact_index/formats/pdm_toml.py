"""PDM's config.toml: stored sources, the source in PyPI's place, and repositories for uploads.

PDM merges a stored source into a project's source of the same name, or adds it; it asks all of them
and takes the best version. User name and password are keys beside the URL, unencoded. The source in
PyPI's place has none: `PDM_PYPI_URL` would take them to its own URL.
"""

from collections.abc import Mapping, Set
from typing import Any, Final

import tomlkit
from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.formats import base
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.expiry import expiry_comments
from artifact_index.formats.urls import UnusableURLError, without_userinfo

# Settings of PDM in the place of a table for a source of the same name (`pypi.url`), and the source
# in PyPI's place, which a table of its name would displace.
_RESERVED_NAMES: Final = frozenset({"url", "username", "password", "pypi"})

Table = dict[str, Any]


class PdmToml(base.FileFormat):
    """The sources that PDM asks, without the explicit indexes, and where it uploads.

    The source in PyPI's place is the public index. Without one it has no URL, which makes PDM pass
    over it, unless there is no other source. While a private index is blocked it is the blocked
    one: PDM passes over a source that fails, and must not find a look-alike on the public index.
    """

    name = "PdmToml"
    key = "config.toml"
    ordered = False

    def carries(self, index: ArtifactIndexSpec) -> bool:
        """Whether PDM searches the index for any package, or uploads to it."""
        return index.publish or super().carries(index)

    def least_size(self, document: Document, *, sensitive: bool) -> int:
        """Bytes of the entries that PDM takes for sources, at least."""
        sources = (entry for entry in document.searched if entry.name not in _RESERVED_NAMES)
        return base.least_size(sources, sensitive=sensitive)

    def render(self, document: Document, *, sensitive: bool) -> base.Rendered:
        """Render a table for each source and repository whose name PDM takes for one."""
        tables = {entry.name: _table(entry, sensitive) for entry in document.searched}
        blocked = [tables[entry.name] for entry in document.searched if entry.blocked]
        repositories = {
            entry.name: _login_table(entry.publish_url, entry, sensitive)
            for entry in document.entries
            if entry.publish_url is not None and not entry.blocked
        }
        written = [e for e in document.entries if e.name in tables or e.name in repositories]
        reserved = _RESERVED_NAMES & (tables.keys() | repositories.keys())
        listed, repositories = _without(reserved, tables), _without(reserved, repositories)
        default = blocked[0] if blocked else _default(document, listed)
        limits = (*base.limits_without_order(self.key, document), *map(_reserved, sorted(reserved)))
        held = base.held_in(written) - reserved
        expiry = ""
        if sensitive:
            # Whether a blocked index that PDM does not search is published to is not known.
            unsure = any(entry.blocked for entry in document.entries)
            expiry = expiry_comments(written, held, unsure=unsure)
        return _text({**default, **listed}, repositories, expiry), limits, held

    def read_back(self, files: Mapping[str, SecretStr], urls: base.URLs) -> dict[str, Credential]:
        """Read the login of the source, or the repository, that is named like each index."""
        parsed = base.parsed_toml(files[self.key].get_secret_value())
        tables = {**parsed.get("repository", {}), **parsed.get("pypi", {})}
        named = {name: table for name, table in tables.items() if isinstance(table, dict)}
        return base.logins_of_tables(named, urls)


def _without(names: Set[str], tables: Mapping[str, Table]) -> dict[str, Table]:
    return {name: table for name, table in tables.items() if name not in names}


def _default(document: Document, private: Mapping[str, Table]) -> Table:
    if document.public is not None:
        return {"url": base.ascii_url(document.public.url)}
    # Without any index PDM would go to PyPI.
    return {"url": "" if private else "https://no-index.unavailable.invalid/simple/"}


def _table(entry: IndexEntry, sensitive: bool) -> Table:
    try:
        url = without_userinfo(base.url_of(entry, sensitive=sensitive))
    except UnusableURLError as error:
        message = f"index {entry.name}: {error}"
        raise base.RenderingError(message, index_name=entry.name) from None
    kind = {"type": "find_links"} if entry.flat and not entry.blocked else {}
    return _login_table(url, entry, sensitive) | kind


def _login_table(url: str, entry: IndexEntry, sensitive: bool) -> Table:
    login = base.login_of(entry) if sensitive and not entry.blocked else None
    return {"url": base.ascii_url(url), **base.login_keys(login)}


def _reserved(name: str) -> base.FormatLimit:
    return base.not_expressible(
        f"config.toml cannot hold index {name!r}, since pypi.{name} means something else to PDM; "
        "choose another spec.name"
    )


def _text(pypi: Table, repositories: Mapping[str, Table], expiry: str) -> str:
    text = f"{base.HEADER}{expiry}[pypi]\n"
    text += _lines({key: value for key, value in pypi.items() if isinstance(value, str)})
    for name, table in pypi.items():
        if isinstance(table, dict):
            text += f"\n[pypi.{name}]\n{_lines(table)}"
    for name, table in repositories.items():
        text += f"\n[repository.{name}]\n{_lines(table)}"
    meant = {"pypi": pypi, **({"repository": repositories} if repositories else {})}
    if base.parsed_toml(text) != meant:
        raise base.RenderingError("the config.toml does not say what was meant", index_name="")
    return text


def _lines(table: Table) -> str:
    return "".join(f"{key} = {tomlkit.item(text).as_string()}\n" for key, text in table.items())
