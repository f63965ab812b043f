"""uv.toml says what the document says, nothing more, and never elsewhere than in the file."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from pydantic import SecretStr

from artifact_index.api.artifact_index import Authenticate
from artifact_index.api.constants import PYPI_URL
from artifact_index.formats import uv_toml
from artifact_index.formats.base import NotCredentialFreeError, RenderingError
from artifact_index.formats.blocked import blocked_url
from artifact_index.formats.document import Credential, Document, IndexEntry, PublicEntry
from artifact_index.formats.names import environment_form
from artifact_index.formats.urls import split_userinfo
from artifact_index.formats.uv_toml import DEFAULT_NAME, UvToml
from support.rendered import public_text, secret_text
from support.rendering_strategies import COMPOSED, DOCUMENTS, NAMES, UNICODE

pytestmark = pytest.mark.unit

CANARY = "c4n4ry"
PYPI = PublicEntry("pypi", PYPI_URL)


def entry(name: str = "acme", **changes: Any) -> IndexEntry:
    return replace(IndexEntry(name=name, url=f"https://{name}.example/simple/"), **changes)


def login(username: str = "aws", password: str = CANARY) -> Credential:
    return Credential(username, SecretStr(password))


def document(*entries: IndexEntry, public: PublicEntry | None = PYPI, **rest: Any) -> Document:
    return Document(entries=entries, public=public, **rest)


def all_tables(asked: Document) -> list[dict[str, Any]]:
    """The indexes of the rendered file."""
    parsed = tomllib.loads(secret_text("UvToml", asked))
    indexes = parsed.get("index", [])
    assert isinstance(indexes, list)
    return indexes


def tables(asked: Document) -> list[dict[str, Any]]:
    """The indexes of the rendered file under their own names."""
    return [table for table in all_tables(asked) if table["name"] != DEFAULT_NAME]


def defaults(asked: Document) -> list[str]:
    """The own names of the indexes that are marked."""
    found = all_tables(asked)
    names = {table["url"]: table["name"] for table in reversed(found)}
    return [names[table["url"]] for table in found if table.get("default")]


def test_a_whole_file_reads_as_the_documentation_shows_it() -> None:
    asked = document(
        entry("acme", credential=login(password="to/ken")),
        entry("open", explicit=True, ignore_error_codes=(401, 403)),
        entry("page", flat=True, exclude_newer="false"),
        entry("aged", exclude_newer="7 days"),
        entry("lost", credential=login(), blocked=True, ignore_error_codes=(401,)),
        entry("gone", blocked=True, flat=True, exclude_newer="false"),
    )

    assert secret_text("UvToml", asked) == (
        """\
# Written by artifact-index-operator; edits are overwritten.
index-strategy = "first-index"

[[index]]
name = "pypi"
url = "https://pypi.org/simple"
default = true

# acme: no expiry known
[[index]]
name = "acme"
url = "https://aws:to%2Fken@acme.example/simple/"
authenticate = "always"

[[index]]
name = "open"
url = "https://open.example/simple/"
explicit = true
ignore-error-codes = [401, 403]

[[index]]
name = "page"
url = "https://page.example/simple/"
format = "flat"
exclude-newer = false

[[index]]
name = "aged"
url = "https://aged.example/simple/"
exclude-newer = "7 days"

# lost: unavailable
[[index]]
name = "lost"
url = "https://lost.unavailable.invalid/simple/"
authenticate = "always"

# gone: unavailable
[[index]]
name = "gone"
url = "https://gone.unavailable.invalid/simple/"
authenticate = "always"
"""
    )


@pytest.mark.parametrize(
    ("public", "prefer_private", "entries", "marked"),
    [
        (PYPI, True, [entry("a"), entry("b")], ["pypi"]),
        (PYPI, False, [entry("a"), entry("b")], []),
        (PYPI, True, [], ["pypi"]),
        # A mirror that is asked first: uv would add PyPI after it if nothing were marked.
        (PublicEntry("pypi", "https://mirror/simple/"), True, [entry("a")], ["pypi"]),
        (PublicEntry("pypi", "https://mirror/simple/"), False, [entry("a"), entry("b")], ["b"]),
        (PublicEntry("pypi", PYPI_URL + "/"), False, [entry("a")], ["a"]),
        (PublicEntry("pypi", "https://mirror/"), False, [entry("a", explicit=True)], ["pypi"]),
        (None, True, [entry("a"), entry("b")], ["b"]),
        (None, False, [entry("a"), entry("b")], ["b"]),
        (None, True, [entry("a"), entry("b", explicit=True)], ["a"]),
        (None, True, [entry("a", explicit=True), entry("b", explicit=True)], ["b"]),
        (None, True, [], []),
    ],
)
def test_the_default_keeps_pypi_where_the_options_put_it(
    public: PublicEntry | None, prefer_private: bool, entries: list[IndexEntry], marked: list[str]
) -> None:
    asked = document(*entries, public=public, prefer_private=prefer_private)

    assert defaults(asked) == marked


@pytest.mark.parametrize(
    "asked",
    [
        document(entry("a"), entry("b", credential=login()), public=None),
        document(entry("b", explicit=True, ignore_error_codes=(403,)), public=None),
        document(entry("b", blocked=True, ignore_error_codes=(403,)), public=None),
        document(
            entry("b", credential=login(), publish_url="https://b.example/up/"),
            public=PublicEntry("pypi", "https://mirror/simple/"),
            prefer_private=False,
        ),
    ],
)
def test_a_private_index_is_the_default_under_a_second_name_alone(asked: Document) -> None:
    """`UV_DEFAULT_INDEX` of an image replaces that one, and the index itself stays."""
    *_, own, again = all_tables(asked)

    own.pop("publish-url", None)
    assert own["name"] == "b" and "default" not in own
    assert again == {**own, "name": DEFAULT_NAME, "default": True}


@given(NAMES)
def test_no_index_can_have_the_second_name_or_its_variables(name: str) -> None:
    assert environment_form(name) != environment_form(DEFAULT_NAME)


def test_the_public_index_stands_first_and_the_others_in_search_order() -> None:
    asked = document(entry("z"), entry("a"), entry("m"), prefer_private=False)

    assert [table["name"] for table in tables(asked)] == ["pypi", "z", "a", "m"]


def test_with_nothing_left_uv_is_told_to_ask_nobody() -> None:
    text = public_text("UvToml", document(public=None))

    assert tomllib.loads(text) == {"index-strategy": "first-index", "no-index": True}


@pytest.mark.parametrize(
    ("changes", "authenticate"),
    [
        ({}, None),
        ({"credential": login("", "")}, None),
        ({"credential": login()}, "always"),
        ({"credential": login("", "password-only")}, "always"),
        # uv refuses a user name without a password as incomplete when it must authenticate.
        ({"credential": login("token-only", "")}, None),
        ({"credential": login("token-only", ""), "credentialed": True}, None),
        ({"credentialed": True}, "always"),
        ({"verbatim_url": SecretStr("https://u:p@h/simple/")}, "always"),
        ({"verbatim_url": SecretStr("https://h/simple/")}, None),
        ({"verbatim_url": SecretStr("https://h/simple/"), "credentialed": True}, "always"),
        ({"verbatim_url": SecretStr("https://token@h/simple/"), "credentialed": True}, None),
        ({"credential": login(), "authenticate": "auto"}, "auto"),
        ({"authenticate": "never"}, "never"),
        ({"authenticate": "always"}, "always"),
        ({"blocked": True}, "always"),
        ({"blocked": True, "authenticate": "never"}, "always"),
    ],
)
def test_an_index_with_a_login_is_never_asked_anonymously(
    changes: dict[str, Any], authenticate: Authenticate | None
) -> None:
    (table,) = tables(document(entry(**changes), public=None))

    assert table.get("authenticate") == authenticate


@pytest.mark.parametrize(
    "url",
    [
        "https://host.example/simple",
        "https://Host.Example:443/Simple/",
        "https://host.example/simple//",
        "https://host.example",
        "http://[::1]:80/a%2Fb/",
    ],
)
def test_the_user_s_spelling_of_a_url_is_kept(url: str) -> None:
    (table,) = tables(document(entry(url=url), public=None))

    assert table["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "https://u:p@h/simple/",
        "https://u:a\"b\\c'd@h/simple/",
        "https://h/" + "long'" * 60,
        "https://h/" + "long" * 60,
        "https://h/\t\x00\x7f\u2028" + "long" * 60,
        'https://h/"\n[[index]]\nname = "evil"\nurl = "x',
        "https://h/'\n[[index]]\n" + "x" * 200,
    ],
)
def test_a_preauthenticated_url_stands_as_it_is(url: str) -> None:
    (table,) = tables(document(entry(verbatim_url=SecretStr(url)), public=None))

    assert table["url"] == url


def test_credential_free_content_holds_no_login() -> None:
    asked = document(
        entry("one", credential=login()),
        entry(
            "two",
            verbatim_url=SecretStr(f"https://u:{CANARY}@two.example/simple/"),
            public_path=True,
        ),
        entry("three", credential=login(), blocked=True),
    )

    text = public_text("UvToml", asked)

    assert CANARY in secret_text("UvToml", asked)
    assert CANARY not in text
    assert [table["url"] for table in tomllib.loads(text)["index"]] == [
        PYPI_URL,
        "https://one.example/simple/",
        "https://two.example/simple/",
        blocked_url("three"),
    ]
    assert [t.get("authenticate") for t in tomllib.loads(text)["index"]] == [None] + ["always"] * 3


@pytest.mark.parametrize(
    "url",
    [
        f"https://h/{CANARY}/simple/",
        f"https://u:p@h/simple/?token={CANARY}",
        f"https://u:p@h/simple/#{CANARY}",
        f"https://@h/{CANARY}/",
    ],
)
def test_a_url_that_may_be_a_secret_as_a_whole_has_no_credential_free_form(url: str) -> None:
    asked = document(entry("other"), entry("pre", verbatim_url=SecretStr(url)))

    with pytest.raises(NotCredentialFreeError, match="pre") as caught:
        public_text("UvToml", asked)

    assert caught.value.index_name == "pre"
    assert CANARY not in str(caught.value)
    assert tables(asked)[-1]["url"] == url


def test_a_blocked_preauthenticated_url_is_not_in_the_way_of_credential_free_content() -> None:
    blocked = entry("pre", verbatim_url=SecretStr(f"https://h/{CANARY}/"), blocked=True)

    assert CANARY not in public_text("UvToml", document(blocked))


@pytest.mark.parametrize(
    "broken",
    [
        {"url": f"https://u:{CANARY}@h/simple/"},
        {"url": f"{CANARY}/simple/"},
        {"url": "https://h/", "credential": Credential("u", SecretStr(f"{CANARY}\ud800"))},
        {"verbatim_url": SecretStr(f"https://{CANARY}\ud800@h/")},
    ],
)
def test_what_cannot_be_rendered_raises_without_quoting_it(broken: dict[str, Any]) -> None:
    with pytest.raises(RenderingError, match="acme") as caught:
        UvToml().render_secret(document(entry(**broken)))

    error: BaseException | None = caught.value
    while error is not None:
        assert CANARY not in repr(error)
        error = error.__context__
    assert caught.value.index_name == "acme"


@pytest.mark.parametrize("second", ["acme", "pypi"])
def test_a_name_that_stands_twice_is_refused(second: str) -> None:
    """uv ignores the second index of a name in silence."""
    with pytest.raises(RenderingError, match=second):
        UvToml().render_secret(document(entry("acme"), entry(second)))


def test_the_url_stands_on_a_line_of_its_own() -> None:
    text = secret_text("UvToml", document(entry(credential=login())))

    assert [line.split(" = ")[0] for line in text.splitlines() if CANARY in line] == ["url"]


def test_an_unchanged_entry_is_not_built_again() -> None:
    entries = [entry(f"n{i}", credential=login(password=f"{i}-{CANARY}")) for i in range(20)]
    UvToml().render_secret(document(*entries))
    before = uv_toml._entry_text.cache_info().misses

    changed = [*entries[:-1], replace(entries[-1], credential=login(password="rotated"))]
    UvToml().render_secret(document(*changed))

    assert uv_toml._entry_text.cache_info().misses == before + 1


def test_what_is_kept_of_an_entry_shows_no_secret() -> None:
    asked = document(entry(credential=login()))

    kept = uv_toml._entry_text(asked.entries[0], False, True)

    assert CANARY in kept.get_secret_value()
    assert CANARY not in repr(kept) + repr(uv_toml._entry_text) + repr(
        UvToml().render_secret(asked)
    )
    assert CANARY not in repr(asked)


KEYS = {
    "name", "url", "default", "explicit", "format", "exclude-newer", "authenticate",
    "ignore-error-codes",
}  # fmt: skip


@given(DOCUMENTS)
def test_no_value_can_add_a_key_or_change_another(asked: Document) -> None:
    parsed = tomllib.loads(secret_text("UvToml", asked))

    assert parsed.keys() <= {"index-strategy", "index", "no-index"}
    assert parsed["index-strategy"] == asked.index_strategy
    indexes = parsed.get("index", [])
    if asked.public is not None:
        public = indexes.pop(0)
        assert (public["name"], public["url"]) == (asked.public.name, asked.public.url)
        assert public.keys() <= {"name", "url", "default"}
    again = [table for table in indexes if table["name"] == DEFAULT_NAME]
    indexes = [table for table in indexes if table["name"] != DEFAULT_NAME]
    for table in again:
        assert table in [{**own, "name": DEFAULT_NAME, "default": True} for own in indexes]
    assert [table["name"] for table in indexes] == [e.name for e in asked.entries]
    for table, each in zip(indexes, asked.entries, strict=True):
        assert table.keys() <= KEYS
        assert table.get("explicit", False) == each.explicit
        assert ("format" in table) == (each.flat and not each.blocked)
        span = None if each.blocked else each.exclude_newer
        assert table.get("exclude-newer") == (False if span == "false" else span)
        assert tuple(table.get("ignore-error-codes", ())) == (
            () if each.blocked else each.ignore_error_codes
        )
        if each.verbatim_url is not None:
            assert table["url"] == each.verbatim_url.get_secret_value()
    assert sum(table.get("default", False) for table in parsed.get("index", [])) <= 1


@given(each=COMPOSED, username=UNICODE, password=UNICODE)
def test_any_login_is_in_the_file_as_it_is(each: IndexEntry, username: str, password: str) -> None:
    wanted = Credential(username, SecretStr(password))
    each = replace(each, credential=wanted, blocked=False)

    (table,) = tables(document(each, public=None))

    assert split_userinfo(table["url"]) == (each.url, wanted if username or password else None)
