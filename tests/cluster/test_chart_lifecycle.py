"""Installed, upgraded, rolled back and uninstalled by Helm 4 and Helm 3 on a real API server.

There is no kubelet here: nothing waits for the Deployment, and the operator is a process with the
permissions that the release gives its ServiceAccount.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index.kube.resources import OUR_KINDS
from support.chart import CHART, HELM_VERSIONS, RELEASE, next_steps, run_helm, with_image
from support.control_plane import ControlPlane, ControlPlaneFailed, wait_until
from support.operator_process import OPERATOR_NAMESPACE, REPOSITORY, OperatorProcess
from support.world import artifact_index, in_namespace, index_options

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("helm")]

Release = Callable[..., str]
BUILDERS = "builders"
KINDS = "artifactindexes.artifactindex.dev,indexoptions.artifactindex.dev"
CRDS = {f"customresourcedefinition/{kind.plural}.artifactindex.dev" for kind in OUR_KINDS}
INDEXES = f"/apis/artifactindex.dev/v1alpha1/namespaces/{BUILDERS}/artifactindexes"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LISTS = {
    "deployment": "/apis/apps/v1/deployments",
    "serviceaccount": "/api/v1/serviceaccounts",
    **{
        kind: f"/apis/rbac.authorization.k8s.io/v1/{kind}s"
        for kind in ("role", "rolebinding", "clusterrole", "clusterrolebinding")
    },
    "customresourcedefinition": DEFINITIONS,
}
"""Where the kinds of a release are listed, in all namespaces."""
# Once when they are applied, and once when they are read.
MADE_BY_NOTES = [
    "artifactindex.artifactindex.dev/example",
    "indexoptions.artifactindex.dev/uv-config",
] * 2
CLUSTER_WIDE = {
    f"clusterrole/{RELEASE}", f"clusterrole/{RELEASE}-view", f"clusterrole/{RELEASE}-edit",
    f"clusterrolebinding/{RELEASE}",
}  # fmt: skip
ELECTION = {f"role/{RELEASE}-election", f"rolebinding/{RELEASE}-election"}


@pytest.fixture(scope="module")
def plane(own_control_plane: ControlPlane) -> ControlPlane:
    """A control plane of its own: others need the CRDs that are deleted here."""
    own_control_plane.kubectl("create", "namespace", BUILDERS)
    return own_control_plane


@pytest.fixture(params=sorted(HELM_VERSIONS))
def release(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Release]:
    """Helm, with the release's name and namespace after the command.

    The definitions are there before and after each test, as somebody applied them by hand or an
    earlier release left them: the garbage collector learns of a new kind after half a minute only,
    and to take one away can take the API server a minute.
    """
    if not (plane.read(DEFINITIONS) or {})["items"]:
        plane.apply_crds(REPOSITORY / "crds")

    def act(command: str, *arguments: str | Path, version: str = request.param, **more: Any) -> str:
        place = ("--namespace", OPERATOR_NAMESPACE)
        if command in ("install", "upgrade"):
            more["values"] = with_image(more.get("values"))
        answer = run_helm(
            command, RELEASE, *arguments, *place, version=version,
            kubeconfig=plane.kubeconfig_admin, home=plane.folder / "helm", **more,
        )  # fmt: skip
        return answer.stdout

    yield act
    act("uninstall", "--ignore-not-found")
    if CRDS & of_release(plane):
        plane.kubectl("delete", f"{KINDS},secrets", "--all", "--namespace", BUILDERS)


def install(release: Release, **more: Any) -> str:
    """Also where the definitions are there already, applied by hand."""
    return release("install", CHART, "--create-namespace", "--take-ownership", **more)


def of_release(plane: ControlPlane) -> set[str]:
    """Every object with the release's label, as kind/name, wherever it is."""
    label = f"labelSelector=app.kubernetes.io%2Finstance%3D{RELEASE}"
    return {
        f"{kind}/{item['metadata']['name']}"
        for kind, path in LISTS.items()
        for item in (plane.read(f"{path}?{label}") or {})["items"]
    }


def deployment(plane: ControlPlane) -> dict[str, Any]:
    """The spec of the Deployment."""
    path = f"/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/{RELEASE}"
    spec: dict[str, Any] = (plane.read(path) or {})["spec"]
    return spec


def flags(plane: ControlPlane) -> list[str]:
    (container,) = deployment(plane)["template"]["spec"]["containers"]
    found: list[str] = container["args"]
    return found


def rollout(plane: ControlPlane) -> tuple[int, str]:
    spec = deployment(plane)
    return spec["replicas"], spec["strategy"]["type"]


def run(plane: ControlPlane, commands: str) -> list[str]:
    """Run commands as users do, with kubectl; returns the objects that they print."""
    folder = plane.folder / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "kubectl").unlink(missing_ok=True)
    (folder / "kubectl").symlink_to(plane.binaries.kubectl)
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "KUBECONFIG": str(plane.kubeconfig_admin),
        "KUBECACHEDIR": str(plane.folder / "kubectl-cache"),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail"], input=commands, env=environment,
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    words = [line.split() for line in done.stdout.splitlines() if line]
    return [first for first, *_ in words if first != "NAME"]


def identities(plane: ControlPlane) -> list[tuple[str, ...]]:
    """Kind, name, uid, generation and resourceVersion of both kinds and of all Secrets."""
    answer = plane.kubectl("get", f"{KINDS},secrets", "--namespace", BUILDERS, "-o", "json")
    return sorted(
        (item["kind"], *(str(item["metadata"].get(key)) for key in
         ("name", "uid", "generation", "resourceVersion")))
        for item in json.loads(answer.stdout)["items"]
    )  # fmt: skip


def serve(plane: ControlPlane) -> None:
    """One index with its output, written by the operator under the release's ServiceAccount."""
    url = "https://packages.example/simple/"
    objects = in_namespace(
        BUILDERS,
        [
            artifact_index("acme", name="acme", anonymous={"url": url}),
            index_options("uv-config", indexSelector={}),
        ],
    )
    plane.kubectl("apply", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(objects))
    with OperatorProcess(plane.kubeconfig_for(OPERATOR_NAMESPACE, RELEASE), forked=True):
        wait = ("--for=condition=Ready", "--timeout=60s", "--namespace", BUILDERS)
        plane.kubectl("wait", *wait, KINDS, "--all")


def test_a_release_is_installed_upgraded_rolled_back_and_uninstalled(
    plane: ControlPlane, release: Release
) -> None:
    notes = install(release)
    assert f"artifact-index-operator {chart()['appVersion']} serves the whole cluster" in notes
    assert run(plane, next_steps(notes)) == MADE_BY_NOTES
    plane.kubectl("delete", KINDS, "--all", "--namespace", "default")
    everything = of_release(plane)
    assert everything == CLUSTER_WIDE | ELECTION | {
        f"deployment/{RELEASE}", f"serviceaccount/{RELEASE}", *CRDS,
    }  # fmt: skip
    assert flags(plane) == ["run", "--leader-elect=true", "--cluster-kinds=true"]
    assert rollout(plane) == (2, "RollingUpdate")

    # One replica without election, and back: the strategy's own fields go and come.
    alone = {"replicaCount": 1, "leaderElection": {"enabled": False}}
    release("upgrade", CHART, values={"settings": {"workers": 4}, **alone})
    assert flags(plane) == ["run", "--cluster-kinds=true", "--workers=4"]
    assert rollout(plane) == (1, "Recreate")
    assert of_release(plane) == everything - ELECTION
    release("rollback", "1")
    assert flags(plane) == ["run", "--leader-elect=true", "--cluster-kinds=true"]
    assert rollout(plane) == (2, "RollingUpdate")
    history = json.loads(release("history", "--output", "json"))
    assert [item["status"] for item in history] == ["superseded", "superseded", "deployed"]

    release("uninstall")
    assert of_release(plane) == CRDS
    # What was left behind is taken over by a release of the same name.
    release("install", CHART)
    assert of_release(plane) == everything


@pytest.mark.parametrize("release", ["helm3"], indirect=True)
def test_helm_4_goes_on_with_what_helm_3_installed(plane: ControlPlane, release: Release) -> None:
    install(release)
    release("upgrade", CHART, version="helm4", values={"settings": {"logFormat": "json"}})
    assert "--log-format=json" in flags(plane)


def test_a_namespaced_release_has_no_cluster_role_until_it_is_upgraded_to_one(
    plane: ControlPlane, release: Release
) -> None:
    notes = install(release, values={"watchNamespaces": [BUILDERS]})
    assert run(plane, next_steps(notes)) == MADE_BY_NOTES
    kinds = {name.split("/")[0] for name in of_release(plane)}
    assert kinds == {
        "deployment", "serviceaccount", "role", "rolebinding", "customresourcedefinition",
    }  # fmt: skip
    release("upgrade", CHART, "--reset-values")
    assert of_release(plane) >= CLUSTER_WIDE
    assert {name for name in of_release(plane) if name.startswith("role")} == ELECTION


def test_neither_new_definitions_nor_uninstalling_touch_objects_and_outputs(
    plane: ControlPlane, release: Release, tmp_path: Path
) -> None:
    install(release)
    release("upgrade", older_chart(tmp_path))
    suspended = artifact_index(
        "new", suspend=True, anonymous={"url": "https://new.example/simple/"}
    )

    def refusal() -> str:
        try:
            plane.write("POST", f"{INDEXES}?dryRun=All&fieldValidation=Strict", suspended)
        except ControlPlaneFailed as error:
            return str(error)
        return ""

    def field_is_unknown() -> bool:
        return r"unknown field \"spec.suspend\"" in refusal()

    # Definitions take effect a moment after they were stored.
    wait_until(field_is_unknown, "the new field to be refused", 60)
    serve(plane)
    before = identities(plane)
    assert {kind for kind, *_ in before} == {"ArtifactIndex", "IndexOptions", "Secret"}

    release("upgrade", CHART)

    wait_until(lambda: not refusal(), "the new field to be served", 60)
    assert identities(plane) == before
    # They are still valid as they are stored.
    stored = plane.kubectl("get", KINDS, "--namespace", BUILDERS, "-o", "yaml").stdout
    plane.kubectl("replace", "--dry-run=server", "--validate=strict", "-f", "-", input=stored)

    release("rollback", "2")
    release("uninstall")
    assert identities(plane) == before


def test_definitions_that_are_not_the_releases_are_taken_over_only_where_it_is_said(
    plane: ControlPlane, release: Release
) -> None:
    plane.kubectl("annotate", *CRDS, "meta.helm.sh/release-name-")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        release("install", CHART)
    assert "invalid ownership metadata" in refused.value.stderr
    install(release)
    assert of_release(plane) >= CRDS


def test_uninstalling_without_keep_takes_objects_and_outputs_along(
    plane: ControlPlane, release: Release
) -> None:
    notes = install(release, values={"crds": {"keep": False}})
    assert "WARNING: crds.keep is false" in notes
    serve(plane)
    release("uninstall")
    path = f"/api/v1/namespaces/{BUILDERS}/secrets"
    if plane.has_garbage_collection:
        wait_until(lambda: not (plane.read(path) or {})["items"], "the output to be collected", 90)
    # Half a minute of waiting: kubectl is asked once.
    wait_until(lambda: not (plane.read(DEFINITIONS) or {})["items"], "no definitions", 240)
    assert of_release(plane) == set()


def chart() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return found


def older_chart(folder: Path) -> Path:
    """The chart as a release before this one: a field less, another description."""
    copy = folder / CHART.name
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("crds"))
    (copy / "files" / "crds").mkdir(parents=True)
    for path in (REPOSITORY / "crds").glob("*.yaml"):
        crd = yaml.safe_load(path.read_text())
        for version in crd["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema["description"] = "As it was."
            del schema["properties"]["spec"]["properties"]["suspend"]
        (copy / "files" / "crds" / path.name).write_text(yaml.safe_dump(crd))
    described = chart() | {"version": "0.0.9", "appVersion": "0.0.9"}
    (copy / "Chart.yaml").write_text(yaml.safe_dump(described))
    return copy
