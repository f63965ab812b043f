"""uv.toml: from a typed document to text that was parsed back and compared.

The rules come from uv's own behaviour, which tests/uv runs: keys after the first `[[index]]` belong
to that index, an index marked `default` is asked last wherever it stands, and PyPI is added by
itself unless some index is marked so.

Every piece (the keys at the top, each entry) is a TOML document of its own, starts on a line of its
own and is parsed back on its own, so the pieces can be put together without parsing the whole
again. The text of an entry is kept while its inputs stand: a file of hundreds of indexes costs what
changed in it.
"""

import tomllib
from functools import lru_cache
from typing import Any, Final

import tomlkit
from pydantic import SecretStr

from artifact_index.api.constants import PYPI_URL
from artifact_index.formats.document import (
    Credential,
    Document,
    IndexEntry,
    IndexStrategy,
    PublicEntry,
)
from artifact_index.formats.urls import (
    UnusableURLError,
    has_query_or_fragment,
    split_userinfo,
    with_credential,
)

HEADER: Final = "# Written by artifact-index-operator; edits are overwritten.\n"

# A bound for memory, not for correctness: an entry with a CodeArtifact token is 2 to 3 kB of text.
_KEPT_ENTRIES: Final = 2048
# From this length on a string stands in single quotes, which Python's TOML parser skips over at
# once instead of character by character: a check of a long token costs a tenth.
_LONG_STRING: Final = 128
_PUBLIC: Final = -1

TOMLTable = dict[str, Any]


class RenderingError(Exception):
    """A document cannot be rendered. The message names indexes and never holds a URL."""

    def __init__(self, message: str, *, index_name: str) -> None:
        super().__init__(message)
        self.index_name = index_name


class NotCredentialFreeError(RenderingError):
    """The URL may be a secret as a whole, so it has no place in credential-free content."""

    def __init__(self, index_name: str) -> None:
        super().__init__(
            f"index {index_name}: a preauthenticated URL without user name and password, or with "
            "a query or fragment, may be a secret as a whole and has no credential-free form",
            index_name=index_name,
        )


def blocked_url(name: str) -> str:
    """The URL of an index that is not available: a host that can't exist (RFC 2606 `.invalid`).

    With `authenticate = "always"` uv stops there before it looks the host up, under every index
    strategy. The real URL without its credential would not do: on a shared host uv sends another
    index's credential to it.
    """
    return f"https://{name}.unavailable.invalid/simple/"


def sensitive_uv_toml(document: Document) -> SecretStr:
    """The uv.toml with its credentials: for a Secret only. Raises `RenderingError`."""
    return SecretStr(_render(document, sensitive=True))


def public_uv_toml(document: Document) -> str:
    """The uv.toml without any credential. Raises `NotCredentialFreeError` and `RenderingError`."""
    return _render(document, sensitive=False)


def _render(document: Document, *, sensitive: bool) -> str:
    _check_names(document)
    no_index = document.public is None and not document.entries
    pieces = [_head_text(document.index_strategy, no_index)]
    default = _default_position(document)
    if document.public is not None:
        pieces.append(_public_text(document.public, default == _PUBLIC))
    for position, entry in enumerate(document.entries):
        pieces.append(_entry_text(entry, position == default, sensitive).get_secret_value())
    return HEADER + "\n".join(pieces)


def _check_names(document: Document) -> None:
    """Refuse a name that stands twice: uv would silently ignore the second index of the name."""
    seen = {document.public.name} if document.public is not None else set[str]()
    for entry in document.entries:
        if entry.name in seen:
            raise RenderingError(f"two indexes are named {entry.name}", index_name=entry.name)
        seen.add(entry.name)


def _default_position(document: Document) -> int | None:
    """Which index is marked as default: a position in `entries`, `_PUBLIC`, or None for none.

    Where no index is marked, uv adds PyPI by itself, last, unless PyPI's own URL is listed. So
    without a public index, and with a mirror that is to be asked first, the last private index is
    marked, which uv asks last anyway. Explicit ones are passed over: a default that is explicit
    switches PyPI off as well, but answers only to packages that are pinned to it, so it is taken
    only where there is no other.
    """
    searched = [i for i, entry in enumerate(document.entries) if not entry.explicit]
    if document.public is not None:
        if document.prefer_private or not searched:
            return _PUBLIC
        return None if document.public.url == PYPI_URL else searched[-1]
    if not document.entries:
        return None
    return searched[-1] if searched else len(document.entries) - 1


def _public_table(public: PublicEntry, default: bool) -> TOMLTable:
    table: TOMLTable = {"name": public.name, "url": public.url}
    if default:
        table["default"] = True
    return table


def _entry_table(entry: IndexEntry, default: bool, sensitive: bool) -> TOMLTable:
    """What the entry says, as values."""
    table: TOMLTable = {"name": entry.name, "url": url_of(entry, sensitive=sensitive)}
    if default:
        table["default"] = True
    if entry.explicit:
        table["explicit"] = True
    authenticate = "always" if entry.blocked else entry.authenticate
    if authenticate is None and _must_authenticate(entry):
        authenticate = "always"
    if authenticate is not None:
        table["authenticate"] = authenticate
    if entry.ignore_error_codes and not entry.blocked:
        table["ignore-error-codes"] = list(entry.ignore_error_codes)
    if entry.publish_url is not None and not entry.blocked:
        login = login_of(entry) if sensitive else None
        table["publish-url"] = (
            with_credential(entry.publish_url, login) if login else entry.publish_url
        )
    return table


def url_of(entry: IndexEntry, *, sensitive: bool) -> str:
    """The entry's URL, with its login where the content is `sensitive`.

    Raises `NotCredentialFreeError` and `UnusableURLError`.
    """
    if entry.blocked:
        return blocked_url(entry.name)
    if entry.verbatim_url is not None:
        verbatim = entry.verbatim_url.get_secret_value()
        return verbatim if sensitive else _credential_free(entry.name, verbatim)
    bare, userinfo = split_userinfo(entry.url)
    if userinfo is not None:
        raise UnusableURLError(
            "the URL of an index holds a user name or password beside its source"
        )
    return with_credential(bare, entry.credential) if sensitive and entry.credential else bare


def _credential_free(name: str, verbatim: str) -> str:
    bare, userinfo = split_userinfo(verbatim)
    if userinfo is None or has_query_or_fragment(verbatim):
        raise NotCredentialFreeError(name)
    return bare


def _must_authenticate(entry: IndexEntry) -> bool:
    """Whether to tell uv never to ask this index anonymously.

    Not for a token that stands as user name without a password, as Gemfury has it: uv sends that
    as it is, but with `authenticate = "always"` refuses it as incomplete.
    """
    login = login_of(entry)
    if login is None:
        return entry.credentialed
    return bool(login.password.get_secret_value())


def login_of(entry: IndexEntry) -> Credential | None:
    """The user name and password that the entry has, None where both are empty or unknown."""
    if entry.verbatim_url is not None:
        try:
            return split_userinfo(entry.verbatim_url.get_secret_value())[1]
        except UnusableURLError:
            return None
    credential = entry.credential
    if credential and (credential.username or credential.password.get_secret_value()):
        return credential
    return None


@lru_cache(maxsize=_KEPT_ENTRIES)
def _entry_text(entry: IndexEntry, default: bool, sensitive: bool) -> SecretStr:
    problem = None
    try:
        table = _entry_table(entry, default, sensitive)
    except UnusableURLError as error:
        problem = str(error)
    if problem is not None:
        raise RenderingError(f"index {entry.name}: {problem}", index_name=entry.name)
    return SecretStr(_index_text(table))


@lru_cache(maxsize=256)
def _public_text(public: PublicEntry, default: bool) -> str:
    return _index_text(_public_table(public, default))


def _index_text(table: TOMLTable) -> str:
    text = "[[index]]\n" + _lines(table)
    _compare(text, {"index": [table]}, index_name=table["name"])
    return text


@lru_cache(maxsize=8)
def _head_text(index_strategy: IndexStrategy, no_index: bool) -> str:
    """The keys at the top: only those that every supported uv knows, as an unknown one stops it."""
    table: TOMLTable = {"index-strategy": index_strategy}
    if no_index:
        table["no-index"] = True
    text = _lines(table)
    _compare(text, table, index_name="")
    return text


def _lines(table: TOMLTable) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, str) and len(value) >= _LONG_STRING and "'" not in value:
        printable = value.isprintable()  # single quotes have no escapes, so no control characters
        return str(tomlkit.string(value, literal=printable).as_string())
    return str(tomlkit.item(value).as_string())


def _compare(text: str, meant: TOMLTable, *, index_name: str) -> None:
    """Parse the text with the standard library's own parser and compare it with what was meant.

    The parser's error is dropped, since it may quote the line with the credential.
    """
    try:
        text.encode()  # a lone surrogate is a string to Python, but no file can hold it
        parsed: TOMLTable | None = tomllib.loads(text)
    except ValueError:
        parsed = None
    if parsed != meant:
        where = f"index {index_name}" if index_name else "the top-level keys"
        raise RenderingError(
            f"{where}: the rendered TOML does not say what was meant", index_name=index_name
        )
