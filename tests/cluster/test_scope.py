"""What the administrator allows in specs: URLs without TLS, the operator's own identity."""

from collections.abc import Mapping
from typing import Any

import pytest

from support.blocked import blocked_at
from support.operator_process import OperatorProcess
from support.world import (
    World,
    artifact_index,
    basic_auth,
    code_artifact,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster


def operator(world: World, *flags: str, env: Mapping[str, str] | None = None) -> OperatorProcess:
    """An operator without --allow-http, which the world's own would have."""
    google = [f"--{k.replace('_', '-')}={v}" for k, v in world.google.settings().items()]
    environment = {**world.aws.env(), **world.google.env(), **(env or {})}
    flags = (*google, *flags)
    return OperatorProcess(world.kubeconfig, flags=flags, env=environment, forked=True)


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
        assert tables["pypi"]["url"] == blocked_at(
            "mirror", namespace, name="pypi", kind="indexoptions"
        )

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
    token = next(item.value for item in world.aws.tokens.all() if item.principal == principal)
    assert token in (world.uv_toml(namespace, "uv-config") or "")

    elsewhere = ("--operator-identity-namespaces", "somewhere-else")
    with operator(world, *flags, *elsewhere, env=environment):
        world.wait_condition(
            "artifactindex", namespace, "acme", reason="OperatorIdentityNotAllowed"
        )
        world.wait_served(namespace, "uv-config", token, there=False)
    url = world.indexes(namespace, "uv-config")["acme"]["url"]
    assert url == blocked_at("acme", namespace)
    assert world.aws.mints("GetAuthorizationToken", principal=principal) == 1
