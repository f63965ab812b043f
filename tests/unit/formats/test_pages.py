"""A page of links in each format, and what becomes of it in a restart or while it is blocked."""

import tomllib

import pytest
from pydantic import SecretStr

from artifact_index.formats.document import Credential, Document, IndexEntry, PublicEntry
from artifact_index.formats.registry import read_logins
from support.format_cases import parsed_ini
from support.rendered import public_text, secret_text

pytestmark = pytest.mark.unit

URL = "https://acme.example/wheels/cpu.html"
LOGIN = Credential("aws", SecretStr("to/ken"))
WITH_LOGIN = "https://aws:to%2Fken@acme.example/wheels/cpu.html"
PAGE = IndexEntry("acme", URL, LOGIN, flat=True)
BLOCKED = IndexEntry("acme", "", blocked=True)


def test_pip_looks_for_links_there_and_in_no_index() -> None:
    section = parsed_ini(secret_text("PipConf", Document((PAGE,), public=None)))["global"]
    assert section["no-index"] == "true" and "index-url" not in section
    assert (section["extra-index-url"], section["find-links"].split()) == ("", [WITH_LOGIN])

    bare = parsed_ini(public_text("PipConf", Document((PAGE,), public=None)))["global"]
    assert bare["find-links"].split() == [URL]


def test_pip_has_a_page_beside_indexes() -> None:
    other = IndexEntry("other", "https://other.example/simple/")
    public = PublicEntry("pypi", "https://pypi.org/simple")
    section = parsed_ini(secret_text("PipConf", Document((PAGE, other), public)))["global"]
    assert section["index-url"] == other.url
    assert section["extra-index-url"].split() == [public.url]
    assert section["find-links"].split() == [WITH_LOGIN] and "no-index" not in section


def test_a_blocked_page_is_an_index_at_which_pip_stops() -> None:
    document = Document((BLOCKED,), PublicEntry("pypi", "https://pypi.org/simple"))
    section = parsed_ini(secret_text("PipConf", document))["global"]
    assert section["index-url"] == "https://acme.unavailable.invalid/simple/"
    assert (section["extra-index-url"], section["find-links"]) == ("", "")


def test_pdm_finds_links_there() -> None:
    tables = tomllib.loads(secret_text("PdmToml", Document((PAGE,), public=None)))["pypi"]
    assert tables["acme"] == {
        "url": URL, "username": "aws", "password": "to/ken", "type": "find_links",
    }  # fmt: skip
    assert "type" not in tomllib.loads(secret_text("PdmToml", Document((BLOCKED,), None)))["pypi"]


@pytest.mark.parametrize(
    ("form", "key"), [("PipConf", "pip.conf"), ("PdmToml", "config.toml"), ("UvToml", "uv.toml")]
)
def test_its_login_is_read_back(form: str, key: str) -> None:
    text = secret_text(form, Document((PAGE,), public=None))  # type: ignore[arg-type]
    assert read_logins({key: SecretStr(text)}, {"acme": URL}) == {"acme": LOGIN}
