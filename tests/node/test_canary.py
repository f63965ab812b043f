"""The node itself: pods run, as restricted as their namespace says."""

import json
from typing import Any

import pytest

from support.control_plane import wait_until
from support.node.images import BUILDER
from support.node.node import Node

pytestmark = pytest.mark.node

PATIENCE = 180.0
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


def _pod(name: str, command: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "main",
                    "image": BUILDER,
                    "imagePullPolicy": "Never",
                    "command": command,
                }
            ],
        },
    }


def _namespace(node: Node, name: str, *labels: str) -> None:
    node.plane.kubectl("create", "namespace", name)
    if labels:
        node.plane.kubectl("label", "namespace", name, *labels)
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    wait_until(lambda: node.plane.read(account) is not None, "the default ServiceAccount", PATIENCE)


def _apply(node: Node, pod: dict[str, Any], namespace: str) -> str:
    arguments = ("create", "-n", namespace, "-f", "-")
    return node.plane.kubectl(*arguments, input=json.dumps(pod), check=False).stderr


def test_a_pod_runs_and_its_log_can_be_read(node: Node) -> None:
    _namespace(node, "canary")
    assert _apply(node, _pod("says-hello", ["echo", "hello"]), "canary") == ""
    path = "/api/v1/namespaces/canary/pods/says-hello"
    wait_until(
        lambda: (node.plane.read(path) or {})["status"]["phase"] == "Succeeded",
        "the pod's end",
        PATIENCE,
    )
    assert node.plane.kubectl("logs", "-n", "canary", "says-hello").stdout == "hello\n"


def test_a_restricted_namespace_turns_away_a_pod_that_might_be_root(node: Node) -> None:
    _namespace(node, "canary-restricted", RESTRICTED)
    answer = _apply(node, _pod("root", ["id"]), "canary-restricted")
    assert 'violates PodSecurity "restricted:latest"' in answer
