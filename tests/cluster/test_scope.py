"""Whom the operator serves and what it may do: namespaces, permissions, consent."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import service_account_user, wait_until
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess
from support.world import (
    OPERATOR_USER,
    World,
    artifact_index,
    basic_auth,
    code_artifact,
    in_namespace,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

SCOPED = "scoped-operator"
SCOPED_USER = service_account_user(OPERATOR_NAMESPACE, SCOPED)
SERVED = ("scope-one", "scope-two")
OTHER = "scope-other"


def operator(
    world: World,
    *flags: str,
    kubeconfig: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> OperatorProcess:
    """An operator without --allow-http, which the world's own would have."""
    google = [f"--{k.replace('_', '-')}={v}" for k, v in world.google.settings().items()]
    environment = {**world.aws.env(), **world.google.env(), **(env or {})}
    return OperatorProcess(kubeconfig or world.kubeconfig, flags=[*google, *flags], env=environment)


def operator_rules(world: World) -> list[dict[str, Any]]:
    """The rules of the operator's ClusterRole, as examples/operator-rbac.yaml gives them."""
    answer = world.plane.kubectl("get", "clusterrole", "artifact-index-operator", "-o", "json")
    rules: list[dict[str, Any]] = json.loads(answer.stdout)["rules"]
    return rules


def role(namespace: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A Role for the scoped operator in one namespace."""
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": SCOPED, "namespace": OPERATOR_NAMESPACE}
    return in_namespace(namespace, [
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": SCOPED}, "rules": rules},
        {
            "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": SCOPED},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": SCOPED}, "subjects": [subject],
        },
    ])  # fmt: skip


@pytest.fixture(scope="module")
def scoped(world: World) -> Iterator[OperatorProcess]:
    """An operator with a Role in each namespace that it serves, and no ClusterRole."""
    for namespace in (*SERVED, OTHER):
        world.namespace(namespace)
    kubeconfig = world.plane.kubeconfig_for(OPERATOR_NAMESPACE, SCOPED)
    rules = operator_rules(world)
    own = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create"]}]
    world.apply(
        *role(OPERATOR_NAMESPACE, own), *(one for name in SERVED for one in role(name, rules))
    )
    namespaces = [flag for name in SERVED for flag in ("--namespace", name)]
    with operator(world, *namespaces, "--allow-http", kubeconfig=kubeconfig) as running:
        yield running


def serve(world: World, namespace: str) -> None:
    """An index with a login, and an IndexOptions."""
    world.apply(
        secret("login", {"password": f"of-{namespace}"}),
        artifact_index(
            "acme", name="acme", basicAuth=basic_auth("https://p.example/simple/", "login")
        ),
        index_options(
            "uv-config",
            outputs=[{"kind": "Secret", "name": "uv-config"}, {"kind": "ConfigMap", "name": "uv"}],
        ),
        namespace=namespace,
    )


def test_it_serves_its_namespaces_with_a_role_in_each_and_touches_no_other(
    world: World, scoped: OperatorProcess
) -> None:
    mark = world.plane.audit_mark()
    serve(world, OTHER)
    for namespace in SERVED:
        serve(world, namespace)
    for namespace in SERVED:
        world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
        assert f"ci:of-{namespace}@" in (world.uv_toml(namespace, "uv-config") or "")
        world.patch("secret", namespace, "login", {"stringData": {"password": "changed"}})
        world.wait_served(namespace, "uv-config", "ci:changed@", seconds=2)
        world.delete("secret", namespace, "uv-config")
        world.wait_served(namespace, "uv-config", "ci:changed@", seconds=5)

    assert world.get("secret", OTHER, "uv-config") is None
    untouched = world.get("artifactindex", OTHER, "acme") or {}
    assert untouched["status"] == {"observedGeneration": -1}
    # Over a restart it lists only what it serves.
    scoped.stop()
    scoped.start()
    wait_until(lambda: len(lists(world, mark)) >= 4 * len(SERVED), "the lists in the audit log", 10)
    events = world.plane.audit_events(SCOPED_USER)
    assert [one for one in events if one.code == 403] == []
    assert {one.namespace for one in events if one.resource} == {OPERATOR_NAMESPACE, *SERVED}


def lists(world: World, since: int) -> list[Any]:
    """The scoped operator's lists."""
    return world.plane.audit_events(SCOPED_USER, verbs=["list"], since=since)


def test_without_permission_it_says_what_it_lacks_and_ends(
    world: World, scoped: OperatorProcess
) -> None:
    kubeconfig = world.plane.kubeconfig_for(OPERATOR_NAMESPACE, SCOPED)
    lost = operator(world, "--namespace", OTHER, kubeconfig=kubeconfig)
    lost.start(wait=False)
    process = lost.process
    assert process is not None
    assert process.wait(20) == 1
    lost.stop()
    assert "Traceback" not in lost.log
    assert "ERROR" in lost.log and "artifactindexes" in lost.log and OTHER in lost.log


MATRIX_RESOURCES = (
    ("artifactindex.dev", "artifactindexes", ""), ("artifactindex.dev", "indexoptions", ""),
    ("artifactindex.dev", "artifactindexes", "status"),
    ("artifactindex.dev", "indexoptions", "status"),
    ("artifactindex.dev", "artifactindexes", "finalizers"),
    ("artifactindex.dev", "indexoptions", "finalizers"),
    ("", "secrets", ""), ("", "configmaps", ""), ("", "events", ""), ("", "pods", ""),
    ("", "pods", "exec"), ("", "serviceaccounts", ""), ("", "serviceaccounts", "token"),
    ("", "namespaces", ""), ("", "nodes", ""),
    ("apps", "deployments", ""), ("coordination.k8s.io", "leases", ""),
    ("apiextensions.k8s.io", "customresourcedefinitions", ""),
    ("rbac.authorization.k8s.io", "roles", ""), ("rbac.authorization.k8s.io", "clusterroles", ""),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""),
)  # fmt: skip
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection",
         "impersonate", "bind", "escalate", "*")  # fmt: skip

ALLOWED = {
    "artifactindexes": {"list", "watch"},
    "indexoptions": {"get", "list", "watch"},
    "artifactindexes/status": {"patch"},
    "indexoptions/status": {"patch"},
    "secrets": {"get", "list", "watch", "create", "patch", "delete"},
    "configmaps": {"get", "list", "watch", "create", "patch", "delete"},
    "events": {"create"},
}


def granted(world: World, user: str, namespace: str) -> dict[str, set[str]]:
    """Which of all these verbs and resources the API server lets a user have."""
    asked = [
        (f"{resource}/{sub}".rstrip("/"), verb, {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {
                "user": user,
                "groups": ["system:authenticated", "system:serviceaccounts",
                           f"system:serviceaccounts:{OPERATOR_NAMESPACE}"],
                "resourceAttributes": {"group": group, "resource": resource, "subresource": sub,
                                       "verb": verb, "namespace": namespace},
            },
        })
        for group, resource, sub in MATRIX_RESOURCES
        for verb in VERBS
    ]  # fmt: skip
    reviews = {"apiVersion": "v1", "kind": "List", "items": [review for _, _, review in asked]}
    answer = world.plane.kubectl("create", "-o", "json", "-f", "-", input=json.dumps(reviews))
    decoder, text, found = json.JSONDecoder(), answer.stdout.lstrip(), list[dict[str, Any]]()
    while text:
        one, end = decoder.raw_decode(text)
        found += one["items"] if one["kind"] == "List" else [one]
        text = text[end:].lstrip()
    assert len(found) == len(asked)
    allowed: dict[str, set[str]] = {}
    for (name, verb, _), review in zip(asked, found, strict=True):
        if review["status"]["allowed"]:
            allowed.setdefault(name, set()).add(verb)
    return allowed


def test_the_operators_account_may_do_its_work_and_nothing_else(
    world: World, scoped: OperatorProcess
) -> None:
    assert granted(world, OPERATOR_USER, "default") == ALLOWED
    assert granted(world, SCOPED_USER, SERVED[0]) == ALLOWED
    assert granted(world, SCOPED_USER, OTHER) == {}
    assert granted(world, SCOPED_USER, OPERATOR_NAMESPACE) == {"secrets": {"get", "create"}}
    answer = world.plane.kubectl(
        "auth", "can-i", "delete", "secrets", "-n", "default", "--as", OPERATOR_USER
    )
    assert answer.stdout.strip() == "yes"


def test_http_is_refused_unless_the_administrator_allows_it(world: World) -> None:
    namespace = world.namespace("insecure")
    insecure = "http://p.example/simple/"
    key = {"auth": {"secretRef": {"name": "login", "accessKeyIDKey": "password",
                                  "secretAccessKeyKey": "password"}}}  # fmt: skip
    specs: dict[str, tuple[dict[str, Any], str]] = {
        "anonymous": ({"anonymous": {"url": insecure}}, "spec.anonymous.url"),
        "basic": ({"basicAuth": basic_auth(insecure, "login")}, "spec.basicAuth.url"),
        "endpoint": (
            {"codeArtifact": {**code_artifact("x"), **key, "endpoint": "http://p.example/"}},
            "spec.codeArtifact.endpoint",
        ),
        "host": (
            {"googleArtifactRegistry": {"project": "acme-prod", "location": "europe",
                                        "repository": "r", "host": "http://registry.example",
                                        "auth": {"secretRef": {"name": "login"}}}},
            "spec.googleArtifactRegistry.host",
        ),
        "verbatim": (
            {"preauthenticated": {"urlSecretRef": {"name": "login"}}},
            "spec.preauthenticated.urlSecretRef",
        ),
    }  # fmt: skip
    world.apply(
        secret("login", {"password": "s3cret", "url": "http://ci:s3cret@verbatim.example/simple/",
                         "key.json": "{}"}),
        *(artifact_index(name, name=name, **spec) for name, (spec, _) in specs.items()),
        artifact_index("secure", name="secure", labels={"safe": "yes"},
                       anonymous={"url": "https://p.example/simple/"}),
        index_options("uv-config"),
        index_options("mirror", publicIndex={"url": "http://mirror.example/simple/"},
                      indexSelector={"matchLabels": {"safe": "yes"}}),
        namespace=namespace,
    )  # fmt: skip
    with operator(world, "--namespace", namespace):
        for name, (_, field) in specs.items():
            ready = world.wait_condition("artifactindex", namespace, name, reason="InsecureURL")
            assert ready["status"] == "False"
            assert field in ready["message"] and "--allow-http" in ready["message"]
            assert "s3cret" not in ready["message"]
            stalled = world.condition("artifactindex", namespace, name, "Stalled")
            assert stalled["status"] == "True"
        tables = world.indexes(namespace, "uv-config")
        assert tables["secure"]["url"] == "https://p.example/simple/"
        assert "s3cret" not in (world.uv_toml(namespace, "uv-config") or "")
        mirror = world.wait_condition("indexoptions", namespace, "mirror", reason="InsecureURL")
        assert "spec.publicIndex.url" in mirror["message"]
        assert world.condition("indexoptions", namespace, "mirror", "Stalled")["status"] == "True"
        tables = world.indexes(namespace, "mirror")
        assert tables["secure"]["url"] == "https://p.example/simple/"
        assert tables["pypi"]["url"] == "https://pypi.unavailable.invalid/simple/"

    with operator(world, "--namespace", namespace, "--allow-http"):
        for name in ("anonymous", "basic", "verbatim"):
            world.wait_condition("artifactindex", namespace, name, reason="Available")
    assert "ci:s3cret@verbatim.example" in (world.uv_toml(namespace, "uv-config") or "")

    # Taken back: what was allowed leaves the file at once.
    with operator(world, "--namespace", namespace):
        world.wait_condition("artifactindex", namespace, "basic", reason="InsecureURL")
        world.wait_served(namespace, "uv-config", "s3cret", there=False)


def test_consent_to_the_operators_identity_is_given_and_taken_back(world: World) -> None:
    """The only namespace of a single-namespace installation has it; nothing is served without."""
    namespace = world.namespace("consent")
    principal = "arn:aws:iam::111122223333:role/consent"
    environment = world.aws.env(world.aws.add_access_key(principal=principal))
    source = {**code_artifact("x"), "auth": {"operatorIdentity": {}}}
    world.apply(
        artifact_index("acme", name="acme", codeArtifact=source),
        index_options("uv-config"),
        namespace=namespace,
    )
    flags = ("--allow-http", "--namespace", namespace)
    with operator(world, *flags, env=environment):
        world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    token = next(one.value for one in world.aws.tokens.all() if one.principal == principal)
    assert token in (world.uv_toml(namespace, "uv-config") or "")

    elsewhere = ("--operator-identity-namespaces", "somewhere-else")
    with operator(world, *flags, *elsewhere, env=environment):
        world.wait_condition(
            "artifactindex", namespace, "acme", reason="OperatorIdentityNotAllowed"
        )
        world.wait_served(namespace, "uv-config", token, there=False)
    url = world.indexes(namespace, "uv-config")["acme"]["url"]
    assert url == "https://acme.unavailable.invalid/simple/"
    assert world.aws.mints("GetAuthorizationToken", principal=principal) == 1
