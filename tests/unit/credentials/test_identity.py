"""Who logs in: every input of a login is in its key, and nothing crosses from one to another."""

import asyncio
import json
import random
from dataclasses import asdict, replace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from artifact_index.api.constants import EKS_AUDIENCE_ANNOTATION, EKS_ROLE_ANNOTATION
from artifact_index.credentials.aws.login import session_name
from artifact_index.credentials.aws.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import (
    KeyMaterial,
    OperatorIdentity,
    Requirement,
    SecretIdentity,
    Token,
    TokenRequest,
    canonical,
)
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.sources.parsing import parse_service_account
from artifact_index.sources.base import Inputs, SourceServiceAccount
from support.reconcile_builders import POLICY, index, inputs_of, resolved, source, source_secret

pytestmark = pytest.mark.unit

DIGESTER = Digester(b"key")
ROLE = "arn:aws:iam::111122223333:role/builders"
OTHER_ROLE = "arn:aws:iam::111122223333:role/others"
PROVIDER = "projects/1/locations/global/workloadIdentityPools/pool/providers/k8s-1"
CLUSTER = "projects/acme-build/locations/europe-west1/clusters/main"
ACCOUNT = SourceServiceAccount("account-uid", {EKS_ROLE_ANNOTATION: ROLE})


def with_annotation(name: str, value: str) -> SourceServiceAccount:
    return replace(ACCOUNT, annotations={**ACCOUNT.annotations, name: value})


def logged_in(
    spec: dict[str, Any], *, namespace: str = "builders", name: str = "acme", **inputs: Any
) -> Inputs:
    """What was gathered for an index of this namespace."""
    return replace(inputs_of(index(name, spec, namespace=namespace)), **inputs)


def aws(**fields: Any) -> dict[str, Any]:
    return source("codeArtifact", **fields)


def by_account(**reference: Any) -> dict[str, Any]:
    return aws(auth={"serviceAccountRef": {"name": "builder", **reference}})


def by_google_account(**more: Any) -> dict[str, Any]:
    reference = {"name": "builder", "workloadIdentityProvider": PROVIDER}
    return source("googleArtifactRegistry", auth={"serviceAccountRef": reference}, **more)


STEP = {"roleARN": ROLE, "externalID": "id-1", "sessionName": "builds", "tags": {"team": "a"}}
PERSON = {"serviceAccount": "reader@acme-build.example", "tokenLifetime": "1h"}
TOKEN_OF_KEY = source_secret("aws-key")
OTHER_KEY = source_secret("aws-key", {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"})
GOOGLE_KEY = source_secret("gcp-key")

# For each base: one input changed at a time.
BASES: dict[str, Inputs] = {
    "key": logged_in(aws()),
    "operator": logged_in(aws(auth={"operatorIdentity": {}}, assumeRole=STEP)),
    "account": logged_in(by_account(), account=ACCOUNT),
    "google key": logged_in(source("googleArtifactRegistry", impersonate=PERSON)),
    "google account": logged_in(by_google_account(), account=ACCOUNT),
    "gke": logged_in(
        source(
            "googleArtifactRegistry",
            auth={"serviceAccountRef": {"name": "builder", "gkeCluster": CLUSTER}},
        ),
        account=ACCOUNT,
    ),
}
CHANGES: list[tuple[str, str, Inputs]] = [
    ("key", "region", logged_in(aws(region="eu-west-2"))),
    ("key", "domain", logged_in(aws(domain="other"))),
    ("key", "owner", logged_in(aws(domainOwner="444455556666"))),
    ("key", "duration", logged_in(aws(tokenDuration="1h"))),
    ("key", "role", logged_in(aws(assumeRole=STEP))),
    ("key", "namespace", logged_in(aws(), namespace="others")),
    ("key", "Secret's uid", logged_in(aws(), secret=replace(TOKEN_OF_KEY, uid="new"))),
    ("key", "Secret's content", logged_in(aws(), secret=OTHER_KEY)),
    (
        "key",
        "session token",
        logged_in(
            aws(auth={"secretRef": {"name": "aws-key", "sessionTokenKey": "T"}}),
            secret=replace(TOKEN_OF_KEY, values={**TOKEN_OF_KEY.values, "T": SecretStr("t")}),
        ),
    ),
    ("key", "identity", logged_in(aws(auth={"operatorIdentity": {}}))),
    *(
        (
            "operator",
            field,
            logged_in(aws(auth={"operatorIdentity": {}}, assumeRole={**STEP, field: value})),
        )
        for field, value in (
            ("roleARN", OTHER_ROLE),
            ("externalID", "id-2"),
            ("sessionName", "others"),
            ("tags", {"team": "b"}),
        )
    ),
    (
        "operator",
        "namespace of an assumed role",
        logged_in(aws(auth={"operatorIdentity": {}}, assumeRole=STEP), namespace="others"),
    ),
    ("account", "namespace", logged_in(by_account(), account=ACCOUNT, namespace="others")),
    ("account", "uid", logged_in(by_account(), account=replace(ACCOUNT, uid="new"))),
    ("account", "name", logged_in(by_account(name="other"), account=ACCOUNT)),
    ("account", "role", logged_in(by_account(roleARN=OTHER_ROLE), account=ACCOUNT)),
    (
        "account",
        "annotated role",
        logged_in(by_account(), account=with_annotation(EKS_ROLE_ANNOTATION, OTHER_ROLE)),
    ),
    ("account", "audiences", logged_in(by_account(audiences=["other"]), account=ACCOUNT)),
    (
        "account",
        "annotated audience",
        logged_in(by_account(), account=with_annotation(EKS_AUDIENCE_ANNOTATION, "other")),
    ),
    *(
        (
            "google key",
            field,
            logged_in(source("googleArtifactRegistry", impersonate={**PERSON, field: value})),
        )
        for field, value in (
            ("serviceAccount", "writer@acme-build.example"),
            ("delegates", ["between@acme-build.example"]),
            ("tokenLifetime", "30m"),
        )
    ),
    ("google key", "impersonation", logged_in(source("googleArtifactRegistry"))),
    (
        "google key",
        "Secret's uid",
        logged_in(
            source("googleArtifactRegistry", impersonate=PERSON),
            secret=replace(GOOGLE_KEY, uid="new"),
        ),
    ),
    (
        "google account",
        "provider",
        logged_in(
            source(
                "googleArtifactRegistry",
                auth={
                    "serviceAccountRef": {
                        "name": "builder",
                        "workloadIdentityProvider": PROVIDER + "0",
                    }
                },
            ),
            account=ACCOUNT,
        ),
    ),
    (
        "google account",
        "namespace",
        logged_in(by_google_account(), account=ACCOUNT, namespace="others"),
    ),
    (
        "google account",
        "uid",
        logged_in(by_google_account(), account=replace(ACCOUNT, uid="new")),
    ),
    (
        "gke",
        "cluster",
        logged_in(
            source(
                "googleArtifactRegistry",
                auth={"serviceAccountRef": {"name": "builder", "gkeCluster": CLUSTER + "0"}},
            ),
            account=ACCOUNT,
        ),
    ),
]


def token_of(inputs: Inputs) -> TokenRequest:
    request = resolved(inputs, DIGESTER).token
    assert request is not None
    return request


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("base", "changed"),
    [(base, changed) for base, _, changed in CHANGES],
    ids=[f"{base}: {what}" for base, what, _ in CHANGES],
)
async def test_logins_that_differ_in_one_input_are_two_mints_and_never_cross(
    base: str, changed: Inputs
) -> None:
    minted: list[str] = []

    async def issue(request: TokenRequest, key_material: KeyMaterial) -> Token:
        minted.append(canonical(request).decode())
        return Token(SecretStr(minted[-1]), 0, 43_200)

    manager = TokenManager(issue, margins=Margins(), now=lambda: 0.0, rng=random.Random(1))
    requests = [token_of(BASES[base]), token_of(changed)]
    for consumer, request in enumerate(requests):
        manager.require(consumer, [Requirement(DIGESTER.request(request), request)])
    await asyncio.sleep(5)
    assert len(minted) == 2
    for request in requests:
        state = manager.state_of(DIGESTER.request(request))
        assert state is not None and state.token is not None
        assert state.token.value.get_secret_value() == canonical(request).decode()
    await manager.close()


def test_every_field_of_every_request_is_an_input_that_a_case_changes() -> None:
    def leaves(value: Any, path: str = "") -> set[str]:
        if isinstance(value, dict):
            return {leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}")}
        return {path.lstrip(".")}

    def inputs(request: TokenRequest) -> dict[str, Any]:
        return asdict(cast(Any, request))

    named = set[str]()
    changed = set[str]()
    for base, _, facts_changed in CHANGES:
        one, other = inputs(token_of(BASES[base])), inputs(token_of(facts_changed))
        named |= leaves(one)
        changed |= {
            leaf for leaf in leaves(one) | leaves(other) if _at(one, leaf) != _at(other, leaf)
        }
    constant = {"provider", "identity.kind"}
    assert {leaf for leaf in named if not any(c.startswith(leaf) for c in changed)} <= constant


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def test_the_operators_own_identity_is_one_login_for_all_namespaces() -> None:
    own: dict[str, Any] = {"operatorIdentity": {}}
    for auth in (own, None):
        spec = aws(auth=auth)
        one, other = logged_in(spec), logged_in(spec, namespace="others", name="b")
        assert DIGESTER.request(token_of(one)) == DIGESTER.request(token_of(other))


@pytest.mark.parametrize(
    ("request_", "before"),
    [
        (
            CodeArtifactTokenRequest("eu-west-1", "acme", "1", 900, OperatorIdentity()),
            {
                "region": "eu-west-1", "domain": "acme", "domain_owner": "1", "duration": 900,
                "identity": {"kind": "operator"}, "provider": "codeartifact-token",
            },
        ),
        (
            CodeArtifactEndpointRequest("r", "d", "1", "p", "IPv4", OperatorIdentity()),
            {
                "region": "r", "domain": "d", "domain_owner": "1", "repository": "p",
                "endpoint_type": "IPv4", "identity": {"kind": "operator"},
                "provider": "codeartifact-endpoint",
            },
        ),
        (
            GoogleTokenRequest(SecretIdentity("n", "u", "d")),
            {
                "identity": {"namespace": "n", "secret_uid": "u", "digest": "d", "kind": "secret"},
                "provider": "google-token",
            },
        ),
    ],
)  # fmt: skip
def test_digests_of_logins_without_further_steps_are_what_they_were(
    request_: TokenRequest, before: dict[str, Any]
) -> None:
    assert json.loads(canonical(request_)) == before


def test_the_operators_session_always_begins_with_the_namespace() -> None:
    def name(step: dict[str, Any], namespace: str = "team-a", auth: Any = None) -> str:
        inputs = logged_in(
            aws(auth=auth or {"operatorIdentity": {}}, assumeRole={"roleARN": ROLE, **step}),
            namespace=namespace,
        )
        request = token_of(inputs)
        assert isinstance(request, CodeArtifactTokenRequest) and request.role is not None
        return request.role.session_name

    assert name({}) == "team-a@artifact-index-operator"
    assert name({"sessionName": "team-b@x"}) == "team-a@team-b@x"
    assert name({"sessionName": "s" * 64}, "n" * 63) == "n" * 63 + "@"
    key = {"secretRef": {"name": "aws-key"}}
    assert name({"sessionName": "team-b@x"}, auth=key) == "team-b@x"
    assert name({}, auth=key) == "team-a@artifact-index-operator"
    assert all(len(session_name("n" * size, "x" * 80)) <= 64 for size in range(1, 64))


def test_a_service_accounts_annotations_are_read() -> None:
    body = {
        "metadata": {
            "uid": "u",
            "annotations": {EKS_ROLE_ANNOTATION: ROLE, "another": "x"},
        }
    }
    assert parse_service_account(body) == SourceServiceAccount("u", {EKS_ROLE_ANNOTATION: ROLE})
    assert parse_service_account({"metadata": {"uid": "u"}}) == SourceServiceAccount("u")


def test_the_policy_for_tests_lets_everything_through() -> None:
    assert POLICY.operator_identity_limits == ("*",)
