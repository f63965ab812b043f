"""What holds for every format, and for one that is added."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import parse_spec
from artifact_index.api.index_options import IndexOptionsSpec, Output, OutputFormat
from artifact_index.api.reasons import Reason
from artifact_index.formats.base import (
    Format,
    FormatLimit,
    NotCredentialFreeError,
    SensitiveContent,
    URLs,
)
from artifact_index.formats.document import Credential, Document, IndexEntry
from artifact_index.formats.registry import (
    FORMATS,
    Rendering,
    holds_variables,
    login_formats,
    needs_login,
    read_logins,
    without_order,
)
from artifact_index.reconcile.plan.outputs import desired_outputs
from artifact_index.reconcile.status.notes import format_problem
from artifact_index.reconcile.status.risks import confusion_risk
from support.format_cases import HOSTILE_DOCUMENTS, live, raw
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    index,
    index_state,
    options,
    plans_from,
    source,
)
from support.rendered import public_text

pytestmark = pytest.mark.unit

ALL = list(FORMATS)
SECRET_ONLY = ["Netrc", "Environment"]
PUBLIC = [name for name in ALL if name not in SECRET_ONLY]


def test_the_registry_has_every_format_of_the_api() -> None:
    assert list(get_args(OutputFormat)) == ALL
    assert {name: each.name for name, each in FORMATS.items()} == {name: name for name in ALL}


def test_no_two_formats_share_a_key() -> None:
    keys = [each.key for each in FORMATS.values()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", ALL)
@given(document=HOSTILE_DOCUMENTS)
def test_what_a_format_holds_is_read_back_as_it_was(name: OutputFormat, document: Document) -> None:
    content = FORMATS[name].render_secret(document)
    # Beside the index that reads its URL, one for uploads is not in netrc: nobody asks for it.
    urls = {e.name: e.url for e in live(document) if e.name in content.held or not e.explicit}

    logins = read_logins(content.files, urls)

    held = {entry.name: entry.credential for entry in live(document) if entry.name in content.held}
    assert logins.items() <= held.items()
    # Of two logins at one URL pip.conf cannot tell whose they are.
    alone = {entry for entry, url in urls.items() if list(urls.values()).count(url) == 1}
    assert logins.keys() >= held.keys() & alone


@pytest.mark.parametrize("name", ALL)
def test_what_is_not_ours_holds_no_login(name: OutputFormat) -> None:
    key = FORMATS[name].key or "UV_INDEX_ACME_PASSWORD"
    for text in ("", "[", "=", "[global]\nindex-url = x", "[pypi]\nacme = 1", "machine"):
        assert read_logins({key: SecretStr(text)}, {"acme": "https://h.example/"}) == {}


@pytest.mark.parametrize("name", PUBLIC)
@given(document=HOSTILE_DOCUMENTS)
def test_public_files_hold_no_login(name: OutputFormat, document: Document) -> None:
    secrets = [
        part
        for entry in live(document)
        for part in raw(entry)
        if len(part) > 8 and not part.isascii()
    ]
    text = public_text(name, document)
    assert "@" not in "".join(urlsplit(word.strip('"')).netloc for word in text.split())
    assert "password" not in text.replace("[pypi.password]", "").replace('name = "password"', "")
    assert not [part for part in secrets if part in text]


@pytest.mark.parametrize("name", ["UvToml", "PipConf", "PdmToml"])
@pytest.mark.parametrize(
    ("url", "public_path"),
    [
        ("https://host.example/c4n4ry/simple/", False),
        ("https://host.example/c4n4ry/simple/", True),
        ("https://ci:p@host.example/c4n4ry/simple/", False),
        ("https://ci@host.example/c4n4ry/simple/", False),
        ("https://ci:p@host.example/simple/?c4n4ry", True),
        ("https://ci:p@host.example/simple/#c4n4ry", True),
        ("https://:@host.example/c4n4ry/simple/", True),
        ("https://ci:p@host.example:port/c4n4ry/", True),
    ],
)
def test_a_url_that_is_a_secret_as_a_whole_has_no_public_form(
    name: OutputFormat, url: str, public_path: bool
) -> None:
    entry = IndexEntry("pre", "", verbatim_url=SecretStr(url), public_path=public_path)
    document = Document((entry,), public=None)

    with pytest.raises(NotCredentialFreeError, match="pre") as caught:
        FORMATS[name].render_public(document)
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize("name", ["UvToml", "PipConf", "PdmToml"])
def test_a_public_path_stands_in_a_public_form_without_its_login(name: OutputFormat) -> None:
    url = SecretStr("https://ci:c4n4ry@host.example/team/simple/")
    document = Document((IndexEntry("pre", "", verbatim_url=url, public_path=True),), public=None)

    text = public_text(name, document)
    assert "https://host.example/team/simple/" in text and "c4n4ry" not in text


@pytest.mark.parametrize("name", ALL)
def test_a_config_map_takes_each_format_but_those_that_are_credentials(
    name: OutputFormat,
) -> None:
    output = {"kind": "ConfigMap", "name": "c", "formats": [name]}
    document = Document((), public=None)
    if name in SECRET_ONLY:
        with pytest.raises(ValueError, match="nothing but"):
            parse_spec(IndexOptionsSpec, {"outputs": [output]})
        with pytest.raises(ValueError, match="nothing but credentials"):
            FORMATS[name].render_public(document)
    else:
        parse_spec(IndexOptionsSpec, {"outputs": [output]})
        FORMATS[name].render_public(document)


def test_the_formats_of_one_output_are_bounded_by_the_list() -> None:
    files = [name for name in ALL if FORMATS[name].key is not None]
    output = {"kind": "Secret", "name": "s", "formats": files}

    assert parse_spec(IndexOptionsSpec, {"outputs": [output]}).outputs_of("x")[0].formats


@pytest.mark.parametrize(
    ("kind", "formats", "index_spec", "needed"),
    [
        ("Secret", ["UvToml"], {}, True),
        ("Secret", ["Environment"], {"explicit": True}, True),
        ("Secret", ["PipConf", "PdmToml"], {}, True),
        ("Secret", ["PipConf", "PdmToml"], {"explicit": True}, False),
        ("Secret", ["PdmToml"], {"explicit": True, "publish": True}, True),
        ("Secret", ["PipConf"], {"explicit": True, "publish": True}, False),
        ("Secret", ["Pypirc"], {}, False),
        ("Secret", ["Pypirc"], {"publish": True}, True),
        ("ConfigMap", ["UvToml", "PipConf"], {}, False),
    ],
)
def test_a_token_is_minted_only_for_an_output_that_holds_it(
    kind: str, formats: list[str], index_spec: dict[str, Any], needed: bool
) -> None:
    output = {"kind": kind, "name": "o", "formats": formats}
    spec = parse_spec(IndexOptionsSpec, {"outputs": [output]})
    minted = parse_spec(ArtifactIndexSpec, {**source("codeArtifact"), **index_spec})

    assert needs_login(login_formats(spec, "uv-config"), minted) == needed


# -- a format that is added


class _Table(Format):
    """A line for each login of an index that is published to."""

    name = cast(OutputFormat, "Table")
    key = "table"
    ordered = False

    def carries(self, index: ArtifactIndexSpec) -> bool:
        return index.publish

    def render_secret(self, document: Document) -> SensitiveContent:
        logins = {entry.name: entry.credential for entry in document.entries if entry.credential}
        lines = [f"{name} {login.password.get_secret_value()}\n" for name, login in logins.items()]
        limit = FormatLimit(Reason.NOT_EXPRESSIBLE, "table has no user names", severe=True)
        return SensitiveContent({"table": SecretStr("".join(lines))}, (limit,), frozenset(logins))

    def read_back(self, files: Mapping[str, SecretStr], urls: URLs) -> dict[str, Credential]:
        lines = [line.split(" ") for line in files["table"].get_secret_value().splitlines()]
        return {
            name: Credential("", SecretStr(password)) for name, password in lines if name in urls
        }


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> OutputFormat:
    added = _Table()
    monkeypatch.setitem(cast(dict[OutputFormat, Format], FORMATS), added.name, added)
    return added.name


def test_an_added_format_is_rendered_read_back_and_reported_by_its_line_in_the_registry(
    table: OutputFormat,
) -> None:
    record = options()
    assert record.spec is not None
    output = Output.model_construct(kind="Secret", name="s", formats=(table, "UvToml"))
    spec = record.spec.model_copy(update={"outputs": (output,)})
    plans = plans_from(index_state(index("acme", {**source("basicAuth"), "name": "acme"})))

    ((made,), problem) = desired_outputs(replace(record, spec=spec), plans, DIGESTER)

    assert problem is None
    assert list(made.data) == ["table", "uv.toml"]
    files = {key: SecretStr(base64.b64decode(text).decode()) for key, text in made.data.items()}
    assert CANARY in files["table"].get_secret_value()
    only_table = {"table": files["table"]}
    assert read_logins(only_table, {"acme": "https://basic.example/"}).keys() == {"acme"}
    unwritten = format_problem([made])
    assert unwritten is not None and unwritten.message == "table has no user names"
    risk = confusion_risk(spec, plans, {table})
    assert risk is not None and risk.message.startswith("Table name the public index")


def test_an_added_format_decides_who_needs_a_token(table: OutputFormat) -> None:
    read_only = parse_spec(ArtifactIndexSpec, source("codeArtifact"))
    published = parse_spec(ArtifactIndexSpec, {**source("codeArtifact"), "publish": True})

    assert not needs_login({table}, read_only)
    assert needs_login({table}, published)
    assert without_order({table, "UvToml"}) == [table]
    assert not holds_variables([table])


def test_an_added_format_without_a_public_form_is_refused_in_a_config_map(
    table: OutputFormat,
) -> None:
    output = Output.model_construct(kind="ConfigMap", name="c", formats=(table,))

    with pytest.raises(ValueError, match="Table is nothing but credentials"):
        Rendering(Document((), public=None)).content_of(output)
