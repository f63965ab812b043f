"""The examples for builders on a real API server: strict fields, and the pod security they claim.

Objects of Tekton and of GitHub's runners are checked against the real CRDs of these projects.
"""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import ControlPlane, ControlPlaneUnavailable
from support.examples import BUILDERS, as_yaml, objects, pod_specs, shell_scripts
from support.foreign_crds import crd_folder

pytestmark = pytest.mark.cluster

FILES = sorted(BUILDERS.glob("*.yaml"))
LEVELS = dict.fromkeys((path.name for path in FILES), "restricted") | {
    "buildkit-job.yaml": "privileged",
    "kaniko-job.yaml": "baseline",
}
"""The strictest pod security that lets each file's pods in, as docs/how-to/builders.md says it."""
STRICTER = {"privileged": "baseline", "baseline": "restricted"}
DOCS = BUILDERS.parents[1] / "docs" / "how-to" / "builders.md"


def named(path: Path) -> str:
    return path.name


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    try:
        folder = crd_folder()
    except ControlPlaneUnavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.reason)
    control_plane.apply_crds(folder)
    return control_plane


@pytest.fixture(scope="module")
def namespaces(plane: ControlPlane) -> Iterator[dict[str, str]]:
    """For each level a namespace where it is enforced, and warned of in templates."""
    run = uuid.uuid4().hex[:8]
    made = {level: f"examples-{level}-{run}" for level in ("restricted", "baseline", "privileged")}
    for level, name in made.items():
        labels = {
            f"pod-security.kubernetes.io/{mode}{suffix}": value
            for mode in ("enforce", "warn")
            for suffix, value in (("", level), ("-version", "latest"))
        }
        metadata = {"name": name, "labels": labels}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        plane.kubectl("create", "-f", "-", input=json.dumps(body))
    yield made
    plane.kubectl("delete", "namespace", *made.values(), "--wait=false")


def apply_strictly(plane: ControlPlane, text: str) -> "subprocess.CompletedProcess[str]":
    return plane.kubectl("apply", "--validate=strict", "-f", "-", input=text, check=False)


def create_pods(
    plane: ControlPlane, namespace: str, path: Path
) -> "subprocess.CompletedProcess[str]":
    """Ask for the pods themselves: only they meet what is enforced, templates are warned of."""
    specs = pod_specs(objects(path))
    assert specs
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{n}"}, "spec": spec}
        for n, spec in enumerate(specs)
    ]
    return plane.kubectl(
        "create", "-n", namespace, "--dry-run=server", "--validate=strict", "-f", "-",
        input=as_yaml(pods), check=False,
    )  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=named)
def test_an_example_is_applied_without_a_warning(
    plane: ControlPlane, namespaces: dict[str, str], path: Path
) -> None:
    text = as_yaml(objects(path, namespaces[LEVELS[path.name]]))

    applied = apply_strictly(plane, text)

    assert (applied.returncode, applied.stderr) == (0, "")


@pytest.mark.parametrize("path", FILES, ids=named)
def test_its_pods_are_let_in_by_the_pod_security_it_claims(
    plane: ControlPlane, namespaces: dict[str, str], path: Path
) -> None:
    level = LEVELS[path.name]
    assert create_pods(plane, namespaces[level], path).returncode == 0
    if level in STRICTER:
        said = create_pods(plane, namespaces[STRICTER[level]], path).stderr
        assert f'violates PodSecurity "{STRICTER[level]}:latest"' in said


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        ("uv-job.yaml", "secretName", "secret_name", "spec.template.spec.volumes[0].secret."),
        ("uv-job.yaml", "drop", "dropped", "spec.template.spec.containers[0].securityContext."),
        ("tekton.yaml", "computeResources", "resources", "spec.steps[0].resources"),
        ("tekton.yaml", "automountServiceAccountToken", "automount", "spec.podTemplate.automount"),
        ("github-runner-values.yaml", "mountPath", "path", "spec.template.spec.containers[0]."),
        ("github-runner-values.yaml", "minRunners", "runners", "spec.runners"),
    ],
)
def test_a_wrong_field_would_be_noticed(
    plane: ControlPlane, namespaces: dict[str, str], file: str, right: str, wrong: str, said: str
) -> None:
    text = as_yaml(objects(BUILDERS / file, namespaces["restricted"]))
    assert f" {right}:" in text
    spoilt = text.replace(f" {right}:", f" {wrong}:").replace("name: uv-build", "name: spoilt")

    result = apply_strictly(plane, spoilt)

    assert result.returncode != 0
    assert f'unknown field "{said}' in result.stderr


def test_a_missing_line_of_the_security_context_would_be_noticed(
    plane: ControlPlane, namespaces: dict[str, str]
) -> None:
    text = as_yaml(objects(BUILDERS / "uv-job.yaml", namespaces["restricted"]))
    spoilt = text.replace("- ALL", "- CHOWN").replace("name: uv-build", "name: spoilt")

    assert "unrestricted capabilities" in apply_strictly(plane, spoilt).stderr


@pytest.mark.parametrize("path", FILES, ids=named)
def test_its_shell_scripts_can_be_parsed(path: Path) -> None:
    for script in shell_scripts(objects(path)):
        parsed = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True)
        assert (parsed.returncode, parsed.stderr) == (0, ""), script


@pytest.mark.parametrize("path", FILES, ids=named)
def test_its_files_stay_fresh_and_its_containers_are_bounded(path: Path) -> None:
    for spec in pod_specs(objects(path)):
        assert spec["automountServiceAccountToken"] is False
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container["imagePullPolicy"] == "IfNotPresent"
            assert not container["image"].endswith(":latest") and ":" in container["image"]
            assert {"requests", "limits"} <= set(container["resources"])
            mounts: list[dict[str, Any]] = container["volumeMounts"]
            assert not any("subPath" in mount for mount in mounts)
            assert {mount["name"] for mount in mounts} <= {each["name"] for each in spec["volumes"]}
        for volume in spec["volumes"]:
            source = volume.get("secret", volume.get("configMap", {}))
            assert not source.get("optional", False)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_the_page_about_builders_names_it_with_its_pod_security(path: Path) -> None:
    rows = [row for row in DOCS.read_text().splitlines() if f"[`{path.name}`]" in row]
    assert len(rows) == 1
    assert f"| `{LEVELS[path.name]}` |" in rows[0]
