"""Ways to log in to Google, each on a real API server with its real ServiceAccount tokens."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from artifact_index.api.timestamps import parse_time
from artifact_index.credentials.google.identities import SCOPE
from support.accounts import allow_tokens, issuer_of, service_account, token_in
from support.clouds import ClusterIssuer
from support.operator_process import OperatorProcess
from support.world import World, artifact_index, index_options, secret

pytestmark = pytest.mark.cluster

POOL = "projects/42/locations/global/workloadIdentityPools/builders/providers"
CLUSTER = "projects/acme-build/locations/europe-west1/clusters/main"
READER = "reader@acme-build.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def issuer(world: World) -> ClusterIssuer:
    return issuer_of(world)


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """With the metadata server's identity, and consent for one namespace and purpose."""
    world.google.metadata_email = "operator@acme-build.iam.gserviceaccount.com"
    consent = "google-own=acme-build,google-own=reader@*"
    with world.operator("--operator-identity-namespaces", consent) as running:
        yield running
    world.google.metadata_email = None


def google(auth: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The `googleArtifactRegistry` source with this `auth`."""
    place = {"project": "acme-build", "location": "europe-west1", "repository": "python"}
    return {**place, "auth": auth, **more}


def trust(world: World, issuer: ClusterIssuer, provider: str, audience: str, subject: str) -> None:
    """Let an audience of Google's STS trust one subject of the cluster."""

    def subject_of(token: str) -> str | None:
        found = issuer.subject(token, audience)
        return f"principal:{found}" if found == subject else None

    world.google.trust_provider(provider, subject_of)


def serve(world: World, namespace: str, *objects: dict[str, Any]) -> str:
    """Apply, and return the principal of the token that the output holds."""
    world.apply(*objects, index_options("uv-config"), namespace=namespace)
    world.wait_condition("artifactindex", namespace, "gar", reason="Available")
    token = world.google.tokens.live(unquote(token_in(world, namespace)))
    assert token is not None
    assert token.scope == SCOPE
    return token.principal


def expiry(world: World, namespace: str) -> int:
    """Seconds that the status says are left."""
    found = world.get("artifactindex", namespace, "gar") or {}
    return parse_time(found["status"]["credential"]["expiresAt"]) - int(time.time())


def test_a_service_account_is_exchanged_at_its_workload_identity_provider(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace, provider = world.namespace("google-wif"), f"{POOL}/wif-1"
    allow_tokens(world, namespace)
    subject = f"system:serviceaccount:{namespace}:builder"
    audience = f"https://iam.googleapis.com/{provider}"
    trust(world, issuer, f"//iam.googleapis.com/{provider}", audience, subject)
    auth = {"serviceAccountRef": {"name": "builder", "workloadIdentityProvider": provider}}
    principal = serve(
        world,
        namespace,
        service_account("builder"),
        artifact_index("gar", googleArtifactRegistry=google(auth)),
    )
    assert principal == f"principal:{subject}"
    # The token was asked for an hour, and the federated one lives as long.
    assert 3500 < expiry(world, namespace) <= 3600


def test_gkes_own_pool_and_given_audiences_are_used(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace = world.namespace("google-gke")
    allow_tokens(world, namespace)
    subject = f"system:serviceaccount:{namespace}:builder"
    pool = "acme-build.svc.id.goog"
    exchange = f"identitynamespace:{pool}:https://container.googleapis.com/v1/{CLUSTER}"
    trust(world, issuer, exchange, pool, subject)
    auth = {"serviceAccountRef": {"name": "builder", "gkeCluster": CLUSTER}}
    principal = serve(
        world,
        namespace,
        service_account("builder"),
        artifact_index("gar", googleArtifactRegistry=google(auth)),
    )
    assert principal == f"principal:{subject}"


def test_impersonation_goes_by_its_delegates_for_the_life_that_is_asked_for(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace, provider = world.namespace("google-chain"), f"{POOL}/chain"
    allow_tokens(world, namespace)
    subject = f"system:serviceaccount:{namespace}:builder"
    trust(world, issuer, f"//iam.googleapis.com/{provider}", "own-audience", subject)
    world.google.allow_impersonation("chain@acme-build.example", principal=f"principal:{subject}")
    reference = {
        "name": "builder",
        "workloadIdentityProvider": provider,
        "audiences": ["own-audience"],
    }
    step = {
        "serviceAccount": "chain@acme-build.example",
        "delegates": ["a@acme-build.example", "b@acme-build.example"],
        "tokenLifetime": "2h",
    }
    source = google({"serviceAccountRef": reference}, impersonate=step)
    principal = serve(
        world,
        namespace,
        service_account("builder"),
        artifact_index("gar", googleArtifactRegistry=source),
    )
    assert principal == "chain@acme-build.example"
    assert 7100 < expiry(world, namespace) <= 7200
    (asked,) = [
        impersonation
        for impersonation in world.google.impersonations
        if impersonation["account"] == principal
    ]
    assert asked["delegates"] == [
        "projects/-/serviceAccounts/a@acme-build.example",
        "projects/-/serviceAccounts/b@acme-build.example",
    ]
    assert asked["scope"] == [SCOPE]
    # Google asks the caller's token for no more than the right to impersonate.
    exchanged = [token for token in world.google.tokens.all() if token.principal == asked["caller"]]
    assert exchanged[-1].scope == "https://www.googleapis.com/auth/iam"


def test_a_key_in_a_secret_may_impersonate(world: World, operator: OperatorProcess) -> None:
    namespace = world.namespace("google-key")
    world.google.allow_impersonation(
        "by-key@acme-build.example", principal="ci@acme-build.iam.gserviceaccount.com"
    )
    key = world.google.make_key_json("ci@acme-build.iam.gserviceaccount.com")
    step = {"serviceAccount": "by-key@acme-build.example", "tokenLifetime": "30m"}
    source = google({"secretRef": {"name": "key"}}, impersonate=step)
    principal = serve(
        world,
        namespace,
        secret("key", {"key.json": key}),
        artifact_index("gar", googleArtifactRegistry=source),
    )
    assert principal == "by-key@acme-build.example"
    assert 1700 < expiry(world, namespace) <= 1800


def test_a_denied_impersonation_names_the_permission_and_both_accounts(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("google-denied")
    key = world.google.make_key_json("nobody@acme-build.iam.gserviceaccount.com")
    step = {"serviceAccount": "guarded@acme-build.example"}
    source = google({"secretRef": {"name": "key"}}, impersonate=step)
    world.apply(
        secret("key", {"key.json": key}),
        artifact_index("gar", googleArtifactRegistry=source),
        index_options("uv-config"),
        namespace=namespace,
    )
    found = world.wait_condition("artifactindex", namespace, "gar", reason="AccessDenied")
    assert "may not impersonate guarded@acme-build.example" in found["message"]
    assert "iam.serviceAccounts.getAccessToken" in found["message"]


def test_the_operators_metadata_identity_impersonates_where_consent_reaches(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("google-own")
    world.google.allow_impersonation(READER, principal=world.google.metadata_email)
    source = google({"operatorIdentity": {}}, impersonate={"serviceAccount": READER})
    principal = serve(world, namespace, artifact_index("gar", googleArtifactRegistry=source))
    assert principal == READER
    # Not the metadata server's cached token, but one minted on request.
    assert 3500 < expiry(world, namespace) <= 3600
    beyond = google({"operatorIdentity": {}}, impersonate={"serviceAccount": "a@evil.example"})
    world.apply(artifact_index("gar", googleArtifactRegistry=beyond), namespace=namespace)
    found = world.wait_condition(
        "artifactindex", namespace, "gar", reason="OperatorIdentityNotAllowed"
    )
    assert "spec.googleArtifactRegistry.impersonate.serviceAccount" in found["message"]
    # Consent that does not reach this far is none: nothing of it is served any more.
    assert "oauth2accesstoken" not in (world.uv_toml(namespace, "uv-config") or "")


def test_a_key_file_of_another_kind_is_refused(world: World, operator: OperatorProcess) -> None:
    namespace = world.namespace("google-external")
    world.apply(
        secret("key", {"key.json": '{"type": "external_account", "audience": "x"}'}),
        artifact_index("gar", googleArtifactRegistry=google({"secretRef": {"name": "key"}})),
        index_options("uv-config"),
        namespace=namespace,
    )
    found = world.wait_condition("artifactindex", namespace, "gar", reason="InvalidCredential")
    assert "type external_account" in found["message"]
