"""Source Secrets that are missing, malformed or outputs: the status, the file, and the recovery."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from support.blocked import blocked_at
from support.control_plane import wait_until
from support.control_plane.audit import AuditEvent
from support.operator_process import OperatorProcess
from support.source_secrets import (
    GRACE,
    SHORT_WAITS,
    URL,
    acme,
    available,
    basic_index,
    newest,
    rewrite,
    serve,
)
from support.world import (
    PATIENCE,
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
    """An operator with short waits for Secrets."""
    with world.operator(*SHORT_WAITS) as running:
        yield running


def first_told(world: World, namespace: str, reason: str) -> dict[str, Any]:
    """The index under test as it was when its status first gave a reason."""
    versions = world.versions("artifactindex", namespace, "acme")
    return next(version for version in versions if condition_in(version).get("reason") == reason)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_missing_secret_is_waited_for_then_the_user_is_asked_and_its_arrival_heals(
    world: World, operator: OperatorProcess, labelled: bool
) -> None:
    namespace = f"missing-{'labelled' if labelled else 'unlabelled'}"
    sibling = artifact_index("sibling", name="sibling", anonymous={"url": URL})
    serve(world, namespace, basic_index(), sibling)

    world.wait_condition(
        "artifactindex", namespace, "acme", what="Stalled", reason="SecretNotFound"
    )
    first = first_told(world, namespace, "SecretNotFound")
    missing = condition_in(first)
    assert missing["status"] == "False"
    for part in ("'login'", "spec.basicAuth.secretRef", f"'{namespace}'", "create it"):
        assert part in missing["message"]
    assert condition_in(first, "Reconciling")["status"] == "True"
    assert condition_in(first, "Stalled") == {}
    assert world.condition("artifactindex", namespace, "acme", "Reconciling") == {}
    world.wait_condition("artifactindex", namespace, "sibling", reason="Available")
    assert world.indexes(namespace, "uv-config")["acme"]["url"] == blocked_at("acme", namespace)
    assert world.indexes(namespace, "uv-config")["sibling"]["url"] == URL
    options = world.wait_condition(
        "indexoptions", namespace, "uv-config", what="Stalled", reason="IndexesNotReady"
    )
    assert "'acme': SecretNotFound" in options["message"]

    world.apply(secret("login", {"password": "here"}, labelled=labelled), namespace=namespace)
    # Unlabelled ones are asked for after 1, 2, 4, 8 … 30 seconds.
    world.wait_served(namespace, "uv-config", "ci:here@")
    available(world, namespace)
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")
    events = world.wait_events(namespace, ("acme", "SecretNotFound"), ("acme", "Available"))
    assert events["acme", "SecretNotFound"] == 1
    assert events["acme", "Available"] == 1


def test_a_missing_key_is_waited_for_then_the_user_is_asked(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "missing-key"
    serve(world, namespace, secret("login", {"pasword": "typo"}), basic_index())

    world.wait_condition(
        "artifactindex", namespace, "acme", what="Stalled", reason="SecretKeyMissing"
    )
    first = first_told(world, namespace, "SecretKeyMissing")
    for part in ("'login'", "spec.basicAuth.secretRef", "'password'", "add it"):
        assert part in condition_in(first)["message"]
    assert condition_in(first, "Stalled") == {}

    rewrite(world, namespace, "login", {"password": "here"})
    world.wait_served(namespace, "uv-config", "ci:here@")
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")


MALFORMED = {
    "no-scheme": "packages.example/simple/",
    "other-scheme": "ftp://ci:canary@packages.example/simple/",
    "no-host": "https://ci:canary@/simple/",
    "line-break": "https://ci:canary@packages.example/simple/\n",
    "space": "https://ci:can ary@packages.example/simple/",
    "port": "https://ci:canary@packages.example:99999/simple/",
    "bracket": "https://ci:canary@[::1/simple/",
}


def test_a_malformed_url_is_the_users_to_mend_and_never_shown(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "malformed"
    serve(
        world, namespace,
        secret("urls", MALFORMED),
        *(artifact_index(
            name, name=name, preauthenticated={"urlSecretRef": {"name": "urls", "key": name}}
          ) for name in MALFORMED),
        artifact_index("sibling", name="sibling", anonymous={"url": URL}),
    )  # fmt: skip

    for name in MALFORMED:
        ready = world.wait_condition("artifactindex", namespace, name, reason="InvalidSecretValue")
        for part in ("'urls'", f"'{name}'", "spec.preauthenticated.urlSecretRef", "correct"):
            assert part in ready["message"]
        assert "canary" not in ready["message"] and "packages.example" not in ready["message"]
        stalled = world.condition("artifactindex", namespace, name, "Stalled")
        assert stalled["status"] == "True"
    world.wait_condition("artifactindex", namespace, "sibling", reason="Available")
    tables = world.indexes(namespace, "uv-config")
    assert tables.pop("sibling")["url"] == URL
    assert tables.pop("pypi")
    assert {table["url"] for table in tables.values()} == {
        blocked_at(name, namespace) for name in MALFORMED
    }

    good = dict.fromkeys(MALFORMED, "https://ci:good@packages.example/simple/")
    rewrite(world, namespace, "urls", good)
    available(world, namespace)
    assert (world.uv_toml(namespace, "uv-config") or "").count("ci:good@") == len(MALFORMED)


def test_a_malformed_url_leaves_the_last_good_one_served(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "malformed-later"
    good = "https://ci:good@packages.example/simple/"
    serve(
        world, namespace, secret("urls", {"url": good}),
        acme(preauthenticated={"urlSecretRef": {"name": "urls"}}),
    )  # fmt: skip
    available(world, namespace)

    rewrite(world, namespace, "urls", {"url": "not a URL"})
    world.wait_condition("artifactindex", namespace, "acme", reason="InvalidSecretValue")
    assert world.indexes(namespace, "uv-config")["acme"]["url"] == good
    ready = world.wait_condition("indexoptions", namespace, "uv-config", reason="IndexesNotReady")
    assert "'acme'" in ready["message"]


def test_an_output_as_a_source_is_refused(world: World, operator: OperatorProcess) -> None:
    namespace = world.namespace("source-is-output")
    world.apply(
        secret("later-an-output", {"password": "x"}),
        artifact_index("declared", name="declared", basicAuth=basic_auth(URL, "uv-config")),
        artifact_index("later", name="later", basicAuth=basic_auth(URL, "later-an-output")),
        artifact_index("sibling", name="sibling", anonymous={"url": URL}),
        index_options("uv-config"),
        namespace=namespace,
    )
    ready = world.wait_condition("artifactindex", namespace, "declared", reason="SourceIsOutput")
    for part in ("'uv-config'", "spec.basicAuth.secretRef", "name the Secret that holds"):
        assert part in ready["message"]
    assert world.condition("artifactindex", namespace, "declared", "Stalled")["status"] == "True"
    world.wait_condition("artifactindex", namespace, "later", reason="Available")
    assert "ci:x@" in (world.uv_toml(namespace, "uv-config") or "")

    # A name takes nothing from a Secret that is there; its own annotation hands it over.
    world.apply(index_options("later-an-output"), namespace=namespace)
    world.wait_condition("indexoptions", namespace, "later-an-output", reason="TargetNotOwned")
    assert world.condition("artifactindex", namespace, "later")["reason"] == "Available"
    assert "ci:x@" in (world.uv_toml(namespace, "uv-config") or "")

    consent = {"metadata": {"annotations": {"artifactindex.dev/adopt": "later-an-output"}}}
    world.patch("secret", namespace, "later-an-output", consent)
    touch = {"spec": {"maxBuildDuration": "20m"}}
    world.patch("indexoptions", namespace, "later-an-output", touch)
    world.wait_condition("artifactindex", namespace, "later", reason="SourceIsOutput")
    world.wait_served(namespace, "uv-config", "ci:x@", there=False)
    assert world.indexes(namespace, "uv-config")["sibling"]["url"] == URL

    world.delete("indexoptions", namespace, "later-an-output")
    world.wait_condition("artifactindex", namespace, "later", reason="SecretNotFound")


@pytest.mark.parametrize(("what", "labelled"), [("secret", False), ("key", True)])
def test_a_static_credential_goes_when_its_secret_or_key_has_been_gone_for_the_grace(
    world: World, operator: OperatorProcess, what: str, labelled: bool
) -> None:
    namespace = f"revoked-{what}-{'labelled' if labelled else 'unlabelled'}"
    serve(world, namespace, secret("login", {"password": "s3cret"}, labelled=labelled),
          basic_index())  # fmt: skip
    available(world, namespace)
    mark, begun = world.plane.audit_mark(), datetime.datetime.now(datetime.UTC)

    if what == "secret":
        world.delete("secret", namespace, "login")
        reason = "SecretNotFound"
    else:
        world.patch("secret", namespace, "login", {"data": {"password": None}})
        reason = "SecretKeyMissing"
    world.wait_condition("artifactindex", namespace, "acme", reason=reason)
    world.wait_served(namespace, "uv-config", "s3cret", there=False)

    def writes() -> list[AuditEvent]:
        events = world.operator_writes(mark)
        return [
            event for event in events if (event.namespace, event.resource) == (namespace, "secrets")
        ]

    wait_until(lambda: len(writes()) > 0, "the audit log", PATIENCE)
    # Not before the grace is over: a GitOps tool may be about to make it again.
    assert writes()[0].received_at - begun > datetime.timedelta(seconds=GRACE)
    assert world.indexes(namespace, "uv-config")["acme"]["url"] == blocked_at("acme", namespace)
    world.wait_condition("artifactindex", namespace, "acme", what="Stalled", reason=reason)


def test_a_minted_token_outlives_its_secret(world: World, operator: OperatorProcess) -> None:
    namespace = "token-outlives"
    principal = "arn:aws:iam::111122223333:user/token-outlives"
    serve(
        world, namespace, access_key_secret(world, "login", principal),
        acme(codeArtifact=code_artifact("login", domain="token-outlives")),
    )  # fmt: skip
    available(world, namespace)
    token = newest(world.aws.tokens.all(), principal)

    world.delete("secret", namespace, "login")
    world.wait_condition(
        "artifactindex", namespace, "acme", what="Stalled", reason="SecretNotFound"
    )
    assert token in (world.uv_toml(namespace, "uv-config") or "")
    assert world.aws.mints("GetAuthorizationToken", principal=principal) == 1
