"""Any login survives into pip.conf and back through its own parser, or is refused by index name."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given

from artifact_index.formats.document import Document
from support.format_cases import HOSTILE_DOCUMENTS, document_with, live, parsed_ini, raw
from support.rendered import public_text, secret_text

pytestmark = pytest.mark.unit


@given(HOSTILE_DOCUMENTS)
@example(document_with("user", "x\n[global]\nno-index = true"))
@example(document_with("%(x)s", "%%"))
def test_pip_conf_holds_every_login_in_its_url(document: Document) -> None:
    text = secret_text("PipConf", document)
    section = parsed_ini(text)
    assert section.sections() == ["global"]
    keys = {"no-input", "index-url", "extra-index-url", "find-links", "no-index", "retries"}
    assert set(section["global"]) <= keys
    # Empty as well: they replace the machine's own.
    assert {"extra-index-url", "find-links"} <= set(section["global"])
    pages = section["global"]["find-links"].split()
    urls = section["global"].get("index-url", "").split()
    urls += section["global"].get("extra-index-url", "").split()

    searched = [e for e in document.entries if not e.explicit]
    blocked = any(e.blocked for e in searched)
    assert len(pages) == sum(e.flat and not e.blocked for e in searched)
    public = document.public is not None and not blocked
    assert len(urls) + len(pages) == len(searched) + public
    assert ("no-index" in section["global"]) == (not urls)
    found = {
        (unquote(u.username or ""), unquote(u.password or "")) for u in map(urlsplit, urls + pages)
    }
    assert found >= {raw(e) for e in searched if e in live(document)}
    assert text.isascii()


def test_without_a_public_index_pip_does_not_go_to_pypi() -> None:
    nothing = Document((), public=None)

    assert parsed_ini(public_text("PipConf", nothing))["global"]["no-index"] == "true"
