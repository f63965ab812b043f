"""What `uv publish` takes of an index's login, from `publish-url` and from the indexes. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats import base
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.urls import Place, needs_encoding, place_of

_SIMPLE: Final = re.compile(r"\+?simple/?\Z", re.IGNORECASE)


def upload_login(entry: IndexEntry) -> Credential | None:
    """What of the login uv takes from `publish-url`; None if nothing.

    It refuses a password without a user name there, and sends both as they stand, undecoded. For
    what is not there it looks in the logins of indexes on the same scheme, host and port, by user
    name if there is one, else it takes the first.
    """
    login = base.login_of(entry)
    if login is None or not login.username:
        return None
    if not needs_encoding(login):
        return login
    name = Credential(login.username, SecretStr(""))
    return None if needs_encoding(name) or not _uploads_to_its_host(entry) else name


def _uploads_to_its_host(entry: IndexEntry) -> bool:
    index, uploads = place_of(base.url_of(entry, sensitive=True)), place_of(entry.publish_url or "")
    return index is not None and uploads is not None and index[:2] == uploads[:2]


def upload_limits(document: Document) -> Iterator[base.FormatLimit]:
    """The indexes whose login uv takes neither from `publish-url` nor from the index."""
    lacking = [entry for entry in document.entries if _lacksupload_login(entry)]
    first: dict[tuple[str, ...], IndexEntry] = {}
    for entry in document.entries if lacking else ():
        login, root = base.login_of(entry), _root(entry)
        if login is not None and root is not None and not entry.blocked:
            for key in (root[:2], root, (*root[:2], "", login.username)):
                first.setdefault(key, entry)
    for entry in lacking:
        other = first.get(_upload_key(entry))
        if other is not None and base.login_of(other) == base.login_of(entry):
            continue
        others = f"uv takes the login of index {other.name!r} there, and" if other else "uv takes"
        message = (
            f"uv.toml has no login for uploads to index {entry.name!r}: {others} from publish-url "
            "only a user name and a password that need no percent-encoding; upload with "
            "Environment"
        )
        yield base.FormatLimit(Reason.UPLOAD_LOGIN_LEFT_OUT, message)


def _lacksupload_login(entry: IndexEntry) -> bool:
    login = None if entry.blocked or entry.publish_url is None else base.login_of(entry)
    return login is not None and upload_login(entry) != login


def _upload_key(entry: IndexEntry) -> tuple[str, ...]:
    """What uv looks for a login by: the user name, or the index that the URL is below, or host."""
    uploads, login, root = place_of(entry.publish_url or ""), upload_login(entry), _root(entry)
    if uploads is None:
        return ()
    if login is not None:
        return (*uploads[:2], "", login.username)
    below = root is not None and root[:2] == uploads[:2] and uploads.path.startswith(root.path)
    return root if root is not None and below else uploads[:2]


def _root(entry: IndexEntry) -> Place | None:
    """The place below which uv sends the login of an index."""
    place = place_of(base.url_of(entry, sensitive=True))
    return place._replace(path=_SIMPLE.sub("", place.path)) if place is not None else None
