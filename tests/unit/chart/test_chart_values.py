"""Which values the chart rejects, and which it accepts."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.chart.absent import NOT_HERE, answer

from artifact_index import __version__
from support.chart import (
    CHART,
    HELM_VERSIONS,
    IMAGE,
    RELEASE,
    render,
    run_helm,
    with_image,
)
from support.chart_goldens import golden_values
from support.operator_process import OPERATOR_NAMESPACE

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("helm")]

VERSIONS = sorted(HELM_VERSIONS)
HUB = {"name": "hub"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"replicas": 2}, "replicas"),
    ({"replicaCount": 0}, "replicaCount"),
    ({"replicaCount": "2"}, "replicaCount"),
    ({"leaderElection": {"leaseDuration": "15 seconds"}}, "leaderElection/leaseDuration"),
    ({"leaderElection": {"leaseDuraton": "15s"}}, "leaseDuraton"),
    ({"watchNamespace": ["team-a"]}, "watchNamespace"),
    ({"image": {"repositry": "x"}}, "repositry"),
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
    ({"prometheusRule": {"runbookUrl": "https://h/it's"}}, "prometheusRule/runbookUrl"),
    ({"prometheusRule": {"runbookUrl": "https://h/{{ $x }}"}}, "prometheusRule/runbookUrl"),
    ({"grafanaDashboard": {"label": {"grafana": "1"}}}, "label"),
    ({"livenessProbe": {"periodSeconds": 0}}, "livenessProbe/periodSeconds"),
    ({"proxy": {"httpProxy": "http://proxy"}}, "httpProxy"),
    ({"resources": {"limits": {"memory": "abc"}}}, "resources/limits/memory"),
    ({"dnsPolicy": "Often"}, "dnsPolicy"),
    ({"global": {"imagePullSecrets": [{"nmae": "hub"}]}}, "global/imagePullSecrets/0"),
    ({"extraObjects": [{"kind": "Secret", "metadata": {"name": "x"}}]}, "apiVersion"),
    ({"podMonitor": {"metricRelabelings": [{"action": "rename"}]}}, "metricRelabelings/0/action"),
]


def packs() -> list[dict[str, Any]]:
    """The refused values, in as few documents as show each of them by itself: Helm names all that
    is wrong with one, and is most of what a test costs.
    """
    found: list[tuple[dict[str, Any], list[str]]] = []
    for values, named in REFUSED:
        for together, names in found:
            alike = any(named in name or name in named for name in names)
            if not alike and not together.keys() & values.keys():
                break
        else:
            found.append(({}, []))
            together, names = found[-1]
        together |= values
        names.append(named)
    return [together for together, _ in found]


@pytest.fixture(scope="module", params=VERSIONS)
def refusals(request: pytest.FixtureRequest) -> list[tuple[dict[str, Any], str]]:
    """What a Helm says of each of the packs."""
    return [(values, refusal(values, request.param)) for values in packs()]


@pytest.mark.parametrize(("values", "named"), REFUSED, ids=[json.dumps(v) for v, _ in REFUSED])
def test_it_refuses_what_is_not_meant_and_says_where(
    values: dict[str, Any], named: str, refusals: list[tuple[dict[str, Any], str]]
) -> None:
    ((key, wrong),) = values.items()
    [said] = [said for together, said in refusals if together.get(key) is wrong]
    assert "don't meet the specifications of the schema" in said
    assert [line for line in said.splitlines() if key in line and named in line] != []


def test_no_object_of_the_schema_is_open() -> None:
    """But `global`, which a parent chart fills, and additional objects, of any kind."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    for name in ("Global", "AnyObject", "ObjectMetadata"):
        schema["definitions"].pop(name)
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


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_other_charts_have_is_answered(version: str) -> None:
    values: dict[str, Any] = {}
    for path in NOT_HERE:
        *groups, key = path.split(".")
        group = values
        for name in groups:
            group = group.setdefault(name, {})
        group[key] = "wanted"
    said = refusal(values, version)
    assert [path for path in NOT_HERE if f"must be '{answer(path)}'" not in said] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_without_an_image_it_says_how_to_get_one(version: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_helm("template", RELEASE, CHART, version=version)
    assert "image.repository is empty: no image of the operator is published yet" in (
        refused.value.stderr
    )
    assert f"docker push {IMAGE}:" in refused.value.stderr
    assert f"--set image.repository={IMAGE}" in refused.value.stderr


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({"image": {"repository": "reg.test/a/b"}}, f"reg.test/a/b:{__version__}"),
        (
            {"image": {"repository": "a/b", "registry": "reg.example/"}},
            f"reg.example/a/b:{__version__}",
        ),
        ({"image": {"repository": "old:5000/b", "registry": "new"}}, f"new/b:{__version__}"),
        ({"image": {"repository": "localhost/b", "registry": "new"}}, f"new/b:{__version__}"),
        (
            {"image": {"repository": "a/b", "registry": "r"}, "global": {"imageRegistry": "g/hub"}},
            f"g/hub/a/b:{__version__}",
        ),
        ({"image": {"digest": f"sha256:{'0' * 64}"}}, f"{IMAGE}@sha256:{'0' * 64}"),
        ({"image": {"tag": "1", "digest": f"sha256:{'0' * 64}"}}, f"{IMAGE}:1@sha256:{'0' * 64}"),
    ],
)
def test_a_registry_that_is_set_replaces_the_repositorys(
    values: dict[str, Any], image: str
) -> None:
    images = {
        container["image"]
        for item in render(values, hooks=True)
        for container in pod_of(item).get("containers", [])
    }
    assert images == {image}


def pod_of(item: dict[str, Any]) -> dict[str, Any]:
    """The pod spec of a Pod or Deployment, else nothing."""
    spec = item.get("spec", {})
    found: dict[str, Any] = spec.get("template", {}).get("spec", spec)
    return found


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ARTIFACT_INDEX_HEALTH_PORT", "settings.healthPort"),
        ("ARTIFACT_INDEX_NAMESPACES", "watchNamespaces"),
        ("ARTIFACT_INDEX_OPERATOR_NAMESPACE", "settings.operatorNamespace"),
        ("ARTIFACT_INDEX_ALLOW_HTTP", "settings.allowHttp"),
        ("ARTIFACT_INDEX_LEADER_ELECT", "leaderElection.enabled"),
    ],
)
def test_a_variable_is_refused_where_more_than_a_flag_follows(variable: str, value: str) -> None:
    said = refusal({"extraEnv": [{"name": variable, "value": "1"}]})
    assert f"extraEnv: set {value} instead" in said


def test_two_bundles_of_authorities_are_refused() -> None:
    both = {"caBundle": {"configMap": "one", "secret": "two"}}
    assert "caBundle: set configMap or secret, not both" in refusal(both)


def test_no_file_of_the_chart_is_a_link() -> None:
    """Flux leaves links out of a GitRepository, and a checkout may have none."""
    assert [path for path in CHART.rglob("*") if path.is_symlink()] == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"settings": None}, "settings is null"),
        ({"crds": {"keep": None}}, "crds.keep is null"),
        ({"networkPolicy": None}, "networkPolicy is null"),
        ({"livenessProbe": None}, "livenessProbe is null"),
        ({"replicaCount": None}, "replicaCount is null"),
        ({"leaderElection": {"enabled": None}}, "leaderElection.enabled is null"),
        (
            {"prometheusRule": {"enabled": True, "runbookUrl": None}},
            "prometheusRule.runbookUrl is null",
        ),
    ],
)
def test_a_line_without_a_value_is_named(values: dict[str, Any], named: str) -> None:
    assert f"{named}: remove the line, or give it a value" in refusal(values)


def test_a_name_of_digits_stays_a_text() -> None:
    """A namespace, a release and a ServiceAccount may be called so."""
    text = "12345"
    values = {
        "fullnameOverride": text,
        "nameOverride": text,
        "serviceAccount": {"name": text},
        "watchNamespaces": [text, "54321"],
        "serviceAccountTokens": {"mode": "Listed", "listed": {"54321": [text]}},
        "priorityClassName": text,
        "imagePullSecrets": [{"name": text}],
        "caBundle": {"secret": text},
        "global": {"imagePullSecrets": [text]},
        "networkPolicy": {"enabled": True},
        "podDisruptionBudget": {"enabled": True},
        "grafanaDashboard": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "podMonitor": {"enabled": True, "namespace": text, "jobLabel": text},
        "serviceMonitor": {"enabled": True, "namespace": text, "jobLabel": text},
    }
    found = render(values, namespace=text, release=text, hooks=True)
    assert {12345, 54321, None} & set(leaves(found)) == set()


def leaves(part: Any) -> Iterator[Any]:
    """All scalars in a document."""
    if isinstance(part, (dict, list)):
        for each in part.values() if isinstance(part, dict) else part:
            yield from leaves(each)
    else:
        yield part


def refusal(values: dict[str, Any], version: str = VERSIONS[0]) -> str:
    """What Helm says of values that it refuses; fails where it takes them."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_helm("template", RELEASE, CHART, version=version, values=with_image(values))
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
    assert len(crds) == 4
    answer = run_helm(
        "template", RELEASE, package, "--namespace", OPERATOR_NAMESPACE, "--no-hooks",
        version=version, values=with_image(),
    )  # fmt: skip
    assert [item for item in yaml.safe_load_all(answer.stdout) if item] == render()


@pytest.mark.parametrize("version", VERSIONS)
def test_it_can_be_a_part_of_another_chart(tmp_path: Path, version: str) -> None:
    """Helm adds `global` to a part's values, which counts, and a parent's `condition` a key."""
    parent = tmp_path / "parent"
    shutil.copytree(CHART, parent / "charts" / CHART.name)
    dependency = {"name": CHART.name, "version": "*", "condition": f"{CHART.name}.enabled"}
    described = {"apiVersion": "v2", "name": "parent", "version": "1.0.0"}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(described | {"dependencies": [dependency]}))
    shared = {"team": "platform", "imageRegistry": "mirror", "imagePullSecrets": ["hub"]}
    own = {"enabled": True, "image": {"repository": "reg.example/b"}, "imagePullSecrets": [HUB]}
    answer = run_helm(
        "template", "all", parent, version=version, values={"global": shared, CHART.name: own}
    )
    found = [pod_of(item) for item in yaml.safe_load_all(answer.stdout) if item]
    pods = [pod for pod in found if "containers" in pod]
    assert len(pods) == 2
    for pod in pods:
        assert pod["imagePullSecrets"] == [HUB]
        assert pod["containers"][0]["image"] == f"mirror/b:{__version__}"


def test_null_is_the_same_as_an_empty_value() -> None:
    """Whoever has a value of a parent or an earlier file deletes it by null."""
    values: dict[str, Any] = {}
    for key, value in yaml.safe_load((CHART / "values.yaml").read_text()).items():
        if value in ({}, [], ""):
            values[key] = None
        elif key not in ("image", "settings") and isinstance(value, dict):
            values[key] = {name: None for name, part in value.items() if part in ({}, [], "")}
    values["global"] = None
    assert {"commonLabels", "extraEnv", "watchNamespaces"} <= set(values)
    assert render(values, hooks=True) == render(hooks=True)


def test_the_definitions_are_those_of_the_repository() -> None:
    for manifest in render({"crds": {"keep": False}}):
        if manifest["kind"] == "CustomResourceDefinition":
            del manifest["metadata"]["labels"]
            plural, _, group = manifest["metadata"]["name"].partition(".")
            source = CHART.parents[1] / "crds" / f"{group}_{plural}.yaml"
            assert manifest == yaml.safe_load(source.read_text())


def test_kept_definitions_say_so_to_helm() -> None:
    crds = [manifest for manifest in render() if manifest["kind"] == "CustomResourceDefinition"]
    policies = [crd["metadata"]["annotations"]["helm.sh/resource-policy"] for crd in crds]
    assert policies == ["keep"] * 4
    assert not [manifest for manifest in render({"crds": {"enabled": False}}) if manifest in crds]
