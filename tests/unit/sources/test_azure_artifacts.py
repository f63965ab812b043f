"""Azure Artifacts: what is asked of Entra with which identity, and where the feed is."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.credentials.azure.requests import EntraTokenRequest
from artifact_index.credentials.requests import ServiceAccountIdentity, canonical
from artifact_index.sources.base import ResolvedSource, SecretUse, SourceServiceAccount
from artifact_index.sources.policy import Problem
from support.reconcile_builders import (
    POLICY,
    SECRETS,
    first_problem,
    index,
    inputs_of,
    resolved,
    source,
)
from support.sources import resolve, source_of

pytestmark = pytest.mark.unit

TENANT, CLIENT = "acme.onmicrosoft.com", "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
CLIENT_ANNOTATION = "azure.workload.identity/client-id"
TENANT_ANNOTATION = "azure.workload.identity/tenant-id"
ACCOUNT = SourceServiceAccount("u", {CLIENT_ANNOTATION: CLIENT, TENANT_ANNOTATION: TENANT})
SECRET_REF = source("azureArtifacts")["azureArtifacts"]["auth"]["secretRef"]


def by_account(reference: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    auth = {"serviceAccountRef": {"name": "builder", **(reference or {})}}
    return source("azureArtifacts", auth=auth, **fields)


def logged_in(spec: dict[str, Any], account: SourceServiceAccount = ACCOUNT) -> ResolvedSource:
    return resolved(replace(inputs_of(index(spec=spec)), account=account))


def test_a_token_is_the_identitys_whatever_the_feed() -> None:
    one = resolve(source("azureArtifacts"))
    other = resolve(source("azureArtifacts", feed="other", organization="b", project=None))
    assert isinstance(one.token, EntraTokenRequest) and one.token == other.token
    assert (one.token.tenant, one.token.client, one.token.target) == (TENANT, CLIENT, CLIENT)
    assert one.endpoint is None
    assert one.material["client_secret"].get_secret_value() == SECRETS["azure-app"]["client-secret"]


def test_another_tenant_app_or_cloud_is_another_token() -> None:
    specs = [
        source("azureArtifacts"),
        source("azureArtifacts", cloud="China"),
        *(
            source("azureArtifacts", auth={"secretRef": {**SECRET_REF, field: OTHER}})
            for field in ("tenantID", "clientID")
        ),
        source("azureArtifacts", auth={"operatorIdentity": {}}),
    ]
    assert len({resolve(spec).token_digest for spec in specs}) == len(specs)
    own = resolve(specs[-1]).token
    assert own is not None and b"tenant" not in canonical(own) and own.target == ""


def test_the_user_name_is_none_that_a_keyring_plugin_takes_for_its_own() -> None:
    assert resolve(source("azureArtifacts")).username == "bearer"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "https://pkgs.dev.azure.com/acme/Build%20Tools/_packaging/python/pypi/simple/"),
        ({"project": None}, "https://pkgs.dev.azure.com/acme/_packaging/python/pypi/simple/"),
        (
            {"project": None, "feed": "My Feed"},
            "https://pkgs.dev.azure.com/acme/_packaging/My%20Feed/pypi/simple/",
        ),
        (
            {"project": "Größe (alt)", "host": "pkgs.example:8443"},
            "https://pkgs.example:8443/acme/Gr%C3%B6%C3%9Fe%20%28alt%29/_packaging/python/pypi/simple/",
        ),
        (
            {"project": None, "host": "http://[::1]:80"},
            "http://[::1]:80/acme/_packaging/python/pypi/simple/",
        ),
    ],
)
def test_the_urls_of_a_feed(fields: dict[str, Any], url: str) -> None:
    spec = source("azureArtifacts", **fields)
    assert resolve(spec).url == url == source_of(spec).url()
    assert source_of(spec).publish_url(url) == url.replace("/simple/", "/upload")


@pytest.mark.parametrize(
    ("reference", "keys", "material"),
    [
        ({"clientSecretKey": "a"}, ("a",), {"client_secret": "1"}),
        ({"certificateKey": "a"}, ("a",), {"certificate": "1"}),
        (
            {"certificateKey": "a", "privateKeyKey": "b"},
            ("a", "b"),
            {"certificate": "1", "private_key": "2"},
        ),
    ],
)
def test_the_keys_of_the_secret_are_known(
    reference: dict[str, str], keys: tuple[str, ...], material: dict[str, str]
) -> None:
    named = {name: SECRET_REF[name] for name in ("name", "tenantID", "clientID")}
    spec = source("azureArtifacts", auth={"secretRef": {**named, **reference}})
    use = SecretUse("spec.azureArtifacts.auth.secretRef", "azure-app", keys)
    assert source_of(spec).secret() == use
    found = resolve(spec, values={"a": "1", "b": "2"})
    assert {key: each.get_secret_value() for key, each in found.material.items()} == material


@pytest.mark.parametrize(
    ("cloud", "audience"),
    [
        ("Public", "api://AzureADTokenExchange"),
        ("USGovernment", "api://AzureADTokenExchangeUSGov"),
        ("China", "api://AzureADTokenExchangeChina"),
    ],
)
def test_a_service_account_asks_with_its_annotations_and_the_clouds_audience(
    cloud: str, audience: str
) -> None:
    found = logged_in(by_account(cloud=cloud)).token
    assert isinstance(found, EntraTokenRequest)
    assert isinstance(found.identity, ServiceAccountIdentity)
    assert found.identity.audiences == (audience,)
    assert (found.tenant, found.client, found.cloud) == (TENANT, CLIENT, cloud)


def test_the_spec_goes_before_the_annotations() -> None:
    given = {"tenantID": OTHER, "clientID": OTHER, "audience": "api://other"}
    for account in (ACCOUNT, SourceServiceAccount("u")):
        found = logged_in(by_account(given), account).token
        assert isinstance(found, EntraTokenRequest)
        assert isinstance(found.identity, ServiceAccountIdentity)
        assert (found.tenant, found.client) == (OTHER, OTHER)
        assert found.identity.audiences == ("api://other",)


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({}, (CLIENT_ANNOTATION, "is not set", "serviceAccountRef.clientID")),
        ({CLIENT_ANNOTATION: "a/b"}, (CLIENT_ANNOTATION, "is not a clientID")),
        ({CLIENT_ANNOTATION: CLIENT}, (TENANT_ANNOTATION, "is not set", "tenantID")),
        (
            {CLIENT_ANNOTATION: CLIENT, TENANT_ANNOTATION: "evil.example/x?"},
            (TENANT_ANNOTATION, "is not a tenantID"),
        ),
    ],
)
def test_a_service_account_without_an_identity_is_the_users_to_mend(
    annotations: dict[str, str], words: tuple[str, ...]
) -> None:
    problem = problem_of(by_account(), account=SourceServiceAccount("u", annotations))
    assert problem is not None and problem.reason == "InvalidSpec"
    for word in words:
        assert word in problem.message


def test_a_service_account_with_annotations_is_in_order() -> None:
    assert problem_of(by_account(), account=ACCOUNT) is None


@pytest.mark.parametrize(
    ("glob", "allowed"),
    [
        ("dev.azure.com/acme/*", True),
        ("dev.azure.com/acme/Build Tools/*", True),
        ("dev.azure.com/acme/Build Tools/python", True),
        ("dev.azure.com/other/*", False),
        ("acme*", False),
    ],
)
def test_consent_names_the_feed(glob: str, allowed: bool) -> None:
    own = source("azureArtifacts", auth={"operatorIdentity": {}})
    problem = problem_of(own, operator_identity_limits=(glob,))
    assert (problem is None) is allowed
    if problem is not None:
        assert problem.reason == "OperatorIdentityNotAllowed"
        assert "'builders=dev.azure.com/acme/Build Tools/python'" in problem.message


@pytest.mark.parametrize("value", ["secret\n", " secret", "secret ", '"secret"'])
def test_what_is_around_a_client_secret_is_no_part_of_it(value: str) -> None:
    assert source_of(source("azureArtifacts")).unusable("client-secret", value) is not None


def test_a_certificate_has_many_lines() -> None:
    named = {name: SECRET_REF[name] for name in ("name", "tenantID", "clientID")}
    spec = source("azureArtifacts", auth={"secretRef": {**named, "certificateKey": "pem"}})
    assert source_of(spec).unusable("pem", "-----BEGIN\nx\n") is None
    assert source_of(spec).unusable("pem", "\x00") is not None


def problem_of(
    spec: dict[str, Any], account: SourceServiceAccount | None = None, **policy: Any
) -> Problem | None:
    record = index(spec=spec)
    inputs = inputs_of(record, policy=replace(POLICY, **policy))
    return first_problem(record, replace(inputs, account=account))
