"""Asking for a refresh, and what a cluster tells of it."""

import time
from typing import Any

from artifact_index.api.timestamps import format_time
from support.accounts import code_artifact_by
from support.control_plane import wait_until
from support.world import World, access_key_secret, artifact_index, index_options

ANNOTATION = "artifactindex.dev/refresh-requested-at"


def ask(world: World, kind: str, namespace: str, name: str, when: str) -> None:
    world.patch(kind, namespace, name, {"metadata": {"annotations": {ANNOTATION: when}}})


def handled(world: World, kind: str, namespace: str, name: str) -> Any:
    """The request that the status repeats."""
    found = world.get(kind, namespace, name) or {}
    return found.get("status", {}).get("lastHandledRefreshAt")


def mints(world: World, principal: str) -> int:
    """Tokens that a principal got."""
    return world.aws.mints("GetAuthorizationToken", principal=principal)


def serve(world: World, namespace: str, principal: str, *more: dict[str, Any]) -> None:
    """An index of one login, served."""
    source = code_artifact_by({"secretRef": {"name": "key"}}, domain=namespace)
    world.apply(
        access_key_secret(world, "key", principal),
        artifact_index("acme", codeArtifact=source),
        index_options("uv-config"),
        *more,
        namespace=namespace,
    )
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    world.wait_condition("artifactindex", namespace, "acme", reason="Available")


def later_than_the_token() -> str:
    """A time that no token of before fulfils; the second it names has begun."""
    at = int(time.time()) + 1
    wait_until(lambda: time.time() >= at, "the next second", 3)
    return format_time(at)


def reasons_of_events(
    world: World, namespace: str, kind: str = "ArtifactIndex"
) -> list[tuple[str, str]]:
    """Type and reason of each event about an object, oldest first."""
    answer = world.plane.kubectl(
        "get", "events", "-n", namespace, "--sort-by=.metadata.creationTimestamp",
        "-o", "jsonpath={range .items[*]}{.involvedObject.kind} {.type} {.reason}{'\\n'}{end}",
    )  # fmt: skip
    lines = [line.split() for line in answer.stdout.splitlines()]
    return [(what, reason) for about, what, reason in lines if about == kind]
