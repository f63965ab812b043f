"""What an output format offers, and what the formats share.

The module of a format owns everything about it; `registry` lists them.
"""

import configparser
import tomllib
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.index_options import OutputFormat
from artifact_index.api.reasons import Reason
from artifact_index.formats.blocked import blocked_url
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.urls import (
    UnusableURLError,
    has_query_or_fragment,
    has_userinfo,
    split_userinfo,
    with_credential,
)

HEADER: Final = "# Written by artifact-index-operator; edits are overwritten.\n"

_ASCII: Final = "".join(chr(code) for code in range(0x21, 0x7F))

URLs = Mapping[str, str]
"""Index URLs without userinfo, by index name."""


@dataclass(frozen=True, slots=True)
class FormatLimit:
    """Something that a format cannot say about the indexes that the message names.

    A `severe` limit means that a login is missing where the user asked for it; otherwise the file
    is complete as far as the format goes.
    """

    reason: Reason
    message: str
    severe: bool = False


def not_expressible(message: str) -> FormatLimit:
    """The limit of a format that cannot hold a login which the user asked for."""
    return FormatLimit(Reason.NOT_EXPRESSIBLE, message, severe=True)


@dataclass(frozen=True, slots=True)
class SensitiveContent:
    """Files that may hold credentials, by key of the output. Only a Secret may carry them.

    `held` are the names of the indexes whose login is in them.
    """

    files: Mapping[str, SecretStr]
    limits: tuple[FormatLimit, ...] = ()
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PublicContent:
    """Files that hold no credential by construction, by key of the output."""

    files: Mapping[str, str]
    limits: tuple[FormatLimit, ...] = ()


Rendered = tuple[str, tuple[FormatLimit, ...], frozenset[str]]
"""A text, its limits, and the names of the indexes whose login it holds if it is sensitive."""


class Format(Protocol):
    """One kind of file, or of variables, that an output can hold.

    Rendering for a Secret and for a ConfigMap are two methods with two types of result, so that a
    type checker refuses credentials in a ConfigMap.
    """

    name: OutputFormat
    key: str | None
    """Key of the file in the output; None if each key of the output is a variable."""
    needs_claims: bool = False  # it has something of which there is one for all indexes
    ordered: bool = True
    """False if its readers ask all indexes and take the best version of all."""

    def carries(self, index: ArtifactIndexSpec) -> bool:
        """Whether the format holds the login of such an index; if not, it needs no token.

        A reader without an order of indexes cannot keep a package to an explicit one.
        """
        return self.ordered or not index.explicit

    def least_size(self, document: Document, *, sensitive: bool) -> int:
        """Bytes that the file has at least: a bound that costs no rendering."""
        return 0

    def render_secret(self, document: Document) -> SensitiveContent:
        """Render with logins. Raises `RenderingError`."""
        ...

    def render_public(self, document: Document) -> PublicContent:
        """Render without any credential.

        Raises `NotCredentialFreeError` and `RenderingError`; ValueError if the format is nothing
        but credentials, which the API refuses in a ConfigMap.
        """
        raise ValueError(f"{self.name} is nothing but credentials")

    def read_back(self, files: Mapping[str, SecretStr], urls: URLs) -> dict[str, Credential]:
        """Read the logins of these indexes from an output that has the format's key.

        Only for content whose digest was verified. Whatever is missing, or does not look as we
        write it, is left out.
        """
        ...


class FileFormat(Format):
    """A file that a ConfigMap can hold as well: with the same content, but for the logins."""

    key: str

    @abstractmethod
    def render(self, document: Document, *, sensitive: bool) -> Rendered:
        """Render, with logins if `sensitive`. Raises as `render_secret` or `render_public` does."""

    def render_secret(self, document: Document) -> SensitiveContent:
        """Render with logins. Raises `RenderingError`."""
        text, limits, held = self.render(document, sensitive=True)
        return SensitiveContent({self.key: SecretStr(text)}, limits, held)

    def render_public(self, document: Document) -> PublicContent:
        """Render without any credential. Raises `NotCredentialFreeError` and `RenderingError`."""
        text, limits, _ = self.render(document, sensitive=False)
        return PublicContent({self.key: text}, limits)


class RenderingError(Exception):
    """A document cannot be rendered. The message names indexes and never holds a URL."""

    def __init__(self, message: str, *, index_name: str) -> None:
        super().__init__(message)
        self.index_name = index_name


class NotCredentialFreeError(RenderingError):
    """A preauthenticated URL may be a secret as a whole: see `is_credential_free`."""


def is_credential_free(entry: IndexEntry) -> bool:
    """Whether the entry has a form without any secret, for a ConfigMap.

    A preauthenticated URL has one if the spec says that its path is public, and if user name and
    password show where its secret stands. A query or a fragment may hold another one.
    """
    if entry.blocked or entry.verbatim_url is None:
        return True
    url = entry.verbatim_url.get_secret_value()
    return entry.public_path and has_userinfo(url) and not has_query_or_fragment(url)


def url_of(entry: IndexEntry, *, sensitive: bool) -> str:
    """The entry's URL, with its login if the content is `sensitive`.

    Raises `NotCredentialFreeError` and `UnusableURLError`.
    """
    if entry.blocked:
        return blocked_url(entry.name, entry.described_by)
    if entry.verbatim_url is not None:
        verbatim = entry.verbatim_url.get_secret_value()
        if sensitive:
            return verbatim
        if not is_credential_free(entry):
            message = f"the URL of index {entry.name} may be a secret as a whole"
            raise NotCredentialFreeError(message, index_name=entry.name)
        return split_userinfo(verbatim)[0]
    bare, userinfo = split_userinfo(entry.url)
    if userinfo is not None:
        raise UnusableURLError("the URL of an index holds a login beside its source")
    return with_credential(bare, entry.credential) if sensitive and entry.credential else bare


def login_of(entry: IndexEntry) -> Credential | None:
    """The entry's user name and password; None if both are empty or unknown."""
    if entry.verbatim_url is not None:
        try:
            return split_userinfo(entry.verbatim_url.get_secret_value())[1]
        except UnusableURLError:
            return None
    credential = entry.credential
    return credential if credential and (credential.username or credential.raw_password) else None


def held_in(entries: Iterable[IndexEntry]) -> frozenset[str]:
    """The names of the entries whose login is in a file that lists all of these."""
    return frozenset(entry.name for entry in entries if not entry.blocked and login_of(entry))


def least_size(entries: Iterable[IndexEntry], *, sensitive: bool) -> int:
    """Bytes that the URLs of these entries, and the logins if `sensitive`, take at least.

    Of a verbatim URL a third is certain: the rest may be percent-encoding, and a format decodes it.
    """
    size = 0
    for entry in entries:
        if entry.verbatim_url is None:
            size += len(entry.url)
        elif sensitive:
            size += len(entry.verbatim_url) // 3
        if sensitive and entry.credential is not None:
            size += len(entry.credential.username) + len(entry.credential.password)
    return size


def ascii_url(url: str) -> str:
    """The URL with non-ASCII characters percent-encoded: it is the same in any locale."""
    return quote(url, safe=_ASCII)


def named(names: Sequence[str], *, at_most: int = 5, show: Callable[[str], str] = repr) -> str:
    """Names for a message: `'a', 'b' and 3 more`; for keys `show` is str, or the log redacts."""
    shown = ", ".join(show(name) for name in names[:at_most])
    more = len(names) - at_most
    return f"{shown} and {more} more" if more > 0 else shown


def limits_without_order(file: str, document: Document) -> tuple[FormatLimit, ...]:
    """The limits of a file whose reader asks every index for every package."""
    limits = []
    if explicit := [entry.name for entry in document.entries if entry.explicit]:
        message = (
            f"{file} leaves out the explicit indexes {named(explicit)}: its reader cannot keep a "
            "package to one index"
        )
        limits.append(FormatLimit(Reason.EXPLICIT_INDEX_LEFT_OUT, message))
    spans = [each.name for each in document.searched if each.exclude_newer not in (None, "false")]
    if spans:
        message = (
            f"{file} lists {named(spans)} without the span of excludeNewer: its reader also takes "
            "files that were uploaded within it"
        )
        limits.append(FormatLimit(Reason.CUT_OFF_NOT_KEPT, message))
    public = [document.public.name] if document.public is not None else []
    listed = [*(entry.name for entry in document.searched), *public]
    if len(listed) > 1:
        message = (
            f"{file} lists {named(listed)}, but its reader knows no order of indexes and takes the "
            "best version of all"
        )
        limits.append(FormatLimit(Reason.INDEX_ORDER_NOT_KEPT, message))
    return tuple(limits)


def parsed_ini(text: str) -> dict[str, dict[str, str]]:
    """The sections of a file that was written by us; none if it cannot be parsed."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {section: dict(parser[section]) for section in parser.sections()}


def parsed_toml(text: str) -> dict[str, Any]:
    """The tables of a file that was written by us; none if it cannot be parsed.

    The parser's error is dropped, since it may quote the line with the credential.
    """
    try:
        text.encode()  # a lone surrogate is a string to Python, but no file can hold it
        return tomllib.loads(text)
    except ValueError:
        return {}


def login_keys(login: Credential | None) -> dict[str, str]:
    """The keys of a login in a table of its index; none without a login."""
    return {"username": login.username, "password": login.raw_password} if login else {}


def logins_of_tables(
    tables: Mapping[str, Mapping[str, str]], names: Collection[str]
) -> dict[str, Credential]:
    """Read the `login_keys` of each table that is named like an index and has both."""
    return {
        name: Credential(tables[name]["username"], SecretStr(tables[name]["password"]))
        for name in names
        if {"username", "password"} <= tables.get(name, {}).keys()
    }
