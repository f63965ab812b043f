"""What the statuses tell of a credential's times, and what is served while its key changes."""

from typing import Any

import pytest

from artifact_index.api.timestamps import parse_time
from artifact_index.credentials.tokens.freshness import go_duration
from support.accounts import code_artifact_by, token_in
from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.refreshes import mints, serve
from support.world import (
    PATIENCE,
    World,
    access_key_secret,
    artifact_index,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

MINUTE = 60
MARGIN = 44 * MINUTE + 40  # of a build of 30 minutes, under the default settings


def status_of(world: World, kind: str, namespace: str, name: str) -> dict[str, Any]:
    found = world.get(kind, namespace, name)
    assert found is not None
    status: dict[str, Any] = found["status"]
    return status


def test_the_statuses_tell_when_a_token_dies_is_replaced_and_until_when_builds_are_safe(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("times")
    serve(world, namespace, "arn:times")
    (token,) = [item for item in world.aws.tokens.all() if item.principal == "arn:times"]
    credential = status_of(world, "artifactindex", namespace, "acme")["credential"]
    expires_at = parse_time(credential["expiresAt"])
    assert expires_at == int(token.expires_at)
    # The jitter is at most ten minutes.
    latest = expires_at - MARGIN
    assert latest - 10 * MINUTE <= parse_time(credential["refreshAt"]) <= latest
    options = status_of(world, "indexoptions", namespace, "uv-config")
    assert options["earliestExpiry"] == credential["expiresAt"]
    # A pod's start and the clock skew.
    assert parse_time(options["guaranteedUntil"]) == expires_at - 3 * MINUTE
    assert {condition["type"] for condition in options["conditions"]} == {"Ready"}


def test_a_promise_that_cannot_be_kept_is_told_with_its_numbers(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("promises")
    source = code_artifact_by({"secretRef": {"name": "key"}}, domain="promises")
    world.apply(
        access_key_secret(world, "key", "arn:promises"),
        artifact_index("acme", codeArtifact={**source, "tokenDuration": "15m"}),
        index_options("half-an-hour"),
        namespace=namespace,
    )
    told = world.wait_condition(
        "indexoptions", namespace, "half-an-hour", reason="TokenTooShort",
        what="FreshnessNotGuaranteed",
    )  # fmt: skip
    for part in (
        "tokens are valid for 15m",
        "a build of 30m needs at least 45m10s",
        "No build length",
    ):
        assert part in told["message"]
    assert world.condition("indexoptions", namespace, "half-an-hour")["status"] == "True"
    # With tokens of an hour the longest build has a number, and a shorter one is promised.
    world.apply(
        artifact_index("acme", codeArtifact={**source, "tokenDuration": "1h"}),
        index_options("an-hour", maxBuildDuration="1h"),
        namespace=namespace,
    )
    # A token's life counts from before it is asked for, and the answer may be late.
    lives = [go_duration(44 * MINUTE + 50 + late) for late in range(15)]
    numbers = [f"The longest build that can be guaranteed is {life}:" for life in lives]

    def is_told() -> bool:
        told = world.condition("indexoptions", namespace, "an-hour", "FreshnessNotGuaranteed")
        return any(number in told.get("message", "") for number in numbers)

    wait_until(is_told, "the longest build", PATIENCE)
    wait_until(
        lambda: world.condition(
            "indexoptions", namespace, "half-an-hour", "FreshnessNotGuaranteed"
        ) == {},
        "the promise to builds of half an hour", PATIENCE,
    )  # fmt: skip


def test_the_old_token_is_served_until_the_new_key_of_its_secret_works(
    world: World, operator: OperatorProcess
) -> None:
    namespace, principal = world.namespace("wrong-key"), "arn:before-the-rotation"
    serve(world, namespace, principal)
    old = token_in(world, namespace)
    wrong = {"AWS_ACCESS_KEY_ID": "AKIANOBODYKNOWSIT000", "AWS_SECRET_ACCESS_KEY": "x" * 40}
    world.apply(secret("key", wrong), namespace=namespace)
    failing = world.wait_condition(
        "artifactindex", namespace, "acme", reason="InvalidCredential", what="RefreshFailing"
    )
    assert "Secret 'key' in spec.codeArtifact.auth.secretRef: AWS does not" in failing["message"]
    assert world.condition("artifactindex", namespace, "acme")["status"] == "True"
    assert world.condition("indexoptions", namespace, "uv-config")["status"] == "True"
    assert token_in(world, namespace) == old
    world.apply(access_key_secret(world, "key", "arn:after-the-rotation"), namespace=namespace)
    wait_until(lambda: token_in(world, namespace) != old, "the new key's token", PATIENCE)
    wait_until(
        lambda: world.condition("artifactindex", namespace, "acme", "RefreshFailing") == {},
        "the recovery", PATIENCE,
    )  # fmt: skip
    assert (mints(world, principal), mints(world, "arn:after-the-rotation")) == (1, 1)
