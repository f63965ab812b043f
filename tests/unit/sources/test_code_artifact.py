"""CodeArtifact: what is asked of AWS with which identity."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from artifact_index.credentials.aws.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.requests import OperatorIdentity, SecretIdentity
from artifact_index.sources.base import SecretUse
from artifact_index.sources.code_artifact import index_url
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    NAMESPACE,
    POLICY,
    SECRETS,
    index,
    inputs_of,
    resolved,
    source,
)
from support.sources import resolve, source_of

pytestmark = pytest.mark.unit


def test_a_token_of_the_domain_and_the_endpoint_of_the_repository_are_asked_for() -> None:
    spec = source("codeArtifact", auth=None, tokenDuration="30m", endpointType="DualStack")
    found = resolve(spec)
    assert found.url is None and found.username == "aws"
    assert found.token == CodeArtifactTokenRequest(
        "eu-west-1", "acme", "111122223333", 1800, OperatorIdentity()
    )
    assert found.endpoint == CodeArtifactEndpointRequest(
        "eu-west-1", "acme", "111122223333", "python", "DualStack", OperatorIdentity()
    )
    assert found.credentialed and dict(found.material) == {}


@pytest.mark.parametrize("endpoint", ["https://vpc.example/pypi/p", "https://vpc.example/pypi/p/"])
def test_an_endpoint_in_the_spec_is_not_asked_for(endpoint: str) -> None:
    spec = source("codeArtifact", endpoint=endpoint)
    found = resolve(spec)
    assert found.endpoint is None and found.endpoint_digest == ""
    assert found.url == source_of(spec).url() == "https://vpc.example/pypi/p/simple/"


def test_simple_is_appended_to_an_endpoint() -> None:
    urls = {index_url(endpoint) for endpoint in ("https://h/pypi/r/", "https://h/pypi/r")}
    assert urls == {"https://h/pypi/r/simple/"}


def test_repositories_of_one_domain_share_its_token() -> None:
    one, other = (resolve(source("codeArtifact", repository=name)) for name in ("one", "other"))
    assert one.token == other.token and one.endpoint != other.endpoint


def test_keys_of_a_secret_are_material_and_only_their_digest_is_in_the_request() -> None:
    found = resolve(source("codeArtifact"))
    assert isinstance(found.token, CodeArtifactTokenRequest)
    values = SECRETS["aws-key"]
    keys = {
        "access_key_id": values["AWS_ACCESS_KEY_ID"],
        "secret_access_key": values["AWS_SECRET_ACCESS_KEY"],
    }
    digest = DIGESTER.material(keys)
    assert found.token.identity == SecretIdentity(NAMESPACE, "uid-of-aws-key", digest)
    assert {key: value.get_secret_value() for key, value in found.material.items()} == keys
    assert CANARY not in repr(found)


def test_only_the_referenced_keys_decide_the_login() -> None:
    same = resolve(source("codeArtifact"), values={**SECRETS["aws-key"], "other": "x"})
    new = resolve(source("codeArtifact"), values={**SECRETS["aws-key"], "AWS_ACCESS_KEY_ID": "x"})
    assert same.token == resolve(source("codeArtifact")).token != new.token


def test_a_session_token_is_part_of_the_login_if_the_spec_names_it() -> None:
    plain = resolve(source("codeArtifact"))
    assert set(plain.material) == {"access_key_id", "secret_access_key"}
    spec = source("codeArtifact", auth={"secretRef": {"name": "aws-key", "sessionTokenKey": "T"}})
    found = resolve(spec, values={**SECRETS["aws-key"], "T": "t"})
    assert found.material["session_token"] == SecretStr("t")
    assert found.token != plain.token


@pytest.mark.parametrize(
    ("reference", "keys"),
    [
        ({}, ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        (
            {"accessKeyIDKey": "i", "secretAccessKeyKey": "k", "sessionTokenKey": "t"},
            ("i", "k", "t"),
        ),
    ],
)
def test_the_keys_of_the_secret_are_known(reference: dict[str, Any], keys: tuple[str, ...]) -> None:
    spec = source("codeArtifact", auth={"secretRef": {"name": "s", **reference}})
    use = SecretUse("spec.codeArtifact.auth.secretRef", "s", keys, ("AWS_SESSION_TOKEN",))
    assert source_of(spec).secret() == use


@pytest.mark.parametrize(
    ("access_key_id", "values", "token"),
    [
        ("ASIA1", {"AWS_SESSION_TOKEN": "t"}, "t"),
        (" ASIA1\n", {"AWS_SESSION_TOKEN": "t\n"}, "t\n"),
        # A long-lived key works without one, and AWS would refuse it with one.
        ("AKIA1", {"AWS_SESSION_TOKEN": "t"}, None),
        ("ASIA1", {"AWS_SESSION_TOKEN": ""}, None),
        ("ASIA1", {"AWS_SESSION_TOKEN": b"\xff"}, None),
        ("ASIA1", {}, None),
    ],
)
def test_a_temporary_key_takes_the_session_token_under_its_usual_key(
    access_key_id: str, values: dict[str, Any], token: str | None
) -> None:
    keys = {**SECRETS["aws-key"], "AWS_ACCESS_KEY_ID": access_key_id}
    with_it, without = (
        resolve(source("codeArtifact"), values=given) for given in ({**keys, **values}, keys)
    )
    found = with_it.material.get("session_token")
    assert (found.get_secret_value() if found else None) == token
    assert (with_it.token == without.token) is (token is None)


def test_a_session_token_that_the_spec_names_goes_before_the_usual_one() -> None:
    spec = source("codeArtifact", auth={"secretRef": {"name": "aws-key", "sessionTokenKey": "T"}})
    values = {"AWS_ACCESS_KEY_ID": "ASIA1", "T": "t", "AWS_SESSION_TOKEN": "u"}
    found = resolve(spec, values={**SECRETS["aws-key"], **values})
    assert found.material["session_token"] == SecretStr("t")


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-west-1", "arn:aws:codeartifact:eu-west-1:111122223333:domain/acme"),
        ("us-gov-west-1", "arn:aws-us-gov:codeartifact:us-gov-west-1:111122223333:domain/acme"),
        ("eusc-de-east-1", "arn:aws-eusc:codeartifact:eusc-de-east-1:111122223333:domain/acme"),
        ("us-isob-east-1", "arn:aws-iso-b:codeartifact:us-isob-east-1:111122223333:domain/acme"),
    ],
)
def test_the_administrator_consents_to_arns_of_the_regions_partition(region: str, arn: str) -> None:
    spec = source("codeArtifact", region=region)
    assert source_of(spec).cloud_names() == [("spec.codeArtifact.domain", arn)]


ROLE = "arn:aws:iam::111122223333:role/builders"


@pytest.mark.parametrize(
    ("auth", "session_tags", "tags"),
    [
        ({"operatorIdentity": {}}, False, {"team": "a"}),
        ({"secretRef": {"name": "aws-key"}}, True, {"team": "a"}),
        (
            {"operatorIdentity": {}},
            True,
            {
                "team": "a",
                "artifactindex.dev/namespace": NAMESPACE,
                "artifactindex.dev/name": "acme",
            },
        ),
    ],
)
def test_the_operator_tags_sessions_of_its_own_identity_if_the_administrator_wants_it(
    auth: dict[str, Any], session_tags: bool, tags: dict[str, str]
) -> None:
    step = {"roleARN": ROLE, "tags": {"team": "a"}}
    record = index(spec=source("codeArtifact", auth=auth, assumeRole=step))
    policy = replace(POLICY, session_tags=session_tags, tenant_tags=True)
    found = resolved(inputs_of(record, policy=policy))
    assert isinstance(found.token, CodeArtifactTokenRequest) and found.token.role is not None
    assert found.token.role.tags == tuple(sorted(tags.items()))
    assert isinstance(found.endpoint, CodeArtifactEndpointRequest)
    assert found.endpoint.role == found.token.role
