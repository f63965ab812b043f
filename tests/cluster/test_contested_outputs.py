"""Outputs that others change in ways that a single repair does not end."""

from typing import Any

import pytest

from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.world import PATIENCE, World, artifact_index, index_options

pytestmark = pytest.mark.cluster

KINDS = ("Secret", "ConfigMap")
STRAY = {"data": {"stray": "eA=="}}


def serve(world: World, namespace: str, **spec: Any) -> None:
    """A namespace with one index, written to a Secret and a ConfigMap."""
    world.namespace(namespace)
    outputs = [{"kind": kind, "name": "uv-config"} for kind in KINDS]
    world.apply(
        artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"}),
        index_options("uv-config", outputs=outputs, **spec),
        namespace=namespace,
    )
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("slug", "edit", "policy"),
    [
        ("only", {}, "Delete"),
        ("with-data", STRAY, "Delete"),
        ("retained", {"data": {"uv.toml": "eA=="}}, "Retain"),
    ],
)
def test_an_output_made_immutable_is_created_anew(
    world: World,
    operator: OperatorProcess,
    kind: str,
    slug: str,
    edit: dict[str, Any],
    policy: str,
) -> None:
    namespace = f"immutable-{kind.lower()}-{slug}"
    serve(world, namespace, deletionPolicy=policy)
    before = world.get(kind, namespace, "uv-config") or {}

    world.patch(kind, namespace, "uv-config", {"immutable": True, **edit})

    def anew() -> bool:
        found = world.get(kind, namespace, "uv-config")
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    wait_until(anew, f"{kind} to be created anew", PATIENCE)
    after = world.get(kind, namespace, "uv-config") or {}
    assert not after.get("immutable")
    assert after["data"] == before["data"]
    for part in ("labels", "annotations", "ownerReferences"):
        assert after["metadata"].get(part) == before["metadata"].get(part)
    world.patch("indexoptions", namespace, "uv-config", {"spec": {"preferPrivate": False}})
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    assert not world.indexes(namespace, "uv-config", kind)["pypi"].get("default")


def test_an_output_that_is_edited_again_and_again_is_contested_and_names_the_editor(
    world: World, operator: OperatorProcess
) -> None:
    namespace = "edited-on-and-on"
    serve(world, namespace)
    mark = world.plane.audit_mark()

    def reason() -> Any:
        return world.condition("indexoptions", namespace, "uv-config").get("reason")

    def stray() -> bool:
        return "stray" in (world.get("secret", namespace, "uv-config") or {})["data"]

    edits = 0
    while reason() != "OutputContested" and edits < 10:
        world.patch("secret", namespace, "uv-config", STRAY)
        edits += 1
        wait_until(
            lambda: not stray() or reason() == "OutputContested", "an answer to the edit", PATIENCE
        )
    ready = world.wait_condition("indexoptions", namespace, "uv-config", reason="OutputContested")
    assert "Secret 'uv-config'" in ready["message"] and "'kubectl-patch'" in ready["message"]
    assert world.condition("indexoptions", namespace, "uv-config", "Stalled")["status"] == "True"
    events = world.wait_events(namespace, ("uv-config", "OutputContested"))
    assert events["uv-config", "OutputContested"] == 1
    writes = [
        write
        for write in world.operator_writes(mark)
        if (write.namespace, write.resource) == (namespace, "secrets")
    ]
    assert len(writes) <= edits
    # It is repaired all the same.
    wait_until(lambda: not stray(), "the last repair", PATIENCE)
