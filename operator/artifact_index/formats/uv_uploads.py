"""What `uv publish` takes of an index's login, from `publish-url` and from the indexes. Pure."""

from collections.abc import Iterator

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.formats import base
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.urls import needs_encoding, place_of, root_of, share_origin


def upload_login(entry: IndexEntry) -> Credential | None:
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


def upload_limits(document: Document) -> Iterator[base.FormatLimit]:
    """The indexes whose login uv takes neither from `publish-url` nor from the index."""
    live = [entry for entry in document.entries if not entry.blocked]
    lacking = [e for e in live if e.publish_url and upload_login(e) != base.login_of(e)]
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
    if (login := upload_login(entry)) is not None:
        return (*uploads[:2], "", login.username)
    return root if root[:2] == uploads[:2] and uploads.path.startswith(root.path) else uploads[:2]
