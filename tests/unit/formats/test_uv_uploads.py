"""The login that `uv publish --index` takes: from `publish-url`, or of an index on its host."""

import tomllib

import pytest
from pydantic import SecretStr

from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.urls import root_of
from artifact_index.formats.uv_toml import UvToml
from support.rendered import secret_text

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


@pytest.mark.parametrize(
    ("user", "password", "host", "written"),
    [
        ("u", "t.o-k_e~n", "host.example", "u:t.o-k_e~n@"),
        ("u", "t.o-k_e~n", "acme.example", "u:t.o-k_e~n@"),
        ("u", "tok==", "acme.example", "u@"),
        ("u", "tok==", "ACME.example:443", "u@"),
        ("u@x", "token", "acme.example", ""),
        ("u@x", "p/w", "acme.example", ""),
        ("", "token", "acme.example", ""),
        ("u", "tok==", "host.example", None),
        ("u", "tok==", "acme.example:8443", None),
        ("u@x", "token", "host.example", None),
        ("", "token", "host.example", None),
    ],
)
def test_a_publish_url_has_of_the_login_what_uv_takes_there(
    user: str, password: str, host: str, written: str | None
) -> None:
    """uv sends it undecoded, and looks up what is not there on the host of the index."""
    to = entry("acme", f"{HOST}/simple/", (user, password), f"https://{host}/up/")
    made = UvToml().render_secret(Document((to,), None))

    table, _ = tomllib.loads(secret_text("UvToml", Document((to,), None)))["index"]
    assert table["publish-url"] == f"https://{written or ''}{host}/up/"
    assert [limit.reason for limit in made.limits] == ["UploadLoginLeftOut"] * (written is None)
    assert all("'acme'" in each.message and not each.severe for each in made.limits)


def test_a_publish_url_has_no_password_without_a_user_name() -> None:
    """uv refuses to upload then; so it takes the login that it knows from the index."""
    to = entry("acme", f"{HOST}/simple/", TOKEN, "https://host.example/up/")

    table, _ = tomllib.loads(secret_text("UvToml", Document((to,), None)))["index"]
    assert table["publish-url"] == "https://host.example/up/"
    assert table["url"] == "https://:token@acme.example/simple/"


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/team/simple/", "/team/"),
        ("/team/+simple", "/team/"),
        ("/team/Simple", "/team/"),
        ("/simple", "/"),
        ("/team/mysimple/", "/team/mysimple/"),
        ("/simple/team/", "/simple/team/"),
    ],
)
def test_only_a_whole_last_segment_is_not_of_the_root(path: str, root: str) -> None:
    place = root_of(f"{HOST}{path}")
    assert place is not None and place.path == root
