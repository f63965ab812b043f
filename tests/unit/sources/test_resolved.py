"""Logins: what is asked of a cloud with which identity, and where a credential may go."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from artifact_index.credentials.aws.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import OperatorIdentity, SecretIdentity
from artifact_index.sources.resolved import (
    ResolvedSource,
    google_index_url,
    index_url,
    login_of,
    scope_of,
    shown_url_of,
    url_in_spec,
)
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    NAMESPACE,
    SECRETS,
    SOURCES,
    facts_of,
    index,
    source,
)

pytestmark = pytest.mark.unit


def login(spec: dict[str, Any], **gathered: Any) -> ResolvedSource:
    return login_of(facts_of(index(spec=spec), **gathered), DIGESTER)


def spec_of(spec: dict[str, Any]) -> Any:
    record = index(spec=spec)
    assert record.spec is not None
    return record.spec


def test_codeartifact_asks_for_a_token_of_the_domain_and_the_endpoint_of_the_repository() -> None:
    found = login(source("codeArtifact", auth=None, tokenDuration="30m", endpointType="DualStack"))
    assert found.url is None and found.username == "aws"
    assert found.token == CodeArtifactTokenRequest(
        "eu-west-1", "acme", "111122223333", 1800, OperatorIdentity()
    )
    assert found.endpoint == CodeArtifactEndpointRequest(
        "eu-west-1", "acme", "111122223333", "python", "DualStack", OperatorIdentity()
    )
    assert found.credentialed and dict(found.material) == {}


@pytest.mark.parametrize("endpoint", ["https://vpc.example/pypi/p", "https://vpc.example/pypi/p/"])
def test_an_endpoint_that_is_given_is_not_asked_for(endpoint: str) -> None:
    found = login(source("codeArtifact", endpoint=endpoint))
    assert found.endpoint is None and found.url == "https://vpc.example/pypi/p/simple/"


def test_codeartifact_of_one_domain_shares_its_token_among_repositories() -> None:
    one, other = (login(source("codeArtifact", repository=name)) for name in ("one", "other"))
    assert one.token == other.token and one.endpoint != other.endpoint


def test_keys_of_a_secret_are_material_and_only_their_digest_is_in_the_request() -> None:
    found = login(source("codeArtifact"))
    assert isinstance(found.token, CodeArtifactTokenRequest)
    values = SECRETS["aws-key"]
    assert found.token.identity == SecretIdentity(
        NAMESPACE,
        "uid-of-aws-key",
        DIGESTER.material(
            {"access_key_id": values["AWS_ACCESS_KEY_ID"],
             "secret_access_key": values["AWS_SECRET_ACCESS_KEY"]}
        ),
    )  # fmt: skip
    assert {key: value.get_secret_value() for key, value in found.material.items()} == {
        "access_key_id": values["AWS_ACCESS_KEY_ID"],
        "secret_access_key": values["AWS_SECRET_ACCESS_KEY"],
    }
    assert CANARY not in repr(found)


def test_only_the_referenced_keys_decide_the_login() -> None:
    same = login(source("codeArtifact"), values={**SECRETS["aws-key"], "other": "x"})
    new = login(source("codeArtifact"), values={**SECRETS["aws-key"], "AWS_ACCESS_KEY_ID": "x"})
    assert same.token == login(source("codeArtifact")).token != new.token


def test_a_session_token_is_part_of_the_login_where_it_is_named() -> None:
    plain = login(source("codeArtifact"))
    assert set(plain.material) == {"access_key_id", "secret_access_key"}
    spec = source("codeArtifact", auth={"secretRef": {"name": "aws-key", "sessionTokenKey": "T"}})
    found = login(spec, values={**SECRETS["aws-key"], "T": "t"})
    assert found.material["session_token"] == SecretStr("t")
    assert found.token != plain.token


def test_a_google_token_is_the_principals_whatever_the_repository() -> None:
    one = login(source("googleArtifactRegistry"))
    other = login(source("googleArtifactRegistry", repository="other", project="other-project"))
    assert isinstance(one.token, GoogleTokenRequest) and one.token == other.token
    assert one.username == "oauth2accesstoken" and one.endpoint is None
    assert one.material["key_json"].get_secret_value() == SECRETS["gcp-key"]["key.json"]


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "https://europe-west1-python.pkg.dev/my-project/python/simple/"),
        ({"location": "us"}, "https://us-python.pkg.dev/my-project/python/simple/"),
        ({"host": "psc.example"}, "https://psc.example/my-project/python/simple/"),
        ({"host": "psc.example:8443"}, "https://psc.example:8443/my-project/python/simple/"),
        ({"host": "http://[::1]:80"}, "http://[::1]:80/my-project/python/simple/"),
    ],
)
def test_the_url_of_a_google_repository(fields: dict[str, str], url: str) -> None:
    spec = source("googleArtifactRegistry", **fields)
    assert login(spec).url == url == google_index_url(spec_of(spec).google_artifact_registry)


def test_a_preauthenticated_url_stands_verbatim_and_without_its_userinfo() -> None:
    found = login(source("preauthenticated"))
    assert found.verbatim_url == SecretStr(SECRETS["whole-url"]["url"])
    assert found.url == "https://whole.example/a/simple/"
    assert found.credential is None and not found.credentialed


@pytest.mark.parametrize(("username", "user"), [(None, "builder"), ("ci", "ci"), ("", "")])
def test_a_user_name_is_the_specs_or_the_secrets(username: str | None, user: str) -> None:
    found = login(source("basicAuth", username=username))
    assert found.credential is not None and found.credential.username == user
    assert found.credential.password == SecretStr(CANARY)
    assert found.url == "https://basic.example/simple/" and found.credentialed


def test_an_anonymous_index_has_no_login() -> None:
    assert login(source("anonymous")) == ResolvedSource(url="https://open.example/simple/")


@pytest.mark.parametrize("kind", SOURCES)
def test_the_spec_tells_the_url_where_nobody_has_to_be_asked(kind: str) -> None:
    known = url_in_spec(spec_of(source(kind)))
    asked = kind in ("codeArtifact", "preauthenticated")
    assert known == (None if asked else login(source(kind)).url)


def test_of_a_preauthenticated_url_only_scheme_and_host_are_shown() -> None:
    url = "https://Whole.example/secret/simple/?key=x"
    assert shown_url_of(spec_of(source("preauthenticated")), url) == "https://whole.example"
    assert shown_url_of(spec_of(source("anonymous")), url) == url
    assert shown_url_of(spec_of(source("preauthenticated")), None) is None


def test_simple_is_appended_to_an_endpoint() -> None:
    assert (
        index_url("https://h/pypi/r/")
        == index_url("https://h/pypi/r")
        == "https://h/pypi/r/simple/"
    )


@pytest.mark.parametrize("kind", SOURCES)
def test_a_scope_is_of_the_place_and_not_of_who_logs_in(kind: str) -> None:
    spec = source(kind)
    scope = scope_of(spec_of(spec), DIGESTER)
    assert scope == scope_of(spec_of({**spec, "priority": 1, "explicit": True}), DIGESTER)
    assert scope not in {scope_of(spec_of(source(other)), DIGESTER) for other in SOURCES
                         if other != kind}  # fmt: skip


def test_no_login_is_made_without_the_secret_it_needs() -> None:
    facts = replace(facts_of(index(spec=source("basicAuth"))), secret=None)
    with pytest.raises(ValueError, match="without its Secret"):
        login_of(facts, DIGESTER)
