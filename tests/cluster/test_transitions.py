"""What a login goes through, with operators of its own: restarts, failure, death, recovery."""

import pytest

from support.clouds import Fault
from support.control_plane import wait_until
from support.refreshes import (
    ask,
    handled,
    later_than_the_token,
    mints,
    reasons_of_events,
    serve,
)
from support.world import PATIENCE, World, artifact_index, condition_in, index_options

pytestmark = pytest.mark.cluster

FORCED_SECONDS = 120.0
"""A login is asked for again once a minute at most."""
RETRY_SECONDS = 180.0
"""Attempts of a login that fails come less and less often."""


def test_a_request_is_fulfilled_once_across_a_restart(world: World) -> None:
    principal, namespace = "arn:refresh-restart", world.namespace("refresh-restart")
    with world.operator("--namespace", namespace) as running:
        serve(world, namespace, principal)
        first = world.uv_toml(namespace, "uv-config")
        asked = later_than_the_token()
        ask(world, "artifactindex", namespace, "acme", asked)
        # A token that is in no output dies with the process, and its request is made up for.
        wait_until(
            lambda: world.uv_toml(namespace, "uv-config") != first, "the new token", PATIENCE
        )
        assert mints(world, principal) == 2
        running.kill()
        running.start()
        wait_until(
            lambda: handled(world, "artifactindex", namespace, "acme") == asked,
            "the echo",
            PATIENCE,
        )
        running.stop()
        # Asked for while nobody is there: made up for at the start, once.
        again = later_than_the_token()
        ask(world, "indexoptions", namespace, "uv-config", again)
        running.start()
        wait_until(
            lambda: handled(world, "indexoptions", namespace, "uv-config") == again,
            "the echo",
            FORCED_SECONDS,
        )
        running.stop()
        running.start()
        # What is served after the start shows that the requests have been looked at again.
        world.apply(index_options("witness"), namespace=namespace)
        world.wait_condition("indexoptions", namespace, "witness", reason="Available")
    assert mints(world, principal) == 3


def test_failing_dying_and_recovering_are_one_event_each(world: World) -> None:
    principal, namespace = "arn:transitions", world.namespace("transitions")
    flags = ("--outage-budget", "2s", "--write-time", "0s", "--propagation-time", "1s")
    more = ("--pod-start-time", "0s", "--clock-skew", "1s", "--min-refresh-interval", "4s")
    world.aws.cap_seconds = 24
    try:
        with world.operator("--namespace", namespace, *flags, *more):
            serve(world, namespace, principal)
            world.aws.inject(
                "GetAuthorizationToken",
                Fault(403, "AccessDeniedException"),
                principal=principal,
            )
            dead = world.wait_condition(
                "artifactindex", namespace, "acme", reason="CredentialExpired",
                seconds=RETRY_SECONDS,
            )  # fmt: skip
            versions = world.versions("artifactindex", namespace, "acme")
            failing = [version for version in versions if condition_in(version, "RefreshFailing")]
            assert failing
            for item in failing:
                assert condition_in(item, "RefreshFailing")["reason"] == "AccessDenied"
                assert condition_in(item)["status"] == "True"
                assert condition_in(item, "Reconciling") == {}
            assert dead["status"] == "False"
            assert "codeartifact:GetAuthorizationToken" in dead["message"]
            stalled = world.condition("artifactindex", namespace, "acme", "Stalled")
            assert stalled["reason"] == "CredentialExpired"
            assert world.condition("artifactindex", namespace, "acme", "RefreshFailing") == {}
            assert "@" not in (world.uv_toml(namespace, "uv-config") or "")
            world.aws.cap_seconds = None
            world.aws.clear()
            ask(world, "artifactindex", namespace, "acme", later_than_the_token())
            world.wait_condition("artifactindex", namespace, "acme", reason="Available")
            assert world.condition("artifactindex", namespace, "acme", "Stalled") == {}
            wait_until(
                lambda: reasons_of_events(world, namespace)[-1:] == [("Normal", "Available")],
                "the event of the recovery",
                PATIENCE,
            )
    finally:
        world.aws.clear()
        world.aws.cap_seconds = None
    told = reasons_of_events(world, namespace)
    assert sorted(item for item in told if item[1] != "TokenTooShort") == [
        ("Normal", "Available"),
        ("Warning", "AccessDenied"),
        ("Warning", "CredentialExpired"),
    ]


def test_a_restart_while_a_refresh_fails_tells_nothing_twice(world: World) -> None:
    principal, namespace = "arn:restart-failing", world.namespace("restart-failing")
    garbage = Fault(200, body="a proxy's page")
    try:
        with world.operator("--namespace", namespace, "--mint-patience", "30s") as running:
            serve(world, namespace, principal)
            world.aws.inject("GetAuthorizationToken", garbage, principal=principal)
            ask(world, "artifactindex", namespace, "acme", later_than_the_token())
            world.wait_condition(
                "artifactindex", namespace, "acme", reason="CloudUnavailable", what="RefreshFailing"
            )
            world.wait_events(namespace, ("acme", "CloudUnavailable"))
            running.stop()
            asked = world.aws.calls("GetAuthorizationToken")
            running.start()
            # The second attempt comes after what became of the first was taken in.
            wait_until(
                lambda: world.aws.calls("GetAuthorizationToken") > asked + 1,
                "two attempts",
                RETRY_SECONDS,
            )
            world.aws.clear()
            wait_until(
                lambda: reasons_of_events(world, namespace)[-1:] == [("Normal", "Available")],
                "the event of the recovery",
                RETRY_SECONDS,
            )
    finally:
        world.aws.clear()
    assert reasons_of_events(world, namespace) == [
        ("Warning", "CloudUnavailable"),
        ("Normal", "Available"),
    ]


def test_a_host_that_is_not_allowed_is_refused_with_the_settings_name(world: World) -> None:
    namespace = world.namespace("allowed-hosts")
    with world.operator("--namespace", namespace, "--allowed-hosts", "*.acme.example"):
        world.apply(
            artifact_index("good", name="good", anonymous={"url": "https://a.acme.example/"}),
            artifact_index("bad", name="bad", anonymous={"url": "https://169.254.169.254/x/"}),
            index_options("uv-config"),
            namespace=namespace,
        )
        found = world.wait_condition("artifactindex", namespace, "bad", reason="HostNotAllowed")
        assert "spec.anonymous.url" in found["message"] and "--allowed-hosts" in found["message"]
        world.wait_condition("artifactindex", namespace, "good", reason="Available")
        urls = {name: item["url"] for name, item in world.indexes(namespace, "uv-config").items()}
        assert urls["good"] == "https://a.acme.example/"
        assert urls["bad"].startswith("https://bad.unavailable.invalid")
