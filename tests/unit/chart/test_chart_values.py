"""Which values the chart rejects, and which it accepts."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import CHART, HELM_VERSIONS, RELEASE, render, run_helm
from support.chart_goldens import golden_values
from support.operator_process import OPERATOR_NAMESPACE

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]

VERSIONS = sorted(HELM_VERSIONS)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"replicas": 2}, "replicas"),
    ({"watchNamespace": ["team-a"]}, "watchNamespace"),
    ({"image": {"repositry": "x"}}, "repositry"),
    ({"image": {"repository": ""}}, "image/repository"),
    ({"image": {"digest": "sha256:short"}}, "image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "image/pullPolicy"),
    ({"crds": {"keep": "yes"}}, "crds/keep"),
    ({"watchNamespaces": "team-a"}, "watchNamespaces"),
    ({"watchNamespaces": ["Team A"]}, "watchNamespaces/0"),
    ({"settings": {"relistIntervall": "10m"}}, "relistIntervall"),
    ({"settings": {"relistInterval": "10 minutes"}}, "settings/relistInterval"),
    ({"settings": {"relistInterval": 600}}, "settings/relistInterval"),
    ({"settings": {"workers": 0}}, "settings/workers"),
    ({"settings": {"workers": "16"}}, "settings/workers"),
    ({"settings": {"healthPort": 70000}}, "settings/healthPort"),
    ({"settings": {"healthPort": 0}}, "settings/healthPort"),
    ({"settings": {"logFormat": "xml"}}, "settings/logFormat"),
    ({"settings": {"googleTokenUrl": "oauth2.googleapis.com"}}, "settings/googleTokenUrl"),
    ({"settings": {"operatorIdentityNamespaces": ["*"]}}, "operatorIdentityNamespaces/0"),
    ({"settings": {"operatorIdentityNamespaces": ["a=b,c=d"]}}, "operatorIdentityNamespaces/0"),
    ({"settings": {"allowedHosts": ["https://example.com"]}}, "allowedHosts/0"),
    ({"settings": {"namespaces": ["team-a"]}}, "namespaces"),
    ({"serviceAccountTokens": {"mode": "Some"}}, "serviceAccountTokens/mode"),
    ({"serviceAccountTokens": {"listed": ["builder"]}}, "serviceAccountTokens/listed"),
    ({"serviceAccountTokens": {"listed": {"builders": "builder"}}}, "listed/builders"),
    ({"serviceAccountTokens": {"listed": {"Team A": ["builder"]}}}, "serviceAccountTokens/listed"),
    ({"serviceAccount": {"annotations": {"a": 1}}}, "serviceAccount/annotations/a"),
    ({"podSecurityContext": {"privileged": True}}, "privileged"),
    ({"podSecurityContext": {"runAsUser": "nobody"}}, "podSecurityContext/runAsUser"),
    ({"resources": {"limit": {"memory": "1Gi"}}}, "limit"),
    ({"tolerations": [{"key": "a", "operator": "Maybe"}]}, "tolerations/0/operator"),
    ({"affinity": {"podAffinty": {}}}, "podAffinty"),
    ({"extraEnv": [{"value": "nameless"}]}, "extraEnv/0"),
    ({"extraEnv": [{"name": "A", "valueFrom": {"secretRef": {}}}]}, "secretRef"),
    ({"extraVolumes": [{"name": "host", "hostPath": {"path": "/"}}]}, "hostPath"),
    ({"networkPolicy": {"ports": ["https"]}}, "networkPolicy/ports/0"),
    ({"podMonitor": {"interval": "often"}}, "podMonitor/interval"),
    ({"prometheusRule": {"runbookUrl": ""}}, "prometheusRule/runbookUrl"),
    ({"grafanaDashboard": {"label": {"grafana": "1"}}}, "label"),
    ({"livenessProbe": {"periodSeconds": 0}}, "livenessProbe/periodSeconds"),
    ({"proxy": {"httpProxy": "http://proxy"}}, "httpProxy"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("values", "named"), REFUSED, ids=[json.dumps(v) for v, _ in REFUSED])
def test_it_refuses_what_is_not_meant_and_says_where(
    values: dict[str, Any], named: str, version: str
) -> None:
    said = refusal(values, version)
    assert "don't meet the specifications of the schema" in said
    assert named in said


def test_no_object_of_the_schema_is_open() -> None:
    """But `global`, which is whatever a parent chart has in it."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    schema["properties"].pop("global")
    assert list(open_objects(schema, "")) == []


def open_objects(schema: Any, path: str) -> Iterator[str]:
    """Where the schema has an object that takes any key with any value."""
    if isinstance(schema, list):
        for number, one in enumerate(schema):
            yield from open_objects(one, f"{path}/{number}")
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties", True) is True:
            yield path
        for key, value in schema.items():
            yield from open_objects(value, f"{path}/{key}")


def test_two_bundles_of_authorities_are_refused() -> None:
    both = {"caBundle": {"configMap": "one", "secret": "two"}}
    assert "caBundle: set configMap or secret, not both" in refusal(both)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_symbolic_links_it_says_what_is_missing(tmp_path: Path, version: str) -> None:
    copy = tmp_path / CHART.name
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("crds"))
    (copy / "files" / "crds").write_text("../../../crds\n")
    said = refusal({}, version, copy)
    assert "files/crds is empty" in said


def refusal(values: dict[str, Any], version: str = VERSIONS[0], chart: Path = CHART) -> str:
    """What Helm says of values that it refuses; fails where it takes them."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_helm("template", RELEASE, chart, version=version, values=values)
    said: str = refused.value.stderr
    return said


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", golden_values().values(), ids=golden_values())
def test_helm_lint_finds_nothing(path: Path, version: str) -> None:
    run_helm("lint", "--strict", CHART, "--values", path, version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_package_holds_the_definitions_and_renders_the_same(tmp_path: Path, version: str) -> None:
    run_helm("package", CHART, "--destination", tmp_path, version=version, home=tmp_path)
    (package,) = tmp_path.glob("*.tgz")
    crds = [manifest for manifest in render() if manifest["kind"] == "CustomResourceDefinition"]
    assert len(crds) == 2
    answer = run_helm(
        "template", RELEASE, package, "--namespace", OPERATOR_NAMESPACE, "--no-hooks",
        version=version,
    )  # fmt: skip
    assert [item for item in yaml.safe_load_all(answer.stdout) if item] == render()


@pytest.mark.parametrize("version", VERSIONS)
def test_it_can_be_a_part_of_another_chart(tmp_path: Path, version: str) -> None:
    """Helm adds `global` to a part's values, and a parent's `condition` a key."""
    parent = tmp_path / "parent"
    shutil.copytree(CHART, parent / "charts" / CHART.name)
    dependency = {"name": CHART.name, "version": "*", "condition": f"{CHART.name}.enabled"}
    described = {"apiVersion": "v2", "name": "parent", "version": "1.0.0"}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(described | {"dependencies": [dependency]}))
    values = {"global": {"team": "platform"}, CHART.name: {"enabled": True}}
    answer = run_helm("template", "all", parent, version=version, values=values)
    kinds = [item["kind"] for item in yaml.safe_load_all(answer.stdout) if item]
    assert "Deployment" in kinds


def test_the_definitions_are_those_of_the_repository() -> None:
    for manifest in render({"crds": {"keep": False}}):
        if manifest["kind"] == "CustomResourceDefinition":
            del manifest["metadata"]["labels"]
            plural, _, group = manifest["metadata"]["name"].partition(".")
            source = CHART.parents[1] / "crds" / f"{group}_{plural}.yaml"
            assert manifest == yaml.safe_load(source.read_text())


def test_kept_definitions_say_so_to_helm() -> None:
    crds = [manifest for manifest in render() if manifest["kind"] == "CustomResourceDefinition"]
    assert [crd["metadata"]["annotations"]["helm.sh/resource-policy"] for crd in crds] == [
        "keep",
        "keep",
    ]
    assert not [manifest for manifest in render({"crds": {"enabled": False}}) if manifest in crds]
