"""Any credential, URL and name survives into each format and back through that format's own parser.

Or it is refused in words that name the index: never an injected line, key or variable.
"""

import base64
import configparser
import json
import netrc
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from artifact_index.formats.base import FormatLimit
from artifact_index.formats.document import (
    Credential,
    Document,
    IndexEntry,
    PublicEntry,
    SensitiveContent,
)
from artifact_index.formats.environment import Claims, environment_variables
from artifact_index.formats.netrc import netrc_file
from artifact_index.formats.pdm_toml import public_pdm_toml, sensitive_pdm_toml
from artifact_index.formats.pip_conf import ascii_url, public_pip_conf, sensitive_pip_conf
from artifact_index.formats.pypirc import public_pypirc, sensitive_pypirc
from artifact_index.formats.uv_toml import NotCredentialFreeError, sensitive_uv_toml
from support.rendering_strategies import NAMES, UNICODE, URLS

pytestmark = pytest.mark.unit

HOSTILE = st.text(st.sampled_from("aZ9@:/#?%\"'\\\n\r\t ;=[]$!&<>`\0ü密"), max_size=40)
VALUES = UNICODE | HOSTILE | st.text("ab%@", min_size=1, max_size=2).map(lambda t: t * 8192)
LOGINS = st.builds(Credential, VALUES, VALUES.map(SecretStr))
ENTRIES = st.builds(
    IndexEntry,
    name=NAMES,
    url=URLS,
    credential=st.none() | LOGINS,
    publish_url=st.none() | URLS,
    explicit=st.booleans(),
    blocked=st.booleans(),
)
DOCUMENTS = st.builds(
    Document,
    entries=st.lists(ENTRIES, max_size=4, unique_by=lambda entry: entry.name).map(tuple),
    public=st.none() | st.builds(PublicEntry, st.just("the-public-one"), URLS),
    prefer_private=st.booleans(),
)


def one(username: str, password: str, name: str = "acme") -> Document:
    login = Credential(username, SecretStr(password))
    entry = IndexEntry(
        name, "https://host.example/simple/", login, publish_url="https://host.example/up/"
    )
    return Document((entry,), public=None)


def raw(entry: IndexEntry) -> tuple[str, str]:
    assert entry.credential is not None
    return entry.credential.username, entry.credential.password.get_secret_value()


def refused(limits: Iterable[FormatLimit]) -> str:
    return " ".join(limit.message for limit in limits if limit.severe)


def live(document: Document) -> list[IndexEntry]:
    return [e for e in document.entries if not e.blocked and e.credential and raw(e) != ("", "")]


def parsed_ini(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser


@given(DOCUMENTS)
@example(one("user", "x\nmachine evil.example login a password b"))
@example(one("user", "x default login a password b"))
@example(one('"quoted"', "back\\slash"))
def test_netrc_holds_a_login_as_it_is_or_says_why_not(document: Document) -> None:
    rendered = netrc_file(document)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "netrc"
        path.write_text(rendered.text.get_secret_value())
        hosts = netrc.netrc(path).hosts

    assert "default" not in hosts
    hosts_of = {e.name: urlsplit(e.url).hostname for e in live(document)}
    assert set(hosts) == {hosts_of[name] for name in rendered.held}
    for entry in live(document):
        if entry.name in rendered.held:
            login, _, password = hosts[hosts_of[entry.name] or ""]
            assert (login, password) == raw(entry)
        else:
            assert repr(entry.name) in refused(rendered.limits)


@given(DOCUMENTS)
@example(one("user", "x\n[global]\nno-index = true"))
@example(one("%(x)s", "%%"))
def test_pip_conf_holds_every_login_in_its_url(document: Document) -> None:
    rendered = sensitive_pip_conf(document)
    section = parsed_ini(rendered.text.get_secret_value())
    assert section.sections() == ["global"]
    keys = {"no-input", "index-url", "extra-index-url", "no-index", "retries"}
    assert set(section["global"]) <= keys
    urls = section["global"].get("index-url", "").split()
    urls += section["global"].get("extra-index-url", "").split()

    searched = [e for e in document.entries if not e.explicit]
    blocked = any(e.blocked for e in searched)
    assert len(urls) == len(searched) + (document.public is not None and not blocked)
    assert ("no-index" in section["global"]) == (not urls)
    found = {(unquote(u.username or ""), unquote(u.password or "")) for u in map(urlsplit, urls)}
    assert found >= {raw(e) for e in searched if e in live(document)}
    assert rendered.text.get_secret_value().isascii()


@given(DOCUMENTS)
@example(one("user", "x\n[evil]\nrepository = https://evil.example"))
@example(one("user", "# no comment"))
@example(one(" user", "password "))
def test_pypirc_holds_a_login_as_it_is_or_says_why_not(document: Document) -> None:
    rendered = sensitive_pypirc(document)
    parser = parsed_ini(rendered.text.get_secret_value())

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


@given(DOCUMENTS)
@example(one("user", '"\n[pypi.evil]\nurl = "https://evil.example"'))
def test_pdm_toml_holds_every_login_as_it_is(document: Document) -> None:
    rendered = sensitive_pdm_toml(document)
    tables = tomllib.loads(rendered.text.get_secret_value())["pypi"]

    searched = [e for e in document.entries if not e.explicit]
    named = {name: table for name, table in tables.items() if isinstance(table, dict)}
    assert list(named) == [e.name for e in searched if repr(e.name) not in refused(rendered.limits)]
    for entry in searched:
        table = named.get(entry.name)
        if table is not None and entry in live(document):
            assert (table["username"], table["password"]) == raw(entry)
    if any(e.blocked for e in searched):
        assert tables["url"].endswith(".unavailable.invalid/simple/")
    assert set(tables) - set(named) <= {"url", "username", "password"}


@given(DOCUMENTS)
@example(one("", "password-only"))
@example(one("user", "x\0y"))
def test_variables_hold_every_login_as_it_is_or_say_why_not(document: Document) -> None:
    made = environment_variables(document, Claims())
    found = {name: value.get_secret_value() for name, value in made.variables.items()}

    for entry in live(document):
        form = entry.name.upper().replace("-", "_")
        if entry.name not in made.held:
            assert repr(entry.name) in refused(made.limits)
            assert f"UV_INDEX_{form}_PASSWORD" not in found
            continue
        for prefix in (f"UV_INDEX_{form}", f"POETRY_HTTP_BASIC_{form}"):
            assert (found.pop(f"{prefix}_USERNAME"), found.pop(f"{prefix}_PASSWORD")) == raw(entry)
    assert found == {}


@settings(max_examples=10)
@given(st.lists(LOGINS, min_size=1, max_size=3))
def test_a_process_started_from_the_secret_sees_the_same_values(logins: list[Credential]) -> None:
    """The way of `envFrom`: base64 in the Secret's data, then the environment of a process."""
    entries = [
        IndexEntry(f"index-{n}", "https://host.example/simple/", login)
        for n, login in enumerate(logins)
    ]
    made = environment_variables(Document(tuple(entries), public=None), Claims())
    content = SensitiveContent(dict(made.variables))
    data = {
        key: base64.b64encode(value.get_secret_value().encode()).decode()
        for key, value in content.files.items()
    }

    env = {key: base64.b64decode(value) for key, value in data.items()}
    said = "json.dumps({k.decode(): v.hex() for k, v in os.environb.items()})"
    code = f"import json, os; print({said})"
    raw_env = {os.fsencode(key): value for key, value in env.items()}
    shown = subprocess.run(
        [sys.executable, "-I", "-c", code], env=raw_env, capture_output=True, check=True
    )
    seen = json.loads(shown.stdout)
    for key, value in env.items():
        assert bytes.fromhex(seen[key]) == value


# -- single rules


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

    rendered = netrc_file(Document(entries, public=None))

    text = rendered.text.get_secret_value()
    assert "shared.example" not in text and text.count("machine other.example") == 1
    assert rendered.held == {"c", "d"}
    (limit,) = rendered.limits
    assert limit.severe and "'a', 'b'" in limit.message and "shared.example" in limit.message
    assert "one" not in limit.message.replace("one login", "")


@pytest.mark.parametrize("value", ["", " a", "a b", "#a", 'a"b', "a\\b", "ä", "a\nb", "a\x7fb"])
@pytest.mark.parametrize("which", ["user name", "password"])
def test_netrc_refuses_what_programs_read_differently(value: str, which: str) -> None:
    document = one(value, "fine") if which == "user name" else one("fine", value)

    rendered = netrc_file(document)

    assert rendered.text.get_secret_value() == ""
    assert "'acme'" in refused(rendered.limits) and which in refused(rendered.limits)


@pytest.mark.parametrize("name", ["url", "username", "password", "pypi"])
def test_pdm_refuses_a_name_that_means_something_else_to_it(name: str) -> None:
    rendered = sensitive_pdm_toml(one("u", "p", name))

    assert name in refused(rendered.limits)
    tables = tomllib.loads(rendered.text.get_secret_value())["pypi"]
    assert not isinstance(tables.get(name), dict)


@pytest.mark.parametrize("name", ["distutils", "server-login"])
def test_pypirc_refuses_a_name_that_means_something_else_to_twine(name: str) -> None:
    rendered = sensitive_pypirc(one("u", "p", name))

    assert name in refused(rendered.limits)
    assert parsed_ini(rendered.text.get_secret_value()).sections() == ["distutils"]


@given(DOCUMENTS)
def test_public_files_hold_no_login(document: Document) -> None:
    secrets = [
        part
        for entry in live(document)
        for part in raw(entry)
        if len(part) > 8 and not part.isascii()
    ]
    for render in (public_pip_conf, public_pypirc, public_pdm_toml):
        text = render(document).text
        assert "@" not in "".join(urlsplit(word).netloc for word in text.split())
        assert "password" not in text.replace("[pypi.password]", "")
        assert not [part for part in secrets if part in text]


@pytest.mark.parametrize("render", [public_pip_conf, public_pdm_toml])
def test_a_url_that_is_a_secret_as_a_whole_has_no_public_form(render: object) -> None:
    url = SecretStr("https://host.example/c4n4ry/simple/")
    document = Document((IndexEntry("pre", "", verbatim_url=url),), public=None)

    with pytest.raises(NotCredentialFreeError, match="pre") as caught:
        render(document)  # type: ignore[operator]
    assert "c4n4ry" not in str(caught.value)


def test_without_a_public_index_neither_pip_nor_pdm_goes_to_pypi() -> None:
    nothing = Document((), public=None)

    assert parsed_ini(public_pip_conf(nothing).text)["global"]["no-index"] == "true"
    assert tomllib.loads(public_pdm_toml(nothing).text)["pypi"]["url"].endswith(".invalid/simple/")


def test_publish_urls_stand_in_uv_toml_with_the_login() -> None:
    table = tomllib.loads(sensitive_uv_toml(one("u@x", "p/w")).get_secret_value())["index"][0]

    assert table["publish-url"] == "https://u%40x:p%2Fw@host.example/up/"


# -- variables that exist once

PUBLISHING = Document(
    tuple(
        IndexEntry(
            name,
            f"https://{name}.example/simple/",
            Credential("aws", SecretStr(f"token-{name}")),
            publish_url=f"https://{name}.example/",
        )
        for name in ("a", "b")
    ),
    public=None,
)


def _variables(claims: Claims, document: Document = PUBLISHING) -> tuple[dict[str, str], str]:
    made = environment_variables(document, claims)
    values = {name: value.get_secret_value() for name, value in made.variables.items()}
    return values, " ".join(limit.message for limit in made.limits)


def test_one_publisher_gets_the_variables_of_twine_and_uv() -> None:
    values, said = _variables(Claims(publishers=("b",)))

    assert said == ""
    assert values["TWINE_REPOSITORY_URL"] == values["UV_PUBLISH_URL"] == "https://b.example/"
    assert values["TWINE_USERNAME"] == values["UV_PUBLISH_USERNAME"] == "aws"
    assert values["TWINE_PASSWORD"] == values["UV_PUBLISH_PASSWORD"] == "token-b"


def test_with_two_publishers_none_gets_them_and_the_note_names_both() -> None:
    """Also where one of them is not ready: uploads must not go to the other meanwhile."""
    for document in (PUBLISHING, Document(PUBLISHING.entries[:1], public=None)):
        values, said = _variables(Claims(publishers=("a", "b")), document)
        assert not [name for name in values if name.startswith(("TWINE_", "UV_PUBLISH_"))]
        assert "'a', 'b'" in said and "TWINE_*" in said


@pytest.mark.parametrize(
    ("domains", "token", "said"),
    [
        ({}, None, ""),
        ({"acme/1/eu": ("a",)}, "token-a", ""),
        ({"acme/1/eu": ("a",), "acme/1/us": ("b",)}, None, "different CodeArtifact domains"),
        ({"acme/1/eu": ("a", "b")}, None, "log in to their CodeArtifact domain differently"),
        ({"acme/1/eu": ("gone",)}, None, ""),
    ],
)
def test_the_code_artifact_token_is_written_for_exactly_one_domain(
    domains: dict[str, tuple[str, ...]], token: str | None, said: str
) -> None:
    values, message = _variables(Claims(domains=domains))

    assert values.get("CODEARTIFACT_AUTH_TOKEN") == token
    assert said in message and bool(message) == bool(said)
