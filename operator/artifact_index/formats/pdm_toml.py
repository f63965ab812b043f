"""PDM's config.toml: stored sources with their logins, and what stands in PyPI's place.

PDM merges a stored source into a project's source of the same name, or adds it; it asks all of them
and takes the best version. User name and password stand beside the URL, as they are.
"""

import tomllib
from typing import Any, Final

import tomlkit
from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats.base import FormatLimit, PublicFile, SensitiveFile
from artifact_index.formats.document import Document, IndexEntry
from artifact_index.formats.pip_conf import ascii_url, limits_without_order
from artifact_index.formats.urls import UnusableURLError, split_userinfo
from artifact_index.formats.uv_toml import HEADER, RenderingError, login_of, url_of

# Settings of PDM that stand where the table of a source of the same name would (`pypi.url`), and
# the source in PyPI's place, which a table of its name would displace.
RESERVED_NAMES: Final = frozenset({"url", "username", "password", "pypi"})

Table = dict[str, Any]


def sensitive_pdm_toml(document: Document) -> SensitiveFile:
    """The file with its logins: for a Secret only. Raises `RenderingError`.

    The source in PyPI's place is the public index, or without one the first private index. While a
    private index is blocked it is the blocked one: PDM passes over a source that fails, and must
    not find a look-alike on the public index then.
    """
    text, limits, held = _render(document, sensitive=True)
    return SensitiveFile(SecretStr(text), limits, held)


def public_pdm_toml(document: Document) -> PublicFile:
    """The file without any credential. Raises `NotCredentialFreeError` and `RenderingError`."""
    text, limits, _ = _render(document, sensitive=False)
    return PublicFile(text, limits)


def _render(
    document: Document, *, sensitive: bool
) -> tuple[str, tuple[FormatLimit, ...], frozenset[str]]:

    limits = list(limits_without_order("config.toml", document))
    tables: dict[str, Table] = {}
    default: Table | None = None
    searched = [entry for entry in document.entries if not entry.explicit]
    for entry in searched:
        table = _table(entry, sensitive=sensitive)
        if entry.blocked and default is None:
            default = table
        if entry.name in RESERVED_NAMES:
            limits.append(_reserved(entry.name))
        else:
            tables[entry.name] = table
    if default is None:
        default = _default(document, list(tables.values()))
    held = frozenset(
        one.name for one in searched if one.name in tables and not one.blocked and login_of(one)
    )
    text = _text({**default, **tables})
    return text, tuple(limits), held if sensitive else frozenset()


def _default(document: Document, private: list[Table]) -> Table:
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
