"""Documents with hostile logins, and what the tests of every format ask about them."""

import configparser
from collections.abc import Iterable

from hypothesis import strategies as st
from pydantic import SecretStr

from artifact_index.formats.base import FormatLimit
from artifact_index.formats.document import Credential, Document, IndexEntry, PublicEntry
from support.rendering_strategies import NAMES, UNICODE, URLS

HOSTILE = st.text(st.sampled_from("aZ9@:/#?%\"'\\\n\r\t ;=[]$!&<>`\0ü密"), max_size=40)
VALUES = UNICODE | HOSTILE | st.text("ab%@", min_size=1, max_size=2).map(lambda t: t * 8192)
LOGINS = st.builds(Credential, VALUES, VALUES.map(SecretStr))
ENTRIES = st.builds(
    IndexEntry,
    name=NAMES,
    url=URLS,
    credential=st.none() | LOGINS,
    publish_url=st.none() | URLS,
    explicit=st.booleans(),
    flat=st.booleans(),
    blocked=st.booleans(),
)
HOSTILE_DOCUMENTS = st.builds(
    Document,
    entries=st.lists(ENTRIES, max_size=4, unique_by=lambda entry: entry.name).map(tuple),
    public=st.none() | st.builds(PublicEntry, st.just("the-public-one"), URLS),
    prefer_private=st.booleans(),
)


def document_with(username: str, password: str, name: str = "acme") -> Document:
    """One index with this login, which is published to."""
    login = Credential(username, SecretStr(password))
    entry = IndexEntry(
        name, "https://host.example/simple/", login, publish_url="https://host.example/up/"
    )
    return Document((entry,), public=None)


def raw(entry: IndexEntry) -> tuple[str, str]:
    """User name and password."""
    assert entry.credential is not None
    return entry.credential.username, entry.credential.password.get_secret_value()


def refused(limits: Iterable[FormatLimit]) -> str:
    """What the severe limits say."""
    return " ".join(limit.message for limit in limits if limit.severe)


def live(document: Document) -> list[IndexEntry]:
    """The entries with a login that is not blocked."""
    return [
        entry
        for entry in document.entries
        if not entry.blocked and entry.credential and raw(entry) != ("", "")
    ]


def parsed_ini(text: str) -> configparser.RawConfigParser:
    """As the programs parse it."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser
