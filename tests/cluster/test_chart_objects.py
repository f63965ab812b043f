"""What the chart makes is valid: field by field, and under the restricted Pod Security Standard."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import render
from support.chart_goldens import golden_values
from support.control_plane import ControlPlane, ControlPlaneUnavailable
from support.foreign_crds import crd_folder

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("helm")]

RESTRICTED = "chart-restricted"


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """With a namespace that enforces the standard, and the definitions of monitors and rules."""
    try:
        definitions = list(crd_folder().glob("monitoring.coreos.com_*.yaml"))
    except ControlPlaneUnavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.reason)
    monitors = tmp_path_factory.mktemp("monitors")
    for definition in definitions:
        shutil.copy(definition, monitors)
    assert len(control_plane.apply_crds(monitors)) == 3
    modes = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    metadata = {"name": RESTRICTED, "labels": modes}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    control_plane.kubectl("apply", "-f", "-", input=yaml.safe_dump(namespace))
    return control_plane


def values_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def dry_run(plane: ControlPlane, *objects: Mapping[str, Any]) -> str:
    """Have the API server check objects strictly; returns its warnings."""
    answer = plane.kubectl(
        # Under kubectl's own name it warns of what other tests have applied before.
        "apply", "--server-side", "--field-manager=chart-check", "--force-conflicts",
        "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(objects),
    )  # fmt: skip
    return answer.stderr


@pytest.mark.parametrize("path", golden_values().values(), ids=golden_values())
def test_the_api_server_takes_every_object_and_its_pods_pass_the_restricted_standard(
    plane: ControlPlane, path: Path
) -> None:
    objects = render(values_of(path), namespace=RESTRICTED, hooks=True)
    for item in objects:
        if "namespace" in item["metadata"]:
            # Nothing is stored: what belongs to other namespaces is checked in this one as well.
            item["metadata"]["namespace"] = RESTRICTED
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    assert "Pod" in {item["kind"] for item in objects}
    # Of a Deployment the API server only warns, and refuses its pods later: both are asked here.
    assert dry_run(plane, *objects, operator_pod(deployment)) == ""


def test_an_unknown_field_in_an_object_would_be_noticed(plane: ControlPlane) -> None:
    objects = render({"podMonitor": {"enabled": True}})
    monitor = next(item for item in objects if item["kind"] == "PodMonitor")
    monitor["metadata"]["namespace"] = RESTRICTED
    monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = "30s"
    answer = plane.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-f", "-",
        input=yaml.safe_dump(monitor), check=False,
    )  # fmt: skip
    assert "intervall" in answer.stderr


def test_a_pod_beyond_the_standard_would_be_refused(plane: ControlPlane) -> None:
    objects = {manifest["kind"]: manifest for manifest in render(namespace=RESTRICTED)}
    pod = operator_pod(objects["Deployment"])
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        dry_run(plane, pod)
    assert 'violates PodSecurity "restricted:latest"' in refused.value.stderr


def operator_pod(deployment: dict[str, Any]) -> dict[str, Any]:
    """The pod that a Deployment would make."""
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "operator", "namespace": RESTRICTED}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
