"""uv.toml: renders a document, checks the text with a parser, and reads entries back.

The rules come from uv's own behaviour, which tests/uv runs: keys after the first `[[index]]` belong
to that index; uv asks an index marked `default` last, whatever its position; uv adds PyPI by itself
unless some index is marked so; and `UV_DEFAULT_INDEX` takes the place of the marked index. So a
private index is never marked where it stands: it stands once more under a name of its own, marked.

Every piece (the keys at the top, each entry) is a TOML document on lines of its own and is checked
by itself, so joining the pieces needs no second check. The text of an entry is cached by its
inputs: rendering a file of hundreds of indexes costs only what changed in it.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from artifact_index.api.artifact_index import Authenticate, IndexFormat
from artifact_index.api.constants import PYPI_URL
from artifact_index.api.index_options import IndexStrategy
from artifact_index.api.reasons import Reason
from artifact_index.formats import base
from artifact_index.formats.blocked import is_blocked_url
from artifact_index.formats.document import Credential, Document, IndexEntry, PublicEntry
from artifact_index.formats.expiry import expiry_comment, no_logins_comment
from artifact_index.formats.toml import toml_value
from artifact_index.formats.urls import (
    UnusableURLError,
    needs_encoding,
    place_of,
    root_of,
    safe_url,
    share_origin,
    split_userinfo,
    with_credential,
    without_userinfo,
)

UV_TOML_KEY: Final = "uv.toml"

DEFAULT_NAME: Final = "_default"
"""Name of a private index where it stands once more as the default.

No index can have it, nor a name that makes the same variable: those begin with a letter or a digit.
"""

_PUBLIC: Final = -1

_LARGEST_KEPT: Final = 4096
"""Bytes of a login whose text is kept: a password may be a megabyte, and change each second."""

TOMLTable = dict[str, Any]


class UvToml(base.FileFormat):
    """uv's own file: it says everything of each entry."""

    name = "UvToml"
    key = UV_TOML_KEY

    def least_size(self, document: Document, *, sensitive: bool) -> int:
        """Bytes of all entries, at least."""
        return base.least_size(document.entries, sensitive=sensitive)

    def render(self, document: Document, *, sensitive: bool) -> base.Rendered:
        """Render the keys at the top, then a table for each index."""
        _check_names(document)
        no_index = document.public is None and not document.entries
        pieces = [_head_text(document.index_strategy, no_index)]
        default = _default_position(document)
        if document.public is not None:
            pieces.append(_public_text(document.public, default == _PUBLIC))
        for position, entry in enumerate(document.entries):
            is_large = base.least_size((entry,), sensitive=True) > _LARGEST_KEPT
            text_of = _new_entry_text if is_large else _entry_text
            pieces.append(text_of(entry, False, sensitive).get_secret_value())
            if position == default:
                pieces.append(text_of(entry, True, sensitive).get_secret_value())
        held = frozenset(entry.name for entry in document.entries if not entry.blocked)
        limits = tuple(_limits(document)) if sensitive else ()
        expiry = no_logins_comment(document.entries) if sensitive else ""
        return f"{base.HEADER}{expiry}" + "\n".join(pieces), limits, held

    def read_back(self, files: Mapping[str, SecretStr], urls: base.URLs) -> dict[str, Credential]:
        """Read the login in each index's URL."""
        entries = read_entries(files[UV_TOML_KEY])
        logins = {name: entries[name].credential for name in urls if name in entries}
        return {name: login for name, login in logins.items() if login is not None}


def _check_names(document: Document) -> None:
    """Refuse a duplicate name: uv would silently ignore the second index of that name."""
    seen = {document.public.name} if document.public is not None else set[str]()
    for entry in document.entries:
        if entry.name in seen:
            message = f"two indexes are named {entry.name}"
            raise base.RenderingError(message, index_name=entry.name)
        seen.add(entry.name)


def _default_position(document: Document) -> int | None:
    """Which index is the default: a position in `entries`, `_PUBLIC`, or None.

    If no index is marked, uv adds PyPI by itself, last, unless PyPI's own URL is listed. So without
    a public index, and with a mirror that must be asked first, the last private index is default,
    which uv asks last anyway. An explicit index is marked only if there is no other: as the default
    it switches PyPI off as well, but answers only for packages that are pinned to it.
    """
    searched = [i for i, entry in enumerate(document.entries) if not entry.explicit]
    if document.public is not None:
        if document.prefer_private or not searched:
            return _PUBLIC
        return None if document.public.url == PYPI_URL else searched[-1]
    if not document.entries:
        return None
    return searched[-1] if searched else len(document.entries) - 1


def _named_table(name: str, url: str, default: bool) -> TOMLTable:
    return {"name": name, "url": url, **({"default": True} if default else {})}


def _entry_table(entry: IndexEntry, default: bool, sensitive: bool) -> TOMLTable:
    """What the entry says, as values: under its own name, or once more as the default."""
    name = DEFAULT_NAME if default else entry.name
    table = _named_table(name, base.url_of(entry, sensitive=sensitive), default)
    if entry.explicit:
        table["explicit"] = True
    if entry.flat and not entry.blocked:
        table["format"] = "flat"
    if entry.exclude_newer is not None and not entry.blocked:
        table["exclude-newer"] = False if entry.exclude_newer == "false" else entry.exclude_newer
    always = entry.blocked or (entry.authenticate is None and _must_authenticate(entry))
    if always or entry.authenticate is not None:
        table["authenticate"] = "always" if always else entry.authenticate
    if entry.ignore_error_codes and not entry.blocked:
        table["ignore-error-codes"] = list(entry.ignore_error_codes)
    if entry.publish_url is not None and not entry.blocked and not default:
        url, login = entry.publish_url, _upload_login(entry) if sensitive else None
        table["publish-url"] = with_credential(url, login) if login is not None else url
    return table


def _upload_login(entry: IndexEntry) -> Credential | None:
    """What of the login uv takes from `publish-url`; None if nothing.

    It refuses a password without a user name there, and sends both as they stand, undecoded. For
    what is not there it looks in the logins of the indexes (`_upload_key`).
    """
    login = base.login_of(entry)
    if login is None or not login.username:
        return None
    if not needs_encoding(login):
        return login
    name = Credential(login.username, SecretStr(""))
    url = base.url_of(entry, sensitive=True)
    return name if share_origin(url, entry.publish_url) and not needs_encoding(name) else None


def _limits(document: Document) -> Iterator[base.FormatLimit]:
    """The indexes whose login uv takes neither from `publish-url` nor from the index."""
    live = [entry for entry in document.entries if not entry.blocked]
    lacking = [e for e in live if e.publish_url and _upload_login(e) != base.login_of(e)]
    first: dict[tuple[str, ...], IndexEntry] = {}
    for entry in live if lacking else ():
        login, root = base.login_of(entry), root_of(base.url_of(entry, sensitive=True))
        if login is not None and root is not None:
            for key in (root[:2], root, (*root[:2], "", login.username)):
                first.setdefault(key, entry)
    for entry in lacking:
        other = first.get(_upload_key(entry))
        if other is not None and base.login_of(other) == base.login_of(entry):
            continue
        others = f"uv takes the login of index {other.name!r} there, and" if other else "uv takes"
        message = (
            f"uv.toml has no login for uploads to index {entry.name!r}: {others} from publish-url "
            "only a user name and password without percent-encoding; upload with Environment"
        )
        yield base.FormatLimit(Reason.UPLOAD_LOGIN_LEFT_OUT, message)


def _upload_key(entry: IndexEntry) -> tuple[str, ...]:
    """By what uv looks for a login: user name on the host, index above the URL, or the host."""
    uploads, root = place_of(entry.publish_url or ""), root_of(base.url_of(entry, sensitive=True))
    if uploads is None or root is None:
        return ()
    if (login := _upload_login(entry)) is not None:
        return (*uploads[:2], "", login.username)
    return root if root[:2] == uploads[:2] and uploads.path.startswith(root.path) else uploads[:2]


def _must_authenticate(entry: IndexEntry) -> bool:
    """Whether to tell uv never to ask this index anonymously.

    Not if a token is the user name and there is no password, as Gemfury has it: uv sends such a
    login, but with `authenticate = "always"` refuses it as incomplete.
    """
    login = base.login_of(entry)
    return entry.credentialed if login is None else bool(login.raw_password)


def _new_entry_text(entry: IndexEntry, default: bool, sensitive: bool) -> SecretStr:
    expiry = expiry_comment(entry) if sensitive and not default else ""
    try:
        return SecretStr(_index_text(_entry_table(entry, default, sensitive), expiry))
    except UnusableURLError as error:
        message = f"index {entry.name}: {error}"
        raise base.RenderingError(message, index_name=entry.name) from None


# A bound for memory, not for correctness: an entry with a CodeArtifact token is 2 to 3 kB of text.
_entry_text = lru_cache(maxsize=2048)(_new_entry_text)


@lru_cache(maxsize=256)
def _public_text(public: PublicEntry, default: bool) -> str:
    return _index_text(_named_table(public.name, public.url, default))


def _index_text(table: TOMLTable, comments: str = "") -> str:
    text = f"{comments}[[index]]\n{_lines(table)}"
    _compare(text, {"index": [table]}, index_name=table["name"])
    return text


@lru_cache(maxsize=8)
def _head_text(index_strategy: IndexStrategy, no_index: bool) -> str:
    """The keys at the top: only keys that every supported uv knows, since uv stops at others."""
    no_index_key = {"no-index": True} if no_index else {}
    table: TOMLTable = {"index-strategy": index_strategy, **no_index_key}
    _compare(text := _lines(table), table, index_name="")
    return text


def _lines(table: TOMLTable) -> str:
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in table.items())


def _compare(text: str, meant: TOMLTable, *, index_name: str) -> None:
    """Compare what the standard library's own parser reads with what was meant."""
    if base.parsed_toml(text) != meant:
        where = f"index {index_name}" if index_name else "the top-level keys"
        message = f"{where}: the rendered TOML does not say what was meant"
        raise base.RenderingError(message, index_name=index_name)


def read_entries(
    text: SecretStr, *, verbatim: Collection[str] = (), public_name: str | None = None
) -> dict[str, IndexEntry]:
    """Read the private indexes of a rendered uv.toml, by name in file order.

    Only for text whose digest was verified. `verbatim` names the indexes whose URL is as the user
    wrote it, which the text cannot tell; the index called `public_name` is left out. So is
    the one called `DEFAULT_NAME`, which stands under its own name as well, and whatever does not
    look as we write it; text that is not TOML holds no entry. `authenticate` comes back as written,
    so it may be `always` in an entry that had none. When a login expires is not read. But for that,
    rendering the entries again gives the same text.
    """
    tables = base.parsed_toml(text.get_secret_value()).get("index")
    listed = tables if isinstance(tables, list) else []
    read = (_read_entry(table, verbatim) for table in listed)
    others = (public_name, DEFAULT_NAME)
    return {each.name: each for each in read if each is not None and each.name not in others}


class _WrittenIndex(BaseModel):
    """An `[[index]]` as we write it."""

    model_config = ConfigDict(strict=True)

    name: str
    url: str
    explicit: bool = False
    format: IndexFormat | None = None
    exclude_newer: Literal[False] | str | None = Field(default=None, alias="exclude-newer")
    authenticate: Authenticate | None = None
    codes: list[int] = Field(default_factory=list, alias="ignore-error-codes")
    publish_url: str | None = Field(default=None, alias="publish-url")


def _read_entry(table: Any, verbatim: Collection[str]) -> IndexEntry | None:
    try:
        written = _WrittenIndex.model_validate(table)
    except ValidationError:
        return None
    blocked = is_blocked_url(written.url, written.name)
    is_verbatim = written.name in verbatim and not blocked
    publish = written.publish_url
    try:
        url, credential = split_userinfo(written.url)
        publish = publish and without_userinfo(publish)
    except UnusableURLError:
        if not is_verbatim:
            return None
        url, credential = "", None
    return IndexEntry(
        name=written.name,
        # A verbatim URL may be a secret as a whole: only its host goes where statuses look.
        url=(safe_url(written.url) or "") if is_verbatim else url,
        credential=None if is_verbatim else credential,
        verbatim_url=SecretStr(written.url) if is_verbatim else None,
        explicit=written.explicit,
        authenticate=written.authenticate,
        ignore_error_codes=tuple(written.codes),
        blocked=blocked,
        flat=written.format == "flat",
        exclude_newer="false" if written.exclude_newer is False else written.exclude_newer,
        publish_url=publish,
    )
