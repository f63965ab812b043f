"""The GitOps set-ups on a real API server, with the real CRDs of Argo CD and Flux."""

import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index.api.reasons import Polarity, Reason
from artifact_index.crdgen.crd import root_schema
from artifact_index.crdgen.kinds import KINDS
from artifact_index.crdgen.reason_docs import REASONS
from artifact_index.reconcile.status.conditions import DesiredCondition, observed, readiness
from artifact_index.sources.policy import Problem
from support.argo_health import healths
from support.chart import render
from support.control_plane import ControlPlane
from support.examples import EXAMPLES, as_yaml
from support.foreign_crds import crd_folder
from support.operator_process import OperatorProcess
from support.world import World, artifact_index, index_options

pytestmark = pytest.mark.cluster

GITOPS = EXAMPLES / "gitops"
FILES = sorted([*GITOPS.glob("argocd/*.yaml"), *GITOPS.rglob("flux/**/*.yaml")])
OVERLAYS = sorted(GITOPS.glob("kustomize/overlays/*"))
KEY = "resource.customizations.health.artifactindex.dev_"


def named(path: Path) -> str:
    return str(path.relative_to(GITOPS))


def objects(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


@pytest.fixture(scope="module")
def plane(world: World) -> ControlPlane:
    world.plane.apply_crds(crd_folder())
    return world.plane


def apply_in_namespace_of_its_own(
    plane: ControlPlane, found: list[dict[str, Any]]
) -> "subprocess.CompletedProcess[str]":
    """kubectl apply, strictly validated; Namespaces only as a trial, under their own name."""
    name = f"gitops-{uuid.uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", name)
    for each in found:
        if each["kind"] == "Namespace":
            each["metadata"]["name"] = f"{name}-made"
        else:
            assert each["metadata"]["namespace"]
            each["metadata"]["namespace"] = name
    return plane.kubectl("apply", "--validate=strict", "-f", "-", input=as_yaml(found), check=False)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_set_up_is_applied_without_a_warning(plane: ControlPlane, path: Path) -> None:
    applied = apply_in_namespace_of_its_own(plane, objects(path))

    assert (applied.returncode, applied.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("argocd/applications.yaml", "valuesObject", "valueObject"),
        ("flux/sync.yaml", "dependsOn", "dependsUpon"),
        ("flux/operator/operator.yaml", "chartRef", "chartReference"),
        ("flux/operator/operator.yaml", "layerSelector", "layer"),
    ],
)
def test_a_wrong_field_would_be_noticed(
    plane: ControlPlane, file: str, right: str, wrong: str
) -> None:
    text = (GITOPS / file).read_text()
    assert f" {right}:" in text
    spoilt = list(yaml.safe_load_all(text.replace(f" {right}:", f" {wrong}:")))

    result = apply_in_namespace_of_its_own(plane, spoilt)

    assert result.returncode != 0
    assert re.search(rf'unknown field "spec\.[\w.]*{wrong}"', result.stderr)


def built(plane: ControlPlane, overlay: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(plane.kubectl("kustomize", str(overlay)).stdout))


@pytest.mark.parametrize("overlay", OVERLAYS, ids=named)
def test_an_overlay_is_built_and_applied_without_a_warning(
    plane: ControlPlane, overlay: Path
) -> None:
    applied = apply_in_namespace_of_its_own(plane, built(plane, overlay))

    assert (applied.returncode, applied.stderr) == (0, "")


def test_an_index_refers_to_the_secret_that_kustomize_named(plane: ControlPlane) -> None:
    found = {each["kind"]: each for each in built(plane, GITOPS / "kustomize/overlays/dev")}
    name = found["Secret"]["metadata"]["name"]

    assert name.startswith("acme-login-")
    assert found["ArtifactIndex"]["spec"]["basicAuth"]["secretRef"]["name"] == name
    assert found["Secret"]["metadata"]["labels"] == {"artifactindex.dev/role": "source"}


def references(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Kind and path of each field of a schema that names another object."""
    for name, field in schema.get("properties", {}).items():
        if name.endswith(("secretRef", "SecretRef")):
            yield "Secret", f"{path}/{name}/name"
        elif name.endswith("serviceAccountRef"):
            yield "ServiceAccount", f"{path}/{name}/name"
        else:
            yield from references(field, f"{path}/{name}")


def test_kustomize_is_told_of_every_reference() -> None:
    told = yaml.safe_load((GITOPS / "kustomize/base/references.yaml").read_text())["nameReference"]
    listed = {(item["kind"], spec["path"]) for item in told for spec in item["fieldSpecs"]}
    (kind,) = (each for each in KINDS if each.kind == "ArtifactIndex")

    assert listed == set(references(root_schema(kind)["properties"]["spec"], "spec"))


def test_an_overlay_that_nothing_else_installs_brings_its_namespace(plane: ControlPlane) -> None:
    found = built(plane, GITOPS / "kustomize/overlays/dev")
    made = {each["metadata"]["name"] for each in found if each["kind"] == "Namespace"}

    assert {each["metadata"]["namespace"] for each in found if each["kind"] != "Namespace"} == made


def test_what_is_different_elsewhere_is_marked() -> None:
    """Names of the made-up company, and passwords; comments apart."""
    unmarked = [
        f"{named(path)}: {line.strip()}"
        for path in sorted(GITOPS.rglob("*.yaml"))
        for line in path.read_text().splitlines()
        if re.search(r"^[^#]*(acme\.example|REPLACE_ME|username=)", line)
        and not re.search(r"# yours\b", line)
    ]
    assert unmarked == []


def test_what_the_set_ups_point_at_is_there() -> None:
    found = [each for path in FILES for each in objects(path)]
    paths = [
        each["spec"].get("path") or each["spec"].get("source", {}).get("path")
        for each in found
        if each["kind"] in {"Kustomization", "Application"}
    ]
    assert len([item for item in paths if item]) == 3
    assert all((GITOPS / path).is_dir() for path in paths if path)


def test_the_chart_takes_the_values_of_the_set_ups() -> None:
    (application,) = (
        each
        for each in objects(GITOPS / "argocd/applications.yaml")
        if "chart" in each["spec"]["source"]
    )
    (release,) = (
        each
        for each in objects(GITOPS / "flux/operator/operator.yaml")
        if each["kind"] == "HelmRelease"
    )
    for values in (
        application["spec"]["source"]["helm"]["valuesObject"],
        release["spec"]["values"],
    ):
        assert values["image"]["repository"]
        kinds = {
            (manifest["kind"], manifest["metadata"].get("namespace")) for manifest in render(values)
        }
        assert ("Role", "builders") in kinds
        assert "ClusterRole" not in {kind for kind, _ in kinds}


# Argo CD's health


def test_all_kinds_have_the_same_script() -> None:
    """In full: a YAML anchor is lost where somebody takes one of the keys."""
    assert len({script(kind.kind) for kind in KINDS}) == 1
    assert "&" not in (GITOPS / "argocd/argocd-cm.yaml").read_text()


def script(kind: str) -> str:
    text: str = objects(GITOPS / "argocd/argocd-cm.yaml")[0]["data"][KEY + kind]
    return text


def seen(*findings: DesiredCondition, generation: int = 3, **spec: Any) -> dict[str, Any]:
    """An object whose status the operator's own code has made of these findings."""
    stood = observed(3, findings, previous={}, now=1e9)["conditions"]
    return {
        "metadata": {"generation": generation},
        "spec": spec,
        "status": {"observedGeneration": 3, "conditions": stood},
    }


def test_argo_cd_reads_every_reason_as_it_is_meant() -> None:
    expected: list[tuple[str, str]] = []
    asked: list[dict[str, Any]] = []
    for reason, doc in REASONS.items():
        if reason.polarity in (Polarity.RETRY, Polarity.ACT):
            for stalled in {reason.must_act, doc.stalled_after_seconds is not None}:
                problem = Problem(reason, "what to do", must_act=stalled)
                asked.append(seen(*readiness(problem, reason="", message="")))
                expected.append(("Degraded" if stalled else "Progressing", reason))
        elif doc.condition is not None:
            ready = readiness(None, reason="Available", message="served")
            note = DesiredCondition(doc.condition, "True", reason, "a note")
            asked.append(seen(*ready, note))
            expected.append(("Healthy", "Available"))
    assert {status for status, _ in expected} == {"Degraded", "Progressing", "Healthy"}

    answers = healths(script("ArtifactIndex"), asked)

    assert [
        (answer["status"], answer["message"].partition(":")[0]) for answer in answers
    ] == expected


def test_argo_cd_waits_for_the_operator_and_knows_what_is_suspended() -> None:
    never = {"metadata": {"generation": 1}, "spec": {}, "status": {"observedGeneration": -1}}
    changed = seen(*readiness(None, reason="Available", message="served"), generation=4)
    paused = seen(
        DesiredCondition("Ready", "True", "Suspended", "spec.suspend is true"), suspend=True
    )
    without_status = {"metadata": {"generation": 1}, "spec": {}}

    answers = healths(script("IndexOptions"), [never, without_status, changed, paused])

    waiting = ["Progressing"] * 3
    assert [answer["status"] for answer in answers] == [*waiting, "Suspended"]


def test_argo_cd_shows_a_failing_refresh_without_alarm() -> None:
    ready = readiness(None, reason="Available", message="Served.")
    failing = DesiredCondition("RefreshFailing", "True", "Unreachable", "No answer.")

    (answer,) = healths(script("ArtifactIndex"), [seen(*ready, failing)])

    assert answer["status"] == "Healthy"
    assert answer["message"] == "Available: Served. RefreshFailing: No answer."


def test_argo_cd_shows_the_conditions_as_degraded_that_the_script_is_told() -> None:
    text = script("ArtifactIndex")
    told = text.replace("local alarming = {}", "local alarming = { RefreshFailing = true }")
    assert told != text
    ready = readiness(None, reason="Available", message="Served.")
    waiting = readiness(Problem(Reason.CLOUD_UNAVAILABLE, "Wait."), reason="", message="")
    failing = DesiredCondition("RefreshFailing", "True", "Unreachable", "No answer.")
    noted = DesiredCondition("FreshnessNotGuaranteed", "True", "TooShort", "Short.")

    answers = healths(told, [seen(*ready, failing), seen(*ready, noted), seen(*waiting, failing)])

    assert [answer["status"] for answer in answers] == ["Degraded", "Healthy", "Progressing"]


def test_argo_cd_reads_what_the_operator_writes(world: World, operator: OperatorProcess) -> None:
    namespace = world.namespace("gitops-health")
    world.apply(
        artifact_index("here", name="here", anonymous={"url": "https://h.example/simple/"}),
        index_options("all"),
        index_options("none", indexSelector={"matchLabels": {"no": "such"}}),
        namespace=namespace,
    )
    world.wait_condition("indexoptions", namespace, "all", reason="Available")
    world.wait_condition("indexoptions", namespace, "none", reason="NoIndexes")
    world.wait_condition("artifactindex", namespace, "here", reason="Available")
    found = [
        world.get("artifactindex", namespace, "here"),
        world.get("indexoptions", namespace, "all"),
        world.get("indexoptions", namespace, "none"),
    ]

    answers = healths(script("IndexOptions"), [item for item in found if item])

    assert [answer["status"] for answer in answers] == ["Healthy", "Healthy", "Progressing"]
