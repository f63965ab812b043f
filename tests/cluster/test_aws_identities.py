"""Ways to log in to AWS, each on a real API server with its real ServiceAccount tokens."""

import time
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from artifact_index.api.timestamps import format_time
from support.accounts import (
    allow_tokens,
    assumed,
    code_artifact_by,
    issuer_of,
    role,
    service_account,
    token_in,
    trust,
)
from support.clouds import AwsStandIn, ClusterIssuer
from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.world import World, access_key_secret, artifact_index, index_options, secret

pytestmark = pytest.mark.cluster

OPERATOR = "arn:aws:iam::111122223333:user/operator"


@pytest.fixture(scope="module")
def issuer(world: World) -> ClusterIssuer:
    return issuer_of(world)


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """With an identity of its own, and consent for some namespaces and purposes."""
    own = world.aws.env(world.aws.add_access_key(OPERATOR))
    limited = ",".join(
        f"aws-{name}={glob}"
        for name in ("domain", "role")
        for glob in ("arn:aws:codeartifact:*:domain/allowed-*", "*:role/allowed-*")
    )
    shared = "aws-two=arn:aws:codeartifact:*:domain/shared"
    consent = f"aws-own,{shared},aws-own-too,aws-tags,{limited}"
    flags = ("--operator-identity-namespaces", consent, "--source-reread-interval", "2s")
    with world.operator(*flags, "--log-level", "debug", **own) as running:
        yield running


def mints(aws: AwsStandIn, principal: str) -> int:
    return aws.mints("GetAuthorizationToken", principal=principal)


def serve(world: World, namespace: str, *objects: dict[str, object]) -> None:
    """Apply, and wait until the output holds a token that CodeArtifact takes."""
    world.apply(*objects, index_options("uv-config"), namespace=namespace)
    for kind, name in (("indexoptions", "uv-config"), ("artifactindex", "acme")):
        world.wait_condition(kind, namespace, name, reason="Available")
    assert world.aws.is_valid("aws", unquote(token_in(world, namespace)))


def test_a_service_account_logs_in_through_the_role_of_its_annotation(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace = world.namespace("aws-irsa")
    allow_tokens(world, namespace)
    trust(world, issuer, role("irsa"), f"system:serviceaccount:{namespace}:builder")
    annotations = {"eks.amazonaws.com/role-arn": role("irsa")}
    auth = {"serviceAccountRef": {"name": "builder"}}
    serve(
        world,
        namespace,
        service_account("builder", **annotations),
        artifact_index("acme", codeArtifact=code_artifact_by(auth, domain="irsa")),
    )
    assert mints(world.aws, assumed("irsa", "aws-irsa@builder")) == 1
    claims = issuer.claims(issuer.seen[-1])
    assert claims is not None
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert 600 <= claims["exp"] - claims["iat"] <= 3600
    assert issuer.seen[-1] not in operator.log


def test_the_fields_win_over_the_annotations_and_audiences_are_passed_on(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace = world.namespace("aws-fields")
    allow_tokens(world, namespace)
    subject = f"system:serviceaccount:{namespace}:builder"
    trust(world, issuer, role("fields"), subject, audience="aws.example")
    annotations = {
        "eks.amazonaws.com/role-arn": role("somebody-else"),
        "eks.amazonaws.com/audience": "somebody-else",
    }
    reference = {"name": "builder", "roleARN": role("fields"), "audiences": ["aws.example"]}
    auth = {"serviceAccountRef": reference}
    serve(
        world,
        namespace,
        service_account("builder", **annotations),
        artifact_index("acme", codeArtifact=code_artifact_by(auth, domain="fields")),
    )
    assert mints(world.aws, assumed("fields", "aws-fields@builder")) == 1


def test_an_audience_of_the_annotation_is_used(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace = world.namespace("aws-audience")
    allow_tokens(world, namespace)
    subject = f"system:serviceaccount:{namespace}:builder"
    trust(world, issuer, role("audience"), subject, audience="sts.amazonaws.com.cn")
    annotations = {
        "eks.amazonaws.com/role-arn": role("audience"),
        "eks.amazonaws.com/audience": "sts.amazonaws.com.cn",
    }
    auth = {"serviceAccountRef": {"name": "builder"}}
    serve(
        world,
        namespace,
        service_account("builder", **annotations),
        artifact_index("acme", codeArtifact=code_artifact_by(auth, domain="audience")),
    )


def test_a_role_is_assumed_last_with_all_that_its_trust_policy_may_ask_for(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace = world.namespace("aws-chain")
    allow_tokens(world, namespace)
    trust(world, issuer, role("first"), f"system:serviceaccount:{namespace}:builder")
    first = assumed("first", "aws-chain@builder")
    world.aws.trust_role(role("last"), principal=first, external_id="customer-7")
    auth = {"serviceAccountRef": {"name": "builder", "roleARN": role("first")}}
    step = {
        "roleARN": role("last"),
        "externalID": "customer-7",
        "sessionName": "builds",
        "tags": {"team": "a", "cost centre": "17"},
    }
    source = code_artifact_by(auth, domain="chain", tokenDuration="0s", assumeRole=step)
    serve(world, namespace, service_account("builder"), artifact_index("acme", codeArtifact=source))
    assert mints(world.aws, assumed("last", "builds")) == 1
    (asked,) = [
        request for request in world.aws.sts_requests if request.get("RoleArn") == role("last")
    ]
    assert asked["ExternalId"] == "customer-7"
    assert (asked["Tags.member.1.Key"], asked["Tags.member.1.Value"]) == ("cost centre", "17")
    assert (asked["Tags.member.2.Key"], asked["Tags.member.2.Value"]) == ("team", "a")
    # The token ends with the session, which is the longest that a chain allows.
    assert asked["DurationSeconds"] == "3600"
    status = world.get("artifactindex", namespace, "acme")["status"]  # type: ignore[index]
    assert "FreshnessNotGuaranteed" not in {condition["type"] for condition in status["conditions"]}


def test_keys_with_a_session_token_may_assume_a_role(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("aws-keys")
    key = world.aws.add_access_key("arn:keys", session=True)
    world.aws.trust_role(role("by-keys"), principal="arn:keys")
    assert key.session_token is not None
    values = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "TOKEN": key.session_token,
    }
    auth = {"secretRef": {"name": "keys", "sessionTokenKey": "TOKEN"}}
    source = code_artifact_by(auth, domain="keys", assumeRole={"roleARN": role("by-keys")})
    serve(world, namespace, secret("keys", values), artifact_index("acme", codeArtifact=source))
    session = "aws-keys@artifact-index-operator"
    assert mints(world.aws, assumed("by-keys", session)) == 1


def test_the_operators_identity_is_one_login_for_all_namespaces_with_consent(
    world: World, operator: OperatorProcess
) -> None:
    before = mints(world.aws, OPERATOR)
    source = code_artifact_by({"operatorIdentity": {}}, domain="shared")
    for name in ("aws-own", "aws-two"):
        serve(world, world.namespace(name), artifact_index("acme", codeArtifact=source))
    assert token_in(world, "aws-own") == token_in(world, "aws-two")
    assert mints(world.aws, OPERATOR) == before + 1


def test_a_role_assumed_by_the_operator_always_has_the_namespace_in_its_session_name(
    world: World, operator: OperatorProcess
) -> None:
    world.aws.trust_role(role("tenant"), principal=OPERATOR)
    step = {"roleARN": role("tenant"), "sessionName": "aws-own@stolen"}
    source = code_artifact_by({"operatorIdentity": {}}, domain="named", assumeRole=step)
    serve(world, world.namespace("aws-own-too"), artifact_index("acme", codeArtifact=source))
    assert mints(world.aws, assumed("tenant", "aws-own-too@aws-own@stolen")) == 1


def test_a_spec_tags_no_session_of_the_operators_identity(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("aws-tags")
    world.aws.trust_role(role("tagged"), principal=OPERATOR)
    step = {"roleARN": role("tagged"), "tags": {"team": "b"}}
    source = code_artifact_by({"operatorIdentity": {}}, domain="tagged", assumeRole=step)
    world.apply(
        artifact_index("acme", codeArtifact=source),
        index_options("uv-config"),
        namespace=namespace,
    )
    found = world.wait_condition(
        "artifactindex", namespace, "acme", reason="OperatorIdentityNotAllowed"
    )
    assert "--operator-identity-tenant-tags" in found["message"]
    assert not [each for each in world.aws.sts_requests if each.get("RoleArn") == role("tagged")]


@pytest.mark.parametrize(
    ("name", "domain", "step", "field"),
    [
        ("domain", "other", {}, "spec.codeArtifact.domain"),
        (
            "role",
            "allowed-one",
            {"assumeRole": {"roleARN": role("other")}},
            "spec.codeArtifact.assumeRole.roleARN",
        ),
    ],
)
def test_consent_is_bounded_by_its_globs(
    world: World,
    operator: OperatorProcess,
    name: str,
    domain: str,
    step: dict[str, object],
    field: str,
) -> None:
    namespace = world.namespace(f"aws-{name}")
    source = code_artifact_by({"operatorIdentity": {}}, domain=domain, **step)
    world.apply(
        artifact_index(name, codeArtifact=source),
        index_options("uv-config"),
        namespace=namespace,
    )
    found = world.wait_condition(
        "artifactindex", namespace, name, reason="OperatorIdentityNotAllowed"
    )
    assert field in found["message"]
    assert "--operator-identity-namespaces" in found["message"]
    assert f"{namespace}=arn:aws:" in found["message"]
    assert world.condition("artifactindex", namespace, name, "Stalled")["status"] == "True"


def test_without_the_permission_the_condition_names_it_and_others_are_served(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("aws-denied")
    auth = {"serviceAccountRef": {"name": "builder", "roleARN": role("denied")}}
    world.apply(
        service_account("builder"),
        access_key_secret(world, "key", "arn:denied-neighbour"),
        artifact_index("acme", name="acme", codeArtifact=code_artifact_by(auth, domain="denied")),
        artifact_index(
            "other",
            name="other",
            codeArtifact=code_artifact_by({"secretRef": {"name": "key"}}, domain="denied"),
        ),
        index_options("uv-config"),
        namespace=namespace,
    )
    found = world.wait_condition("artifactindex", namespace, "acme", reason="TokenRequestDenied")
    assert "create on serviceaccounts/token" in found["message"]
    world.wait_condition("artifactindex", namespace, "other", reason="Available")
    assert world.aws.is_valid("aws", unquote(token_in(world, namespace)))


@pytest.mark.parametrize("labelled", [True, False])
def test_temporary_keys_take_the_session_token_under_its_usual_key(
    world: World, operator: OperatorProcess, labelled: bool
) -> None:
    namespace = world.namespace(f"aws-session-{labelled:d}")
    key = world.aws.add_access_key(f"arn:{namespace}", session=True)
    assert key.session_token is not None
    values = {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": f"{key.secret_access_key}\n",
        "AWS_SESSION_TOKEN": key.session_token,
    }
    auth = {"secretRef": {"name": "key"}}
    serve(
        world,
        namespace,
        secret("key", values, labelled=labelled),
        artifact_index("acme", codeArtifact=code_artifact_by(auth, domain="temporary")),
    )
    assert mints(world.aws, key.principal) == 1


def test_a_service_account_that_comes_late_is_waited_for(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace = world.namespace("aws-late")
    allow_tokens(world, namespace)
    trust(world, issuer, role("late"), f"system:serviceaccount:{namespace}:builder")
    auth = {"serviceAccountRef": {"name": "builder"}}
    world.apply(
        artifact_index("acme", codeArtifact=code_artifact_by(auth, domain="late")),
        index_options("uv-config"),
        namespace=namespace,
    )
    world.wait_condition("artifactindex", namespace, "acme", reason="ServiceAccountNotFound")
    annotations = {"eks.amazonaws.com/role-arn": role("late")}
    world.apply(service_account("builder", **annotations), namespace=namespace)
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")


def test_a_service_account_without_a_role_says_where_to_name_one(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("aws-roleless")
    allow_tokens(world, namespace)
    auth = {"serviceAccountRef": {"name": "builder"}}
    world.apply(
        service_account("builder"),
        artifact_index("acme", codeArtifact=code_artifact_by(auth, domain="roleless")),
        index_options("uv-config"),
        namespace=namespace,
    )
    found = world.wait_condition("artifactindex", namespace, "acme", reason="InvalidSpec")
    assert "eks.amazonaws.com/role-arn" in found["message"]
    assert "spec.codeArtifact.auth.serviceAccountRef.roleARN" in found["message"]


def test_a_role_of_one_namespace_does_not_trust_the_same_name_in_another(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    auth = {"serviceAccountRef": {"name": "builder", "roleARN": role("mine")}}
    trust(world, issuer, role("mine"), "system:serviceaccount:aws-mine:builder")
    index = artifact_index("acme", codeArtifact=code_artifact_by(auth, domain="mine"))
    mine, other = world.namespace("aws-mine"), world.namespace("aws-other")
    for namespace in (mine, other):
        allow_tokens(world, namespace)
    serve(world, mine, service_account("builder"), index)
    world.apply(service_account("builder"), index, index_options("uv-config"), namespace=other)
    found = world.wait_condition("artifactindex", other, "acme", reason="InvalidCredential")
    assert "IAM OIDC provider" in found["message"]
    text = world.uv_toml(other, "uv-config") or ""
    assert "https://mine.unavailable.invalid/" in text and "@" not in text
    # What STS now and then says of a good token, it is asked again at once.
    asked = [
        request for request in world.aws.sts_requests if request.get("RoleArn") == role("mine")
    ]
    assert len([item for item in asked if item["RoleSessionName"] == "aws-other@builder"]) >= 3


def test_a_changed_role_annotation_takes_effect_and_the_old_token_serves_meanwhile(
    world: World, operator: OperatorProcess, issuer: ClusterIssuer
) -> None:
    namespace = world.namespace("aws-moved")
    allow_tokens(world, namespace)
    subject = f"system:serviceaccount:{namespace}:builder"
    trust(world, issuer, role("old"), subject)
    auth = {"serviceAccountRef": {"name": "builder"}}
    serve(
        world,
        namespace,
        service_account("builder", **{"eks.amazonaws.com/role-arn": role("old")}),
        artifact_index("acme", codeArtifact=code_artifact_by(auth, domain="moved")),
    )
    old = token_in(world, namespace)
    # Not trusted yet: the old token goes on, and the condition says why.
    moved = service_account("builder", **{"eks.amazonaws.com/role-arn": role("new")})
    world.apply(moved, namespace=namespace)
    world.wait_condition(
        "artifactindex", namespace, "acme", reason="AccessDenied", what="RefreshFailing"
    )
    assert world.condition("artifactindex", namespace, "acme")["status"] == "True"
    assert token_in(world, namespace) == old
    trust(world, issuer, role("new"), subject)
    asked = now_text()
    world.plane.kubectl(
        "annotate", "artifactindex", "acme", "-n", namespace,
        f"artifactindex.dev/refresh-requested-at={asked}",
    )  # fmt: skip
    # The request has the token asked for at once, if its back-off did not end just before.
    wait_until(lambda: token_in(world, namespace) != old, "the new role's token", 60)
    token = world.aws.tokens.live(unquote(token_in(world, namespace)))
    assert token is not None and token.principal == assumed("new", "aws-moved@builder")
    world.wait_object(
        "artifactindex", namespace, "acme",
        lambda found: found["status"].get("lastHandledRefreshAt") == asked, "refreshed",
    )  # fmt: skip


def now_text() -> str:
    """The time as the annotation takes it."""
    return format_time(time.time())
