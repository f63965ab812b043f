"""Tokens come back from a file of ours, and rendering them again changes nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from artifact_index.formats.document import Credential, Document, IndexEntry, PublicEntry
from artifact_index.formats.uv_toml import UV_TOML_KEY, UvToml, read_entries
from support.rendering_strategies import DOCUMENTS

pytestmark = pytest.mark.unit


def rendered(document: Document) -> SecretStr:
    return UvToml().render_secret(document).files[UV_TOML_KEY]


@given(DOCUMENTS)
def test_rendering_what_was_read_gives_the_same_text(asked: Document) -> None:
    text = rendered(asked)
    verbatim = {e.name for e in asked.entries if e.verbatim_url is not None}
    public_name = asked.public.name if asked.public is not None else None

    found = read_entries(text, verbatim=verbatim, public_name=public_name)

    assert list(found) == [e.name for e in asked.entries]
    assert rendered(replace(asked, entries=tuple(found.values()))) == text
    for each in asked.entries:
        got = found[each.name]
        assert (got.blocked, got.explicit) == (each.blocked, each.explicit)
        assert got.verbatim_url == each.verbatim_url
        if each.credential is not None and not each.blocked:
            empty = each.credential == Credential("", SecretStr(""))
            assert got.credential == (None if empty else each.credential)
            assert got.url == each.url


def test_a_blocked_entry_brings_no_login_back() -> None:
    blocked = IndexEntry(
        "acme", "https://h/", credential=Credential("u", SecretStr("p")), blocked=True
    )
    text = rendered(Document((blocked,), public=None))

    assert read_entries(text)["acme"].credential is None
    assert read_entries(text)["acme"].blocked
    assert read_entries(text, verbatim={"acme"}) == read_entries(text)


def test_of_a_preauthenticated_url_only_the_host_is_shown_elsewhere() -> None:
    url = SecretStr("https://u:p@host.example:1/c4n4ry/simple/?c4n4ry")
    text = rendered(Document((IndexEntry("pre", "", verbatim_url=url),), public=None))

    found = read_entries(text, verbatim={"pre"})["pre"]

    assert found.verbatim_url == url
    assert found.url == "https://host.example"
    assert "c4n4ry" not in repr(found)


def test_the_public_index_is_left_out() -> None:
    asked = Document(
        (IndexEntry("acme", "https://h/"),), public=PublicEntry("pypi", "https://mirror/")
    )

    assert list(read_entries(rendered(asked), public_name="pypi")) == ["acme"]


def test_a_file_of_an_older_version_is_read() -> None:
    """It marks an index where it stands, and has any name in the host of a blocked one."""
    text = SecretStr(
        '[[index]]\nname = "xn--x"\nurl = "https://xn--x.unavailable.invalid/simple/"\n'
        '[[index]]\nname = "acme"\nurl = "https://u:p@h/"\ndefault = true\n'
    )

    found = read_entries(text)

    assert list(found) == ["xn--x", "acme"] and found["xn--x"].blocked
    assert found["acme"].credential == Credential("u", SecretStr("p"))


ENTRY = '[[index]]\nname = "a"\nurl = "https://h/"\n'


@pytest.mark.parametrize(
    "text",
    [
        "not = toml = at all",
        'index = "a"',
        "index = [1]",
        '[[index]]\nurl = "https://h/"',
        '[[index]]\nname = "a"',
        '[[index]]\nname = 1\nurl = "https://h/"',
        '[[index]]\nname = "a"\nurl = "no url"',
        f'{ENTRY}explicit = "yes"',
        f'{ENTRY}authenticate = "sometimes"',
        f"{ENTRY}authenticate = [1]",
        f"{ENTRY}ignore-error-codes = 401",
        f'{ENTRY}format = "round"',
        f"{ENTRY}exclude-newer = true",
        f"{ENTRY}exclude-newer = 7",
        f"{ENTRY}ignore-error-codes = [true]",
        "",
    ],
)
def test_what_does_not_look_like_ours_is_left_out(text: str) -> None:
    assert read_entries(SecretStr(text)) == {}


@given(st.text())
def test_no_text_raises(text: str) -> None:
    read_entries(SecretStr(text))
