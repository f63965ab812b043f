"""What users' tools rely on: server-side apply, `kubectl wait`, and the rules of kstatus."""

import json
from typing import Any

import pytest
import yaml

from support.control_plane import wait_until
from support.kstatus import violations
from support.operator_process import OperatorProcess
from support.world import PATIENCE, World, artifact_index, basic_auth, index_options, secret

pytestmark = pytest.mark.cluster

NAMESPACE = "user-tools"
MANAGER = "--field-manager=gitops"
URL = "https://packages.example/simple/"
INDEX = "artifactindex/acme"
FILE = "indexoptions/uv-config"
OBJECTS = [
    # An empty map of labels would be applied anew each time.
    artifact_index("acme", name="acme", labels={"team": "a"}, basicAuth=basic_auth(URL, "login")),
    index_options("uv-config", indexSelector={}),
]


@pytest.fixture(scope="module")
def tools(world: World, operator: OperatorProcess) -> World:
    world.namespace(NAMESPACE)
    return world


def apply(world: World, objects: list[dict[str, Any]], manager: str = MANAGER) -> str:
    """Server-side apply; returns what kubectl said."""
    done = world.plane.kubectl(
        "apply", "--server-side", "--validate=strict", manager, "-n", NAMESPACE, "-f", "-",
        input=yaml.safe_dump_all(objects), check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def wait_for(world: World, what: str, *names: str) -> None:
    world.plane.kubectl("wait", f"--for={what}", *names, "-n", NAMESPACE, "--timeout=60s")


def found(world: World, name: str) -> dict[str, Any]:
    text = world.plane.kubectl("get", name, "-n", NAMESPACE, "-o", "json", "--show-managed-fields")
    body: dict[str, Any] = json.loads(text.stdout)
    return body


def applies_without_a_write(world: World) -> bool:
    """Whether the objects are the same versions after applying them again."""
    before = [found(world, name)["metadata"]["resourceVersion"] for name in (INDEX, FILE)]
    assert apply(world, OBJECTS).count("serverside-applied") == len(OBJECTS)
    after = [found(world, name)["metadata"]["resourceVersion"] for name in (INDEX, FILE)]
    return after == before


def breaches(world: World) -> list[str]:
    """The rules of kstatus that the objects break, each named with its object's name."""
    bodies = [found(world, name) for name in (INDEX, FILE)]
    return [
        f"{body['metadata']['name']}: {rule}"
        for body in bodies
        for rule in violations(body["kind"], body["status"], body["metadata"]["generation"])
    ]


def test_objects_are_applied_waited_for_and_deleted_as_by_gitops(tools: World) -> None:
    assert apply(tools, OBJECTS).count("serverside-applied") == len(OBJECTS)

    # Without its Secret the index is on its way, and says so as kstatus expects.
    wait_for(tools, "condition=Reconciling", INDEX, FILE)
    wait_for(tools, "condition=Ready=false", INDEX, FILE)
    assert breaches(tools) == []

    tools.apply(secret("login", {"password": "of-the-user"}), namespace=NAMESPACE)
    wait_for(tools, "condition=Ready", INDEX, FILE)
    wait_for(tools, 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}=Available', FILE)
    wait_until(lambda: breaches(tools) == [], "kstatus to agree", PATIENCE)

    # Not at the first look: the operator may still be writing a status.
    wait_until(lambda: applies_without_a_write(tools), "an apply without a write", PATIENCE)

    wait_for(tools, "create", "secret/uv-config")
    tools.plane.kubectl("delete", INDEX, FILE, "-n", NAMESPACE, "--wait=false")
    wait_for(tools, "delete", INDEX, FILE)
    if tools.plane.has_garbage_collection:
        wait_for(tools, "delete", "secret/uv-config")


def test_the_operator_owns_the_status_alone_and_conflicts_name_the_user(tools: World) -> None:
    body = artifact_index("open", name="open", labels={"team": "a"}, anonymous={"url": URL})
    apply(tools, [body])
    wait_until(lambda: "status" in found(tools, "artifactindex/open"), "a status", PATIENCE)
    fields = found(tools, "artifactindex/open")["metadata"]["managedFields"]
    owned = {entry["manager"]: entry.get("subresource") for entry in fields}
    assert owned == {"gitops": None, "artifact-index-operator": "status"}

    body["spec"]["anonymous"]["url"] = "https://other.example/simple/"
    said = apply(tools, [body], "--field-manager=somebody")
    assert 'conflict with "gitops": .spec.anonymous.url' in said
