"""The notes that Helm prints after an install: their manifests, and the defaults they name."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from artifact_index.api.constants import API_VERSION
from artifact_index.crdgen.crd import root_schema
from artifact_index.crdgen.kinds import KINDS
from support.chart import CHART, RELEASE, next_steps, run_helm, with_image
from support.chart_goldens import golden_values
from support.operator_process import OPERATOR_NAMESPACE

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]


def notes(values: dict[str, Any]) -> str:
    """What `helm install` prints, without a cluster."""
    answer = run_helm(
        "install", RELEASE, CHART, "--namespace", OPERATOR_NAMESPACE, "--dry-run=client",
        "--hide-notes=false", values=with_image(values),
    )  # fmt: skip
    return answer.stdout.partition("NOTES:\n")[2]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "watchNamespaces is empty: the operator may read and write every Secret"),
        ({}, "serviceAccountTokens.mode is None: auth.serviceAccountRef is refused"),
        ({}, "settings.operatorIdentityNamespaces is empty: auth.operatorIdentity is refused"),
        ({}, "settings.allowedHosts is empty"),
        ({}, "networkPolicy.enabled is false"),
        ({}, "nothing scrapes /metrics"),
        ({"watchNamespaces": ["a"]}, "namespace a has consent to the operator's identity"),
        ({"watchNamespaces": ["a"]}, "kubectl apply --namespace a -f -"),
        ({"serviceAccountTokens": {"mode": "Listed"}}, "serviceAccountTokens.listed is empty"),
        ({"serviceAccountTokens": {"mode": "All"}}, "can act as every ServiceAccount"),
        ({"settings": {"allowHttp": True}}, "WARNING: settings.allowHttp is true"),
        ({"crds": {"enabled": False}}, "WARNING: crds.enabled is false"),
        ({"rbac": {"create": False}}, "WARNING: rbac.create is false"),
    ],
)
def test_the_notes_tell_what_was_left_off(values: dict[str, Any], said: str) -> None:
    assert said in notes(values)


def test_the_notes_of_a_narrow_installation_warn_of_nothing() -> None:
    text = notes(yaml.safe_load(golden_values()["locked-down"].read_text()))
    assert "WARNING" not in text
    assert text.rstrip().endswith("nothing scrapes /metrics.")


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": ["a"]}])
def test_the_notes_apply_manifests_that_the_api_server_accepts(values: dict[str, Any]) -> None:
    commands = next_steps(notes(values))
    only_apply = 'kubectl() { if test "$1" = apply; then cat; fi; }\n'
    shell = subprocess.run(
        ["/bin/bash"], input=only_apply + commands, capture_output=True, text=True, check=True
    )
    applied = list(yaml.safe_load_all(shell.stdout))

    assert [manifest["kind"] for manifest in applied] == ["ArtifactIndex", "IndexOptions"]
    assert [fault for manifest in applied for fault in schema_faults(manifest)] == []
    assert shell.stderr == ""


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        ({}, "spec is required"),
        ({"spec": []}, "spec must be of type object"),
        ({"spec": {"outputs": [{"kind": "Secret"}]}}, "spec.outputs[0].name is required"),
        ({"spec": {"selector": {}}}, "spec.selector is unknown"),
    ],
)
def test_the_check_of_manifests_finds_faults(manifest: dict[str, Any], fault: str) -> None:
    head = {"apiVersion": API_VERSION, "kind": "IndexOptions", "metadata": {"name": "x"}}
    assert schema_faults(head | manifest) == [fault]


def schema_faults(manifest: dict[str, Any]) -> list[str]:
    """Where a manifest breaks the structure of its CRD: types, required and unknown fields."""
    (kind,) = (kind for kind in KINDS if kind.kind == manifest["kind"])
    return list(_faults(manifest, root_schema(kind), ""))


def _faults(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    if "type" in schema and not isinstance(value, types[schema["type"]]):
        yield f"{path} must be of type {schema['type']}"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _faults(item, schema["items"], f"{path}[{number}]")
    elif isinstance(value, dict) and "properties" in schema:
        prefix = f"{path}." if path else ""
        for name in schema.get("required", []):
            if name not in value:
                yield f"{prefix}{name} is required"
        for name, field in value.items():
            if name not in schema["properties"]:
                yield f"{prefix}{name} is unknown"
            else:
                yield from _faults(field, schema["properties"][name], f"{prefix}{name}")
