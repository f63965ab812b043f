"""Any login survives into config.toml and back, or is refused by index name."""

import tomllib

import pytest
from hypothesis import example, given

from artifact_index.formats.document import Document
from artifact_index.formats.pdm_toml import PdmToml
from support.format_cases import HOSTILE_DOCUMENTS, document_with, live, raw, refused
from support.rendered import public_text

pytestmark = pytest.mark.unit


@given(HOSTILE_DOCUMENTS)
@example(document_with("user", '"\n[pypi.evil]\nurl = "https://evil.example"'))
def test_pdm_toml_holds_every_login_as_it_is(document: Document) -> None:
    rendered = PdmToml().render_secret(document)
    parsed = tomllib.loads(rendered.files["config.toml"].get_secret_value())
    tables, repositories = parsed["pypi"], parsed.get("repository", {})

    searched = [e for e in document.entries if not e.explicit]
    named = {name: table for name, table in tables.items() if isinstance(table, dict)}
    assert list(named) == [e.name for e in searched if repr(e.name) not in refused(rendered.limits)]
    for entry in searched:
        table = named.get(entry.name)
        if table is not None and entry in live(document):
            assert (table["username"], table["password"]) == raw(entry)
        if table is not None:
            assert ("type" in table) == (entry.flat and not entry.blocked)
    if any(e.blocked for e in searched):
        assert tables["url"].endswith(".unavailable.invalid/simple/")
    assert set(tables) - set(named) == {"url"}  # a login there would go where PDM_PYPI_URL says
    for entry in document.entries:
        table = repositories.pop(entry.name, None)
        if entry.publish_url is None or entry.blocked:
            assert table is None
        elif entry in live(document) and repr(entry.name) not in refused(rendered.limits):
            assert (table["username"], table["password"]) == raw(entry)
    assert repositories == {}


@pytest.mark.parametrize("name", ["url", "username", "password", "pypi"])
def test_pdm_refuses_a_name_that_means_something_else_to_it(name: str) -> None:
    rendered = PdmToml().render_secret(document_with("u", "p", name))

    assert name in refused(rendered.limits)
    tables = tomllib.loads(rendered.files["config.toml"].get_secret_value())["pypi"]
    assert not isinstance(tables.get(name), dict)


def test_without_a_public_index_pdm_does_not_go_to_pypi() -> None:
    tables = tomllib.loads(public_text("PdmToml", Document((), public=None)))["pypi"]

    assert tables["url"].endswith(".invalid/simple/")
