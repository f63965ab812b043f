"""Any login survives into netrc and back through its own parser, or is refused by index name."""

import netrc
import tempfile
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from pydantic import SecretStr

from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.netrc import Netrc
from support.format_cases import HOSTILE_DOCUMENTS, document_with, live, raw, refused

pytestmark = pytest.mark.unit


@given(HOSTILE_DOCUMENTS)
@example(document_with("user", "x\nmachine evil.example login a password b"))
@example(document_with("user", "x default login a password b"))
@example(document_with('"quoted"', "back\\slash"))
def test_netrc_holds_a_login_as_it_is_or_says_why_not(document: Document) -> None:
    rendered = Netrc().render_secret(document)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "netrc"
        path.write_text(rendered.files["netrc"].get_secret_value())
        hosts = netrc.netrc(path).hosts

    assert "default" not in hosts
    hosts_of = {e.name: urlsplit(e.url).hostname for e in live(document)}
    assert set(hosts) == {hosts_of[name] for name in rendered.held}
    for entry in live(document):
        if entry.name in rendered.held:
            login, _, password = hosts[hosts_of[entry.name] or ""]
            assert (login, password) == raw(entry)
        else:
            assert repr(entry.name) in " ".join(limit.message for limit in rendered.limits)


def test_netrc_refuses_a_host_with_two_logins_and_names_both() -> None:
    entries = tuple(
        IndexEntry(name, f"https://{host}/{name}/simple/", Credential("u", SecretStr(password)))
        for name, host, password in (
            ("a", "shared.example:8080", "one"),
            ("b", "shared.example", "two"),
            ("c", "other.example", "three"),
            ("d", "other.example", "three"),
        )
    )

    rendered = Netrc().render_secret(Document(entries, public=None))

    text = rendered.files["netrc"].get_secret_value()
    assert "shared.example" not in text and text.count("machine other.example") == 1
    assert rendered.held == {"c", "d"}
    (limit,) = rendered.limits
    assert limit.severe and "'a', 'b'" in limit.message and "shared.example" in limit.message
    assert "one" not in limit.message.replace("one login", "")


READER = IndexEntry("reader", "https://h.example/simple/", Credential("u", SecretStr("read")))
UPLOADER = IndexEntry(
    "uploader", "https://h.example/simple/", Credential("u", SecretStr("write")),
    explicit=True, publish_url="https://h.example/up/",
)  # fmt: skip


@pytest.mark.parametrize(
    "reader",
    [
        READER,
        replace(
            READER, url="https://h.example", credential=None,
            verbatim_url=SecretStr("https://u:read@h.example/simple/"),
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("url", ["https://h.example/simple", "https://H.example:443/./simple/"])
def test_netrc_has_the_login_that_reads_a_url_and_not_the_one_that_uploads(
    url: str, reader: IndexEntry
) -> None:
    for entries in permutations((reader, replace(UPLOADER, url=url))):
        rendered = Netrc().render_secret(Document(entries, public=None))

        text = rendered.files["netrc"].get_secret_value()
        comment = "# reader: no expiry known\n"
        assert text == f"{comment}machine h.example\n  login u\n  password read\n"
        assert rendered.held == {"reader"}
        (limit,) = rendered.limits
        assert limit.reason == "ExplicitIndexLeftOut" and not limit.severe
        assert "'uploader'" in limit.message and "'reader'" in limit.message


@pytest.mark.parametrize(
    "other",
    [
        replace(UPLOADER, url="https://h.example/other/simple/"),
        replace(UPLOADER, explicit=False),
        replace(UPLOADER, publish_url=None),
    ],
)
def test_an_index_that_is_read_as_well_needs_the_netrc(other: IndexEntry) -> None:
    rendered = Netrc().render_secret(Document((READER, other), public=None))

    assert rendered.held == frozenset()
    assert "'reader', 'uploader'" in refused(rendered.limits)


@pytest.mark.parametrize(
    "reader", [None, replace(READER, credential=None), replace(READER, blocked=True)]
)
def test_netrc_has_the_login_for_uploads_where_it_is_the_only_one(
    reader: IndexEntry | None,
) -> None:
    entries = (UPLOADER,) if reader is None else (reader, UPLOADER)
    rendered = Netrc().render_secret(Document(entries, public=None))

    assert rendered.held == {"uploader"} and rendered.limits == ()


def test_one_login_to_read_and_to_upload_is_that_of_the_host() -> None:
    entries = (READER, replace(UPLOADER, credential=READER.credential))

    rendered = Netrc().render_secret(Document(entries, public=None))

    assert rendered.held == {"reader", "uploader"} and rendered.limits == ()


@pytest.mark.parametrize("value", ["", " a", "a b", "#a", 'a"b', "a\\b", "ä", "a\nb", "a\x7fb"])
@pytest.mark.parametrize("which", ["user name", "password"])
def test_netrc_refuses_what_programs_read_differently(value: str, which: str) -> None:
    document = (
        document_with(value, "fine") if which == "user name" else document_with("fine", value)
    )

    rendered = Netrc().render_secret(document)

    assert rendered.files["netrc"].get_secret_value() == ""
    assert "'acme'" in refused(rendered.limits) and which in refused(rendered.limits)
