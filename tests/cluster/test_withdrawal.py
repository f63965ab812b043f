"""Tokens that cannot be refreshed: served until their withdrawal, and then never again."""

import re
import time
from collections.abc import Iterator

import pytest

from support.blocked import blocked_at
from support.clouds import Fault
from support.control_plane import wait_until
from support.failing_logins import failing_operator, user
from support.operator_process import OperatorProcess
from support.world import (
    World,
    access_key_secret,
    artifact_index,
    basic_auth,
    code_artifact,
    condition_in,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """An operator with an AWS identity of its own, short timeouts and small margins."""
    with failing_operator(world) as running:
        yield running


@pytest.fixture
def short_lives(world: World) -> Iterator[int]:
    """CodeArtifact's tokens live 24 s: replaced after 8, withdrawn after 18."""
    world.aws.cap_seconds = 24
    yield 24
    world.aws.cap_seconds = None


def test_a_live_token_outlives_failing_refreshes_until_its_withdrawal(
    world: World, operator: OperatorProcess, short_lives: int
) -> None:
    namespace = world.namespace("refresh-failing")
    world.apply(
        access_key_secret(world, "key", user("refresh")),
        artifact_index("acme", name="acme", codeArtifact=code_artifact("key", domain="refresh")),
        index_options("uv-config"),
        namespace=namespace,
    )
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    # The promise of 30 minutes cannot be kept with tokens that live 12 seconds.
    short = world.condition("artifactindex", namespace, "acme", "FreshnessNotGuaranteed")
    assert (short["status"], short["reason"]) == ("True", "TokenTooShort")
    # Counted from the second in which it was asked for.
    lives = re.search(r"tokens are valid for (\d+)s", short["message"])
    assert lives is not None and short_lives <= int(lives[1]) <= short_lives + 4
    assert "30m" in short["message"]
    world.aws.inject(
        "GetAuthorizationToken", Fault(status=500, code="InternalServerException"),
        domain="refresh",
    )  # fmt: skip

    found = world.wait_object(
        "artifactindex", namespace, "acme",
        lambda item: condition_in(item, "RefreshFailing").get("reason") == "CloudUnavailable",
        "failing to refresh",
    )  # fmt: skip
    text = world.uv_toml(namespace, "uv-config") or ""
    options = world.condition("indexoptions", namespace, "uv-config")
    ready = condition_in(found)
    assert condition_in(found, "RefreshFailing")["status"] == "True"
    assert (ready["status"], ready["reason"]) == ("True", "Available")
    assert condition_in(found, "Reconciling") == {}
    token = [item for item in world.aws.tokens.all() if item.principal == user("refresh")][-1]
    assert token.value in text
    assert options["status"] == "True"

    found = world.wait_object(
        "artifactindex", namespace, "acme",
        lambda item: condition_in(item).get("reason") == "CredentialExpired", "expired",
    )  # fmt: skip
    assert condition_in(found)["status"] == "False"
    assert "again" in condition_in(found)["message"]
    assert condition_in(found, "Reconciling")["status"] == "True"
    assert condition_in(found, "RefreshFailing") == {}
    assert token.value not in (world.uv_toml(namespace, "uv-config") or "")
    url = world.indexes(namespace, "uv-config")["acme"]["url"]
    assert url == blocked_at("acme", namespace)

    world.aws.cap_seconds = None
    world.aws.clear("GetAuthorizationToken")
    world.wait_condition("artifactindex", namespace, "acme", reason="Available", seconds=150)
    assert "aws:" in world.indexes(namespace, "uv-config")["acme"]["url"]
    reasons = ("TokenTooShort", "CloudUnavailable", "CredentialExpired", "Available")
    events = world.wait_events(namespace, *(("acme", reason) for reason in reasons))
    for reason in reasons:
        assert events["acme", reason] == 1, events


def test_a_token_leaves_the_file_before_it_is_refused(
    world: World, operator: OperatorProcess, short_lives: int
) -> None:
    """An outage that lasts: the file never holds a token that the index refuses."""
    namespace = world.namespace("withdrawn")
    world.apply(
        access_key_secret(world, "key", user("withdrawn")),
        artifact_index("acme", name="acme", codeArtifact=code_artifact("key", domain="withdrawn")),
        index_options("uv-config"),
        namespace=namespace,
    )
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    world.aws.inject(
        "GetAuthorizationToken", Fault(status=403, code="AccessDeniedException"),
        domain="withdrawn",
    )  # fmt: skip

    def withdrawn() -> bool:
        begun = time.time()
        text = world.uv_toml(namespace, "uv-config") or ""
        held = [token.expires_at for token in world.aws.tokens.all() if token.value in text]
        assert all(begun < dies for dies in held), "it is served although it has died"
        return not held

    wait_until(withdrawn, "the withdrawal", 60)
    ready = world.wait_condition("artifactindex", namespace, "acme", reason="CredentialExpired")
    assert "codeartifact:GetAuthorizationToken" in ready["message"]
    assert world.condition("artifactindex", namespace, "acme", "Stalled")["status"] == "True"
    world.aws.clear("GetAuthorizationToken")


def test_a_selection_of_nothing_never_leaves_the_public_index_alone(
    world: World, operator: OperatorProcess, short_lives: int
) -> None:
    namespace = world.namespace("nothing-selected")
    world.apply(
        access_key_secret(world, "key", user("nothing")),
        secret("login", {"password": "s3cret"}),
        index_options("typo", indexSelector={"matchLabels": {"env": "pord"}}),
        index_options("uv-config", indexSelector={"matchLabels": {"env": "prod"}}),
        artifact_index("acme", name="acme", labels={"env": "prod"},
                       codeArtifact=code_artifact("key", domain="nothing")),
        artifact_index("static", name="static", labels={"env": "prod"},
                       basicAuth=basic_auth("https://p.example/simple/", "login")),
        namespace=namespace,
    )  # fmt: skip
    world.wait_all_served(namespace, "uv-config")
    none = world.wait_condition("indexoptions", namespace, "typo", reason="NoIndexes")
    assert none["status"] == "False"
    assert "spec.indexSelector matches no ArtifactIndex" in none["message"]
    assert world.condition("indexoptions", namespace, "typo", "Reconciling")["status"] == "True"
    assert world.get("secret", namespace, "typo") is None

    def shown() -> str:
        """The file with the cloud's tokens cut out: one may be replaced meanwhile."""
        text = world.uv_toml(namespace, "uv-config") or ""
        for token in world.aws.tokens.all():
            text = text.replace(token.value, "TOKEN")
        return text

    before = shown()
    assert "aws:TOKEN@" in before

    world.patch(
        "indexoptions", namespace, "uv-config",
        {"spec": {"indexSelector": {"matchLabels": {"env": "prdo"}}}},
    )  # fmt: skip
    world.wait_condition("indexoptions", namespace, "uv-config", reason="NoIndexes")
    world.wait_condition("artifactindex", namespace, "acme", reason="NotSelected")
    assert shown() == before

    # Until its token has to be withdrawn: then the entries stay, blocked.
    world.wait_served(namespace, "uv-config", "aws:", there=False)
    tables = world.indexes(namespace, "uv-config")
    assert tables["acme"]["url"] == blocked_at(
        "uv-config", namespace, name="acme", kind="indexoptions"
    )
    assert "ci:s3cret@" in tables["static"]["url"]

    world.aws.cap_seconds = None
    world.patch(
        "indexoptions", namespace, "uv-config",
        {"spec": {"indexSelector": {"matchLabels": {"env": "prod"}}}},
    )  # fmt: skip
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    assert list(world.indexes(namespace, "uv-config")) == ["pypi", "acme", "static"]
