"""Source Secrets that change: how fast the change is served, and at how many reads."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.source_secrets import (
    REREAD,
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
    OPERATOR_USER,
    PATIENCE,
    World,
    access_key_secret,
    artifact_index,
    artifact_registry,
    basic_auth,
    code_artifact,
    google_key_secret,
    secret,
)

pytestmark = pytest.mark.cluster

LABEL = "artifactindex.dev/role"


@pytest.fixture(scope="module")
def operator(world: World) -> Iterator[OperatorProcess]:
    """An operator with short waits for Secrets."""
    with world.operator(*SHORT_WAITS) as running:
        yield running


def reads(world: World, namespace: str, since: int) -> Counter[tuple[str, str]]:
    """What the operator has read by name, after a mark of the audit log."""
    events = world.plane.audit_events(OPERATOR_USER, verbs=["get"], since=since)
    return Counter((event.resource, event.name) for event in events if event.namespace == namespace)


def aws_case(world: World) -> tuple[dict[str, Any], dict[str, Any], dict[str, str], Any]:
    """Source Secret, spec, new values, and how to see the new login."""
    before, after = (f"arn:aws:iam::111122223333:user/source-{item}" for item in ("old", "new"))
    made = access_key_secret(world, "login", after)
    return (
        access_key_secret(world, "login", before),
        {"codeArtifact": code_artifact("login", domain="source-change")},
        made["stringData"],
        lambda: newest(world.aws.tokens.all(), after),
    )


def google_case(world: World) -> tuple[dict[str, Any], dict[str, Any], dict[str, str], Any]:
    """The same for a service account key."""
    before, after = (f"{item}@source.iam.gserviceaccount.com" for item in ("old", "new"))
    made = google_key_secret(world, "login", after)
    return (
        google_key_secret(world, "login", before),
        {"googleArtifactRegistry": artifact_registry("login")},
        made["stringData"],
        lambda: newest(world.google.tokens.all(), after),
    )


def basic_case(_: World) -> tuple[dict[str, Any], dict[str, Any], dict[str, str], Any]:
    """The same for a password."""
    return (
        secret("login", {"password": "before"}),
        {"basicAuth": basic_auth(URL, "login")},
        {"password": "after"},
        lambda: "ci:after@",
    )


def url_case(_: World) -> tuple[dict[str, Any], dict[str, Any], dict[str, str], Any]:
    """The same for a complete URL, which names another host as well."""
    return (
        secret("login", {"url": "https://ci:before@one.example/simple/"}),
        {"preauthenticated": {"urlSecretRef": {"name": "login"}}},
        {"url": "https://ci:after@two.example/simple/"},
        lambda: "https://ci:after@two.example/simple/",
    )


@pytest.mark.parametrize("case", [aws_case, google_case, basic_case, url_case])
def test_a_change_of_a_labelled_source_is_served_without_a_gap_and_without_a_read(
    world: World, operator: OperatorProcess, case: Callable[[World], Any]
) -> None:
    namespace = f"labelled-{case.__name__.replace('_', '-')}"
    source, spec, values, needle = case(world)
    serve(world, namespace, source, acme(**spec))
    available(world, namespace)
    seen: list[str] = []
    mark = world.plane.audit_mark()

    rewrite(world, namespace, "login", values)

    def followed() -> bool:
        seen.append(world.uv_toml(namespace, "uv-config") or "")
        return needle() in seen[-1]

    wait_until(followed, "the output to follow", PATIENCE)
    assert reads(world, namespace, mark)["secrets", "login"] == 0
    # The old login was served until the new one was there.
    assert all('name = "acme"' in text and "unavailable" not in text for text in seen)


def test_a_change_of_an_unlabelled_source_is_served_within_its_interval_at_one_read(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "unlabelled"
    serve(
        world, namespace,
        secret("login", {"password": "before"}, labelled=False),
        *(artifact_index(f"i{n}", name=f"i{n}", basicAuth=basic_auth(URL, "login"))
          for n in range(5)),
    )  # fmt: skip
    available(world, namespace)
    begun, mark = time.monotonic(), world.plane.audit_mark()

    rewrite(world, namespace, "login", {"password": "after"})

    text = world.wait_served(namespace, "uv-config", "ci:before@", there=False)
    assert text.count("ci:after@") == 5
    found = reads(world, namespace, mark)
    took = time.monotonic() - begun
    assert set(found) == {("secrets", "login")}
    assert found["secrets", "login"] <= took / (0.9 * REREAD) + 1


def test_a_source_that_gains_or_loses_its_label_is_served_on(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "label-changes"
    serve(world, namespace, secret("login", {"password": "one"}, labelled=False), basic_index())
    available(world, namespace)

    world.plane.kubectl("label", "secret", "login", "-n", namespace, f"{LABEL}=source")
    rewrite(world, namespace, "login", {"password": "two"})
    world.wait_served(namespace, "uv-config", "ci:two@")

    world.plane.kubectl("label", "secret", "login", "-n", namespace, f"{LABEL}-")
    rewrite(world, namespace, "login", {"password": "three"})
    text = world.wait_served(namespace, "uv-config", "ci:three@")
    assert "unavailable" not in text
    assert [about for about in world.events(namespace) if about[0] == "acme"] == []


@pytest.mark.parametrize("labelled", [True, False])
def test_a_secret_made_again_is_served_without_a_gap(
    world: World, operator: OperatorProcess, labelled: bool
) -> None:
    namespace = f"made-again-{'labelled' if labelled else 'unlabelled'}"
    serve(world, namespace, secret("login", {"password": "before"}, labelled=labelled),
          basic_index())  # fmt: skip
    available(world, namespace)
    seen: list[str] = []

    # Deleted and created in one command: two of them may take longer than the grace.
    made = secret("login", {"password": "after"}, labelled=labelled)
    world.plane.kubectl("replace", "--force", "-n", namespace, "-f", "-", input=json.dumps(made))

    def followed() -> bool:
        seen.append(world.uv_toml(namespace, "uv-config") or "")
        return "ci:after@" in seen[-1]

    wait_until(followed, "the new password", PATIENCE)
    assert all("unavailable" not in text for text in seen)
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")
