"""HTTP Basic authentication: the user name is the spec's or the Secret's."""

from typing import Any

import pytest
from pydantic import SecretStr

from artifact_index.sources.base import SecretUse
from support.reconcile_builders import CANARY, source
from support.sources import resolve, source_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("username", "user"), [(None, "builder"), ("ci", "ci"), ("", "")])
def test_a_user_name_is_the_specs_or_the_secrets(username: str | None, user: str) -> None:
    found = resolve(source("basicAuth", username=username))
    assert found.credential is not None and found.credential.username == user
    assert found.credential.password == SecretStr(CANARY)
    assert found.url == "https://basic.example/simple/" and found.credentialed


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"secretRef": {"name": "s"}}, ("username", "password")),
        ({"username": "", "secretRef": {"name": "s", "passwordKey": "p"}}, ("p",)),
    ],
)
def test_the_keys_of_the_secret_are_known(fields: dict[str, Any], keys: tuple[str, ...]) -> None:
    use = SecretUse("spec.basicAuth.secretRef", "s", keys)
    assert source_of(source("basicAuth", **fields)).secret() == use


def test_uploads_go_to_the_url_of_the_spec() -> None:
    found = source_of(source("basicAuth", publishURL="https://up.example/"))
    assert found.publish_url("https://basic.example/simple/") == "https://up.example/"
    assert [url for _, url in found.urls()] == [
        "https://basic.example/simple/",
        "https://up.example/",
    ]
