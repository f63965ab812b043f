"""`Retain` retains whatever else is wrong, and an index whose file is refused is not available."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.control_plane import wait_until
from support.operator_process import OperatorProcess
from support.world import (
    PATIENCE,
    World,
    access_key_secret,
    artifact_index,
    code_artifact,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

OPEN = artifact_index("open", name="open", anonymous={"url": "http://127.0.0.1:9/simple/"})
NOBODY = {"matchLabels": {"no": "such"}}
HINDRANCES: dict[str, dict[str, Any]] = {
    "suspended": {"suspend": True},
    "unselected": {"indexSelector": NOBODY},
}


def wait_observed(world: World, namespace: str) -> None:
    """Wait until the status tells of the newest spec."""

    def observed(found: dict[str, Any]) -> bool:
        generation: int = found["metadata"]["generation"]
        return bool(found["status"].get("observedGeneration") == generation)

    world.wait_object("indexoptions", namespace, "uv-config", observed, "observed")


@pytest.mark.parametrize("at_once", [True, False], ids=["at-once", "later"])
@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_an_output_is_retained_although_nothing_is_written(
    world: World, operator: OperatorProcess, hindrance: str, at_once: bool
) -> None:
    namespace = world.namespace(f"retains-{hindrance}-{'at-once' if at_once else 'later'}")
    world.apply(OPEN, index_options("uv-config"), namespace=namespace)
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    before = world.get("secret", namespace, "uv-config") or {}
    spec = HINDRANCES[hindrance]
    if not at_once:
        world.patch("indexoptions", namespace, "uv-config", {"spec": spec})
        wait_observed(world, namespace)

    retaining = {"spec": {**spec, "deletionPolicy": "Retain"}}
    world.patch("indexoptions", namespace, "uv-config", retaining)
    wait_observed(world, namespace)
    retained = world.get("secret", namespace, "uv-config") or {}
    assert "ownerReferences" not in retained["metadata"] and retained["data"] == before["data"]

    world.delete("indexoptions", namespace, "uv-config")
    # Something that is collected proves that the collector has been by.
    world.apply(index_options("witness"), namespace=namespace)
    world.wait_condition("indexoptions", namespace, "witness", reason="Available")
    world.delete("indexoptions", namespace, "witness")
    gone = lambda: world.get("secret", namespace, "witness") is None  # noqa: E731
    wait_until(gone, "the witness to go", PATIENCE)
    assert world.get("secret", namespace, "uv-config") == retained


@contextlib.contextmanager
def frozen_secrets(world: World, namespace: str) -> Iterator[None]:
    """Let a policy of the cluster refuse every change of a Secret's data in a namespace."""
    name = f"frozen-{namespace}"
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    rule = {
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"],
        "resources": ["secrets"],
    }  # fmt: skip
    group = "admissionregistration.k8s.io/v1"
    policy = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {**here, "resourceRules": [rule]},
            "validations": [{"expression": "object.data == oldObject.data"}],
        },
    }
    binding = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": here},
    }
    world.apply(secret("probe", {"count": "0"}, labelled=False), namespace=namespace)
    world.apply(policy, binding)
    count = 0

    def is_refused() -> bool:
        nonlocal count
        count += 1
        change = json.dumps({"stringData": {"count": str(count)}})
        patch = ("patch", "secret", "probe", "-n", namespace, "-p", change)
        return world.plane.kubectl(*patch, check=False).returncode != 0

    wait_until(is_refused, "the policy to hold", PATIENCE)
    try:
        yield
    finally:
        world.plane.kubectl("delete", "validatingadmissionpolicybinding", name)
        world.plane.kubectl("delete", "validatingadmissionpolicy", name)


def test_an_index_whose_file_is_refused_is_not_available(
    world: World, operator: OperatorProcess
) -> None:
    namespace = world.namespace("refused-file")
    world.apply(
        access_key_secret(world, "key", "arn:aws:iam::111122223333:user/refused"),
        artifact_index("acme", name="acme", codeArtifact=code_artifact("key")),
        index_options("uv-config"),
        namespace=namespace,
    )
    world.wait_condition("indexoptions", namespace, "uv-config", reason="Available")
    with frozen_secrets(world, namespace):
        world.apply(OPEN, namespace=namespace)
        world.wait_condition("indexoptions", namespace, "uv-config", reason="WriteFailed")
        ready = world.wait_condition("artifactindex", namespace, "open", reason="NotWritten")
        assert ready["status"] == "False"
        for part in ("IndexOptions 'uv-config'", "Secret 'uv-config'", "is tried again"):
            assert part in ready["message"]
        message = world.condition("indexoptions", namespace, "uv-config")["message"]
        assert "without ArtifactIndex 'open'" in message
        acme = world.condition("artifactindex", namespace, "acme")
        assert (acme["status"], acme["reason"]) == ("True", "Available")

    world.wait_condition("artifactindex", namespace, "open", reason="Available", seconds=150)
    assert set(world.indexes(namespace, "uv-config")) == {"pypi", "acme", "open"}
