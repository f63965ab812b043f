"""The login of `uv publish --index` where several indexes are on one host."""

import pytest
from pydantic import SecretStr

from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.uv_toml import UvToml

pytestmark = pytest.mark.unit

PLAIN, ODD, TOKEN = ("u", "plain"), ("u", "o:d/d"), ("", "token")
HOST = "https://acme.example"


def entry(name: str, url: str, login: tuple[str, str], uploads: str | None = None) -> IndexEntry:
    credential = Credential(login[0], SecretStr(login[1]))
    return IndexEntry(name, url, credential, publish_url=uploads)


@pytest.mark.parametrize(
    ("reader", "uploader", "index", "uploads", "limited"),
    [
        (PLAIN, TOKEN, "/a/simple/", "/a/", True),
        (PLAIN, TOKEN, "/a/simple", "/a/up/", True),
        (PLAIN, TOKEN, "/b/simple/", "/a/", True),
        (PLAIN, TOKEN, "/b/simple/", "/up/", True),
        (PLAIN, TOKEN, "/b/simple/", "/b/", False),  # uv finds the login by the URL
        (PLAIN, ("x@y", "o:d/d"), "/a/simple/", "/a/", True),
        (TOKEN, TOKEN, "/a/simple/", "/a/", False),
        (PLAIN, ODD, "/b/simple/", "/b/", True),  # by the user name that is written
        (("v", "plain"), ODD, "/a/simple/", "/a/", False),
        (ODD, PLAIN, "/a/simple/", "/a/", False),  # all of it is written
    ],
)
def test_the_login_of_an_earlier_index_is_not_taken_unnoticed(
    reader: tuple[str, str], uploader: tuple[str, str], index: str, uploads: str, limited: bool
) -> None:
    """`tests/clients/test_publishing.py` runs uv with such files."""
    first = entry("reader", f"{HOST}/a/simple/", reader)
    other = entry("uploader", f"{HOST}{index}", uploader, f"{HOST}:443{uploads}")
    away = entry("away", "https://away.example/simple/", reader)

    said = [each.message for each in UvToml().render_secret(Document((first, other), None)).limits]

    assert ["'uploader'" in text and "'reader'" in text for text in said] == [True] * limited
    for entries in ((other, first), (away, other)):
        assert UvToml().render_secret(Document(entries, None)).limits == ()


def test_on_another_host_uv_takes_the_login_of_an_index_there() -> None:
    first = entry("there", "https://up.example/simple/", PLAIN)
    other = entry("uploader", f"{HOST}/simple/", TOKEN, "https://up.example/up/")

    (limit,) = UvToml().render_secret(Document((first, other), None)).limits
    assert "'there'" in limit.message
    (limit,) = UvToml().render_secret(Document((other,), None)).limits
    assert "'uploader'" in limit.message and "index 'there'" not in limit.message
