"""`preflight` against an API server: what it finds, and how it ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifact_index import __version__
from artifact_index.cli import main
from artifact_index.cli.admin import own_process
from artifact_index.cli.reports import PreflightReport
from artifact_index.crdgen.crd import crd_documents
from support.emulator import OF_PEOPLE, Emulator
from support.emulator.kinds import Kind
from support.reconcile_builders import NAMESPACE, source

pytestmark = pytest.mark.emulated

HOME = "artifact-index-system"
NAME = "artifact-index-operator"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/version": __version__}
GKE = "projects/my-project/locations/europe-west1/clusters/main"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(more=OF_PEOPLE) as started:
        for body in crd_documents().values():
            if body["kind"] == "CustomResourceDefinition":
                started.create("customresourcedefinitions", body)
        yield started


def deploy(emulator: Emulator, *flags: str, namespace: str = HOME, **more: Any) -> None:
    """Create an operator's Deployment as the chart does."""
    containers = [{"name": "operator", "args": ["run", *flags]}]
    body = {
        "metadata": {"name": NAME, "namespace": namespace, "labels": LABELS},
        "spec": {
            "template": {
                "metadata": {"annotations": {"prometheus.io/scrape": "true"}},
                "spec": {"serviceAccountName": NAME, "containers": containers},
            }
        },
        "status": {"readyReplicas": 1},
    }
    emulator.create("deployments", {**body, **more})


VERDICTS = ("Good", "Unknown", "Warning", "Bad")


def found(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], *flags: str, status: int = 0
) -> dict[str, tuple[str, str]]:
    """The verdict and message of each check; of several the worst, and of those the last."""
    arguments = ("preflight", "--kubeconfig", str(emulator.kubeconfig()), *flags, "-o", "json")
    assert main(arguments) == status
    report = PreflightReport.model_validate_json(capsys.readouterr().out)
    assert all((each.next_step is None) == (each.verdict == "Good") for each in report.findings)
    worst_last = sorted(report.findings, key=lambda each: VERDICTS.index(each.verdict))
    return {each.check: (each.verdict, each.message) for each in worst_last}


def test_all_is_well(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    deploy(emulator)
    emulator.requests.clear()

    checks = found(emulator, capsys)

    assert {verdict for verdict, _ in checks.values()} == {"Good"}
    assert checks["permissions"][1].endswith("may do 20 of 20 things")
    assert checks["operator"][1].endswith("is ready and serves the whole cluster")
    assert not emulator.requests.matching(("patch", "update", "delete"))
    reviews = emulator.requests.matching("create")
    assert {each.resource for each in reviews} == {"subjectaccessreviews"}
    assert reviews[0].body["spec"]["user"] == f"system:serviceaccount:{HOME}:{NAME}"


def test_the_text_ends_each_problem_with_a_command(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.delete("customresourcedefinitions", "", "indexoptions.artifactindex.dev")

    assert main(["preflight", "--kubeconfig", str(emulator.kubeconfig())]) == 1

    printed = capsys.readouterr().out
    assert "✓ Kubernetes v1.34.4 (1.29 or newer)\n" in printed
    assert (
        "✗ there is no definition indexoptions.artifactindex.dev → `artifact-index crds | kubectl "
        "apply --server-side -f -`\n"
    ) in printed
    assert "✗ there is no Deployment with the label" in printed


def test_missing_permissions_are_named_with_their_value(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.create_namespace("a")
    deploy(emulator, f"--namespace=a,{NAMESPACE}")
    emulator.denied.update({"patch secrets"})

    checks = found(emulator, capsys, status=1)

    # Two namespaces, and the Secret with the key in the operator's own.
    verdict, message = checks["permissions"]
    assert verdict == "Bad"
    assert "may not do 2 of 42 things: patch secrets in a, patch secrets in builders" in message


def test_an_operator_asks_for_its_own_permissions(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.requests.clear()
    checks = found(emulator, capsys, "--in-cluster", "--namespaces", f" {NAMESPACE} ,{NAMESPACE},")

    assert "operator" not in checks and checks["permissions"][0] == "Good"
    (kind,) = {each.resource for each in emulator.requests.matching("create")}
    assert kind == "selfsubjectaccessreviews"


@pytest.mark.parametrize(
    ("words", "namespaces"),
    [
        (
            ["/opt/bin/python", "/opt/bin/artifact-index", "run", "--namespace=a,b"],
            {"a", "b", HOME},
        ),
        (["python", "-m", "artifact_index", "run", "--namespace", "a"], {"a", HOME}),
        (["/opt/bin/artifact-index", "run"], {""}),
        (["/pause"], {""}),
        (None, {""}),
    ],
)
def test_an_operator_asks_for_the_namespaces_that_its_own_process_serves(
    words: list[str] | None,
    namespaces: set[str],
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`kubectl exec` runs the command beside it, without its arguments."""
    first_process = tmp_path / "cmdline"
    if words is not None:
        first_process.write_text("".join(f"{word}\0" for word in words))
    monkeypatch.setattr(own_process, "_FIRST_PROCESS", first_process)
    monkeypatch.setenv("ARTIFACT_INDEX_OPERATOR_NAMESPACE", HOME)
    emulator.requests.clear()

    found(emulator, capsys, "--in-cluster")

    asked = [
        each.body["spec"]["resourceAttributes"] for each in emulator.requests.matching("create")
    ]
    assert {each.get("namespace", "") for each in asked} == namespaces


@pytest.mark.parametrize(
    ("monitor", "verdict"),
    [("podmonitors", "Good"), ("servicemonitors", "Good"), (None, "Warning")],
)
def test_metrics_that_nobody_scrapes(
    monitor: str | None, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = tuple(
        Kind("monitoring.coreos.com", "v1", f"{kind.lower()}s", kind)
        for kind in ("PodMonitor", "ServiceMonitor")
    )
    with Emulator(more=OF_PEOPLE + kinds) as emulator:
        deploy(emulator)
        emulator.corrupt(
            "deployments", HOME, NAME, lambda body: body["spec"]["template"].pop("metadata")
        )
        metadata = {"name": NAME, "namespace": "monitoring", "labels": LABELS}
        if monitor is not None:
            emulator.create(monitor, {"metadata": metadata})
        said = found(emulator, capsys, status=1)["metrics"]
        emulator.fail("list", "podmonitors", 403, count=None)
        unknown = found(emulator, capsys, status=1)["metrics"]

    assert said[0] == verdict and unknown[0] == "Unknown"


@pytest.mark.parametrize(
    ("flags", "verdict"), [((), "Bad"), (("--namespace", "a"), "Bad"), (("--namespace=b",), "Good")]
)
def test_two_operators_of_one_namespace(
    flags: tuple[str, ...],
    verdict: str,
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(emulator, "--namespace", "a")
    deploy(emulator, *flags, namespace="other")

    bad = verdict == "Bad"
    assert ("other" in found(emulator, capsys, status=1 if bad else 0)) is bad


def test_an_operator_that_is_not_ready_or_old(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}
    deploy(emulator, status={"conditions": [failure]})
    labels = {"app.kubernetes.io/version": "0.0.1"}
    emulator.patch("deployments", HOME, NAME, {"metadata": {"labels": labels}})

    checks = found(emulator, capsys, status=1)
    assert checks["operator"][1].endswith("can make no pod: violates PodSecurity")
    assert "is version 0.0.1, this program is" in checks["skew"][1]
    emulator.patch("deployments", HOME, NAME, {"status": None})
    assert found(emulator, capsys, "--wait", "10ms", status=4)["operator"][1].endswith("not ready")


def test_other_definitions_than_ours(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(emulator)
    name = "artifactindexes.artifactindex.dev"
    emulator.patch("customresourcedefinitions", "", name, {"spec": {"versions": []}})

    arguments = ("preflight", "--kubeconfig", str(emulator.kubeconfig()))
    assert main(arguments) == 0
    assert f"! {name} is defined otherwise than by {__version__}" in capsys.readouterr().out


def test_before_an_install(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    checks = found(emulator, capsys, "--pre")
    assert checks["podSecurity"][1].endswith("`helm install --create-namespace` does")
    assert checks["install"][1] == "you may do 10 of 10 things of an install"

    emulator.create_namespace(HOME)
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    assert found(emulator, capsys, "--pre")["podSecurity"][0] == "Warning"
    emulator.patch("namespaces", "", HOME, {"metadata": {"labels": enforced}})
    emulator.denied.add("create roles")
    deploy(emulator)
    checks = found(emulator, capsys, "--pre", "--namespaces", "release", status=1)

    assert checks["podSecurity"][0] == "Good"
    assert checks["namespaces"][1].startswith("namespace release does not exist")
    assert "create roles.rbac.authorization.k8s.io in release" in checks["install"][1]
    assert checks["other"][1] == f"the operator {HOME}/{NAME} serves these namespaces already"


def test_the_values_tell_what_an_install_needs(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("watchNamespaces: [a, b]\ncrds: {enabled: false}\npodMonitor: {enabled: true}")
    flags = ("--pre", "--values", str(path))
    for name in ("a", "b"):
        emulator.create_namespace(name)

    checks = found(emulator, capsys, *flags, status=1)
    assert checks["namespaces"] == ("Good", "namespace b exists")
    assert checks["monitoring"] == (
        "Bad",
        "the values enable podMonitor, but podmonitors.monitoring.coreos.com is not defined",
    )
    definition = {"metadata": {"name": "podmonitors.monitoring.coreos.com"}}
    emulator.create("customresourcedefinitions", definition)
    assert found(emulator, capsys, *flags)["monitoring"][0] == "Good"
    assert "b" not in found(emulator, capsys, *flags, "--namespaces=a")["namespaces"][1].split()

    # The chart does not define the kinds, so somebody else has to.
    emulator.delete("customresourcedefinitions", "", "indexoptions.artifactindex.dev")
    assert found(emulator, capsys, *flags, status=1)["definitions"][0] == "Bad"
    path.write_text("crds: {keep: true}")
    assert found(emulator, capsys, *flags)["definitions"][0] == "Good"
    path.write_text("")
    assert found(emulator, capsys, *flags)["definitions"][0] == "Good"


def test_an_operator_of_namespaces_needs_no_definition_of_cluster_scope(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(emulator)
    emulator.delete("customresourcedefinitions", "", "clusterindexoptions.artifactindex.dev")
    assert found(emulator, capsys)["definitions"] == (
        "Warning",
        "there is no definition clusterindexoptions.artifactindex.dev",
    )


def test_who_serves_the_kinds_of_cluster_scope_needs_their_definitions(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.delete("customresourcedefinitions", "", "clusterindexoptions.artifactindex.dev")
    path = tmp_path / "values.yaml"
    flags = ("--pre", "--values", str(path))
    for values, verdict in (
        ("crds: {enabled: false}", "Bad"),
        ("crds: {enabled: false}\nclusterKinds: {enabled: true}", "Bad"),
        ("crds: {enabled: false}\nclusterKinds: {enabled: false}", "Warning"),
        ("crds: {enabled: false}\nclusterKinds: null", "Bad"),
        ("clusterKinds: {enabled: true}", "Good"),
    ):
        path.write_text(values)
        checks = found(emulator, capsys, *flags, status=int(verdict == "Bad"))
        assert checks["definitions"][0] == verdict, values

    deploy(emulator, "--cluster-kinds=true")
    assert found(emulator, capsys, status=1)["definitions"] == (
        "Bad",
        "there is no definition clusterindexoptions.artifactindex.dev",
    )


@pytest.mark.parametrize("text", ["- a", "watchNamespaces: a", "watchNamespaces: [1]", "{", None])
def test_values_that_are_none(
    text: str | None, emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "values.yaml"
    if text is not None:
        path.write_text(text)

    arguments = ("preflight", "--kubeconfig", str(emulator.kubeconfig()), "--values", str(path))
    assert main(arguments) == 2

    assert f"--values {path} " in capsys.readouterr().err


def test_what_cannot_be_found_out(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.fail("*", "*", 403, count=None)
    checks = found(emulator, capsys, status=3)
    assert {"definitions", "operator"} <= {
        name for name, (verdict, _) in checks.items() if verdict == "Unknown"
    }
    checks = found(emulator, capsys, "--pre", "--namespaces", "a", status=3)
    assert checks["install"][0] == checks["namespaces"][0] == checks["podSecurity"][0] == "Unknown"

    emulator.clear_faults()
    deploy(emulator)
    emulator.fail("create", "subjectaccessreviews", 403, count=None)
    emulator.fail("list", "artifactindexes", 403, count=None)
    checks = found(emulator, capsys, status=3)
    assert checks["permissions"][0] == checks["accounts"][0] == "Unknown"

    emulator.stop()
    assert main(["preflight", "--kubeconfig", str(emulator.kubeconfig())]) == 3
    assert "test with `kubectl version`" in capsys.readouterr().err


def test_the_accounts_of_indexes_are_reviewed(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(emulator)
    spec = source("googleArtifactRegistry")
    spec["googleArtifactRegistry"]["auth"] = {
        "serviceAccountRef": {"name": "builder", "gkeCluster": GKE}
    }
    body = {"metadata": {"name": "acme", "namespace": NAMESPACE}, "spec": spec}
    emulator.create("artifactindexes", body)
    emulator.denied.add("create serviceaccounts/token")

    checks = found(emulator, capsys, status=1)
    assert "create serviceaccounts/token builder in builders" in checks["permissions"][1]
