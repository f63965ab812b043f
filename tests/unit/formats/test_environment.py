"""Any login survives into variables and a process, or is refused by index name."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from artifact_index.formats.document import Claims, Credential, Document, IndexEntry
from artifact_index.formats.environment import Environment
from artifact_index.formats.expiry import NO_LOGINS, VARIABLE
from support.format_cases import HOSTILE_DOCUMENTS, LOGINS, document_with, live, raw, refused

pytestmark = pytest.mark.unit


@given(HOSTILE_DOCUMENTS)
@example(document_with("", "password-only"))
@example(document_with("user", "x\0y"))
@example(document_with("user", "x{cache-dir}y"))
@example(document_with("", "x{cache-dir}y"))
def test_variables_hold_every_login_as_it_is_or_say_why_not(document: Document) -> None:
    made = Environment().render_secret(document)
    found = {name: value.get_secret_value() for name, value in made.files.items()}

    blocked = [entry for entry in document.entries if entry.blocked]
    told = found.pop(VARIABLE, "")
    assert bool(told) is bool(made.held or blocked or not live(document))
    assert (told == NO_LOGINS) is not bool(blocked or live(document))
    for entry in live(document):
        form = entry.name.upper().replace("-", "_")
        if entry.name not in made.held:
            assert repr(entry.name) in refused(made.limits)
            assert f"UV_INDEX_{form}_PASSWORD" not in found
            continue
        prefixes = [f"UV_INDEX_{form}"]
        if f"POETRY_HTTP_BASIC_{form}_*" not in refused(made.limits):
            prefixes.append(f"POETRY_HTTP_BASIC_{form}")
        for prefix in prefixes:
            assert (found.pop(f"{prefix}_USERNAME"), found.pop(f"{prefix}_PASSWORD")) == raw(entry)
        assert found.pop(f"POETRY_REPOSITORIES_{form}_URL", None) == entry.publish_url
        token = found.pop(f"POETRY_PYPI_TOKEN_{form}", None)
        user, password = raw(entry)
        uploads = entry.publish_url is not None and len(prefixes) == 2
        assert token == (password if uploads and not user else None)
    assert found == {}


@settings(max_examples=10)
@given(st.lists(LOGINS, min_size=1, max_size=3))
def test_a_process_started_from_the_secret_sees_the_same_values(logins: list[Credential]) -> None:
    """The way of `envFrom`: base64 in the Secret's data, then the environment of a process."""
    entries = [
        IndexEntry(f"index-{n}", "https://host.example/simple/", login)
        for n, login in enumerate(logins)
    ]
    content = Environment().render_secret(Document(tuple(entries), public=None))
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


@pytest.mark.parametrize(
    ("value", "replaced"),
    [
        ("a{cache-dir}b", True),
        ("{http-basic.acme.username}", True),
        ("{}{home}", False),  # the name would be `}{home`
        ("{VERSION}", True),
        ("{{x}", False),  # the name would be `{x`
        ("{x{cache-dir}", False),
        ("{cache-dir", False),
        ("cache-dir}", False),
        ("{}", False),
        ("{5!a}", False),
        ("{9}", False),
        ("${a b}", False),
        ("{cache\ndir}", False),
    ],
)
def test_what_poetry_would_replace_is_refused_for_poetry_alone(value: str, replaced: bool) -> None:
    for username, password, part in (("user", value, "password"), (value, "pass", "user name")):
        made = Environment().render_secret(document_with(username, password))
        assert "UV_INDEX_ACME_PASSWORD" in made.files and made.held == {"acme"}
        assert ("POETRY_HTTP_BASIC_ACME_USERNAME" not in made.files) is replaced
        assert ("POETRY_HTTP_BASIC_ACME_PASSWORD" not in made.files) is replaced
        assert (f"{{setting}} in its {part}" in refused(made.limits)) is replaced
        assert "index 'acme'" in refused(made.limits) or not replaced
        assert value not in refused(made.limits)


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
    made = Environment().render_secret(replace(document, claims=claims))
    values = {name: value.get_secret_value() for name, value in made.files.items()}
    return values, " ".join(limit.message for limit in made.limits)


URLS_OF_UPLOADS = (
    "UV_PUBLISH_URL", "TWINE_REPOSITORY_URL", "PDM_PUBLISH_REPO", "HATCH_INDEX_REPO"
)  # fmt: skip
LOGINS_OF_UPLOADS = (
    ("UV_PUBLISH_USERNAME", "UV_PUBLISH_PASSWORD"),
    ("TWINE_USERNAME", "TWINE_PASSWORD"),
    ("PDM_PUBLISH_USERNAME", "PDM_PUBLISH_PASSWORD"),
    ("HATCH_INDEX_USER", "HATCH_INDEX_AUTH"),
)


def test_one_publisher_gets_the_variables_of_every_client() -> None:
    values, said = _variables(Claims(publishers=("b",)))

    assert said == ""
    assert {values[name] for name in URLS_OF_UPLOADS} == {"https://b.example/"}
    assert values["UV_PUBLISH_CHECK_URL"] == "https://aws:token-b@b.example/simple/"
    assert {(values[user], values[key]) for user, key in LOGINS_OF_UPLOADS} == {("aws", "token-b")}
    assert "POETRY_PYPI_TOKEN_B" not in values


def test_a_token_without_a_user_name_goes_under_a_name_where_the_client_refuses_none() -> None:
    login = Credential("", SecretStr("token"))
    document = replace(
        PUBLISHING, entries=tuple(replace(e, credential=login) for e in PUBLISHING.entries)
    )

    values, _ = _variables(Claims(publishers=("b",)), document)

    users = [values[user] for user, _ in LOGINS_OF_UPLOADS]
    assert users == ["", "__token__", "__token__", "__token__"]
    assert {values[key] for _, key in LOGINS_OF_UPLOADS} == {"token"}
    assert values["POETRY_PYPI_TOKEN_B"] == values["POETRY_PYPI_TOKEN_A"] == "token"
    assert values["POETRY_HTTP_BASIC_B_USERNAME"] == values["UV_INDEX_B_USERNAME"] == ""


def test_with_two_publishers_none_gets_them_and_the_note_names_both() -> None:
    """Also where one of them is not ready: uploads must not go to the other meanwhile."""
    for document in (PUBLISHING, Document(PUBLISHING.entries[:1], public=None)):
        values, said = _variables(Claims(publishers=("a", "b")), document)
        once = ("TWINE_", "UV_PUBLISH_", "PDM_PUBLISH_", "HATCH_INDEX_")
        assert not [name for name in values if name.startswith(once)]
        assert values["POETRY_REPOSITORIES_A_URL"] == "https://a.example/"
        assert "'a', 'b'" in said and "TWINE_*" in said and "HATCH_INDEX_*" in said


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
