"""What one object takes from another: no live token, no served entry, no name that is taken."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.world import (
    PATIENCE,
    artifact_index,
    basic_auth,
    code_artifact,
    index_options,
    secret,
)

pytestmark = pytest.mark.emulated

TOKEN_SECONDS = 12
SHORT_MARGINS = (
    "--outage-budget=1s", "--propagation-time=2s", "--clock-skew=1s", "--pod-start-time=1s",
    "--min-refresh-interval=2s", "--write-time=1s",
)  # fmt: skip
ENDPOINT = "https://aws.example/pypi/python/"
HUGE = "https://ci:{}@huge.example/simple/".format("x" * 930_000)
BY_URL: dict[str, Any] = {"urlSecretRef": {"name": "huge"}}


@pytest.fixture
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


def acme(world: EmulatedWorld, key: str) -> list[dict[str, Any]]:
    """An index with a token, and the access key for it."""
    source = code_artifact(key, endpoint=ENDPOINT)
    return [world.access_key(key, key), artifact_index("acme", name="acme", codeArtifact=source)]


def test_tokens_stay_fresh_in_outputs_that_cannot_be_written(world: EmulatedWorld) -> None:
    """One has a new name that is somebody else's, one has outgrown an API object."""
    world.aws.cap_seconds = TOKEN_SECONDS
    cases = {"renamed": "TargetNotOwned", "large": "TargetTooLarge"}
    for case in cases:
        options = index_options("uv-config", maxBuildDuration="1s")
        world.add(case, *acme(world, f"key-{case}"), options)
    foreign = secret("taken", {"mine": "x"}, labelled=False)
    world.add("renamed", foreign)

    def token(case: str) -> str:
        url: str = world.served(case)["acme"]["url"]
        return url

    with world.operator(*SHORT_MARGINS):
        for case in cases:
            world.wait_served(case, "acme")
        outputs = {"spec": {"outputs": [{"kind": "Secret", "name": "taken"}]}}
        world.emulator.patch("indexoptions", "renamed", "uv-config", outputs)
        huge = artifact_index("huge", name="huge", preauthenticated=BY_URL)
        world.add("large", secret("huge", {"url": HUGE}), huge)
        for case, reason in cases.items():
            world.wait_reason("indexoptions", case, "uv-config", reason)
        first = {case: token(case) for case in cases}
        for case in cases:
            wait_until(
                lambda case=case: token(case) != first[case],  # type: ignore[misc]
                f"a fresh token in {case}",
                PATIENCE,
            )
            assert world.serves(case, "acme") and not world.blocked(case, "acme")
            assert world.reason("artifactindexes", case, "acme") == "Available"
        world.wait_reason("artifactindexes", "large", "huge", "NotWritten")
        untouched = world.emulator.get("secrets", "renamed", "taken")
        assert untouched["data"].keys() == {"mine"}


def test_a_newcomer_takes_no_entry_from_a_served_index(world: EmulatedWorld) -> None:
    """Neither one below its URL, nor an IndexOptions that names its Secret as an output."""
    root = basic_auth("https://h.example/simple/", "pw")
    world.add(
        "served",
        *acme(world, "keys"),
        secret("pw", {"password": "p"}),
        artifact_index("root", name="root", basicAuth=root),
        index_options("uv-config"),
    )
    with world.operator():
        world.wait_served("served", "acme", "root")
        served = int(time.time())
        wait_until(lambda: int(time.time()) > served, "a later creationTimestamp", PATIENCE)
        outputs = [{"kind": "Secret", "name": name} for name in ("keys", "pw")]
        below = {"anonymous": {"url": "https://h.example/below/simple/"}}
        world.add(
            "served",
            index_options("slip", outputs=outputs),
            artifact_index("below", name="below", **below),
            artifact_index("last", **anonymous("last")),
        )
        world.wait_reason("indexoptions", "served", "slip", "TargetNotOwned")
        world.wait_reason("artifactindexes", "served", "below", "ShadowsSiblings")
        world.wait_served("served", "acme", "root", "below", "last")
        assert world.blocked("served", "below")
        for name in ("acme", "root"):
            assert not world.blocked("served", name)
            assert world.reason("artifactindexes", "served", name) == "Available"
        for name in ("keys", "pw"):
            labels = world.emulator.get("secrets", "served", name)["metadata"]["labels"]
            assert labels == {"artifactindex.dev/role": "source"}
