"""Any login survives into .pypirc and back through its own parser, or is refused by index name."""

import pytest
from hypothesis import example, given

from artifact_index.formats.base import ascii_url
from artifact_index.formats.document import Document
from artifact_index.formats.pypirc import Pypirc
from support.format_cases import HOSTILE_DOCUMENTS, document_with, live, parsed_ini, raw, refused

pytestmark = pytest.mark.unit


@given(HOSTILE_DOCUMENTS)
@example(document_with("user", "x\n[evil]\nrepository = https://evil.example"))
@example(document_with("user", "# no comment"))
@example(document_with(" user", "password "))
@example(document_with("", "token"))
@example(document_with("user", ""))
def test_pypirc_holds_a_login_as_it_is_or_says_why_not(document: Document) -> None:
    rendered = Pypirc().render_secret(document)
    parser = parsed_ini(rendered.files[".pypirc"].get_secret_value())

    published = [e for e in document.entries if e.publish_url and not e.blocked]
    assert parser["distutils"]["index-servers"].split() == parser.sections()[1:]
    for entry in published:
        if entry.name not in parser.sections():
            assert repr(entry.name) in refused(rendered.limits)
            continue
        section = dict(parser[entry.name])
        assert section.pop("repository") == ascii_url(entry.publish_url or "")
        if entry in live(document):
            assert (section.pop("username"), section.pop("password")) == raw(entry)
        assert section == {}
    assert set(parser.sections()[1:]) <= {e.name for e in published}


@pytest.mark.parametrize(("login", "what"), [(("", "p"), "user name"), (("u", ""), "password")])
def test_pypirc_refuses_a_login_that_twine_does_not_send(login: tuple[str, str], what: str) -> None:
    rendered = Pypirc().render_secret(document_with(*login))

    assert f"an empty {what}" in refused(rendered.limits)
    assert parsed_ini(rendered.files[".pypirc"].get_secret_value()).sections() == ["distutils"]


@pytest.mark.parametrize("name", ["distutils", "server-login"])
def test_pypirc_refuses_a_name_that_means_something_else_to_twine(name: str) -> None:
    rendered = Pypirc().render_secret(document_with("u", "p", name))

    assert name in refused(rendered.limits)
    assert parsed_ini(rendered.files[".pypirc"].get_secret_value()).sections() == ["distutils"]
