"""The examples for builders on a real API server: strict fields, and restricted pod security."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import ControlPlane
from support.examples import BUILDERS, documents, pod_specs, shell_scripts, text_for

pytestmark = pytest.mark.cluster

FILES = sorted(BUILDERS.glob("*.yaml"))
RESTRICTED = "restricted"


def named(path: Path) -> str:
    return path.name


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace where the strictest pod security is enforced, and warned of in templates."""
    name = f"examples-{uuid.uuid4().hex[:8]}"
    labels = {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "warn")
        for suffix, value in (("", RESTRICTED), ("-version", "latest"))
    }
    body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }
    control_plane.kubectl("create", "-f", "-", input=json.dumps(body))
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


def apply_strictly(plane: ControlPlane, text: str) -> "subprocess.CompletedProcess[str]":
    return plane.kubectl("apply", "--validate=strict", "-f", "-", input=text, check=False)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_an_example_is_applied_without_a_warning(
    control_plane: ControlPlane, namespace: str, path: Path
) -> None:
    applied = apply_strictly(control_plane, text_for(path, namespace))

    assert (applied.returncode, applied.stderr) == (0, "")


@pytest.mark.parametrize("path", FILES, ids=named)
def test_its_pods_are_admitted_where_restricted_is_enforced(
    control_plane: ControlPlane, namespace: str, path: Path
) -> None:
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{n}"}, "spec": spec}
        for n, spec in enumerate(pod_specs(documents(path)))
    ]
    assert pods
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})
    control_plane.kubectl(
        "create", "-n", namespace, "--dry-run=server", "--validate=strict", "-f", "-", input=body
    )


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("secretName: ", "secret_name: ", 'unknown field "spec.template.spec.volumes[0].secret'),
        ("drop: [ALL]", "drop: []", "unrestricted capabilities"),
    ],
)
def test_a_wrong_example_would_be_noticed(
    control_plane: ControlPlane, namespace: str, right: str, wrong: str, said: str
) -> None:
    text = text_for(BUILDERS / "uv-job.yaml", namespace)
    assert right in text
    renamed = text.replace("name: uv-build", "name: wrong").replace(right, wrong)

    assert said in apply_strictly(control_plane, renamed).stderr


@pytest.mark.parametrize("path", FILES, ids=named)
def test_its_shell_scripts_can_be_parsed(path: Path) -> None:
    for script in shell_scripts(documents(path)):
        parsed = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True)
        assert (parsed.returncode, parsed.stderr) == (0, ""), script


@pytest.mark.parametrize("path", FILES, ids=named)
def test_its_files_stay_fresh_and_its_pods_are_bounded(path: Path) -> None:
    for spec in pod_specs(documents(path)):
        containers = [*spec["containers"], *spec.get("initContainers", [])]
        for container in containers:
            assert container["imagePullPolicy"] == "IfNotPresent"
            assert not container["image"].endswith(":latest") and ":" in container["image"]
            assert {"requests", "limits"} <= set(container["resources"])
            mounts: list[dict[str, Any]] = container.get("volumeMounts", [])
            assert not any("subPath" in mount for mount in mounts)
        for volume in spec["volumes"]:
            source = volume.get("secret", volume.get("configMap", {}))
            assert not source.get("optional", False)
