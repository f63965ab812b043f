"""`make demo CLUSTER=current`: on a cluster that is not the demo's, which stays as it was."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.current import ACCOUNT, Context, ask, current_cluster, new_namespace

from support.control_plane import ControlPlane, wait_until
from support.examples import EXAMPLES, as_yaml, objects

pytestmark = pytest.mark.cluster

TOP = EXAMPLES.parent
DEFINITIONS = (
    "artifactindexes.artifactindex.dev",
    "clusterartifactindexes.artifactindex.dev",
    "clusterindexoptions.artifactindex.dev",
    "indexoptions.artifactindex.dev",
)
KINDS = "namespaces,crds,clusterroles,clusterrolebindings,roles,rolebindings,secrets,configmaps"
READY = "all Available"
DONE = re.compile(rf"{READY} \.{{3,}} +[0-9]")


class Run:
    """`python -m demo --cluster current`, with a kubeconfig as a user's and without a terminal."""

    def __init__(self, plane: ControlPlane, folder: Path, *options: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._log = folder / "demo.log"
        programs = folder / "bin"
        programs.mkdir()
        (programs / "kubectl").symlink_to(plane.binaries.kubectl)
        own = {
            "PYTHONPATH": "operator:tests:.",
            "KUBECONFIG": str(plane.kubeconfig_admin),
            "TMPDIR": str(self.temporary),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", "--cluster", "current", *options],
                cwd=TOP,
                env=os.environ | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def ends(self, seconds: float = 300) -> int:
        return self.process.wait(seconds)


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Demos that a test started; a failing test leaves none behind."""
    started: list[Run] = []
    yield started
    for run in started:
        if run.process.poll() is None:
            run.process.terminate()
            run.ends()


def everything(plane: ControlPlane) -> set[tuple[str, ...]]:
    """What the cluster holds, each with its uid."""
    listed = plane.kubectl("get", KINDS, "--all-namespaces", "-o", "json").stdout
    return {
        (item["kind"], *(str(item["metadata"].get(key)) for key in ("namespace", "name", "uid")))
        for item in json.loads(listed)["items"]
    }


def make_a_users_object(plane: ControlPlane, namespace: str) -> None:
    plane.kubectl("create", "namespace", namespace)
    plane.kubectl(
        "apply", "-f", "-", input=as_yaml(objects(EXAMPLES / "anonymous.yaml", namespace))
    )


def until_available(run: Run) -> None:
    wait_until(lambda: run.process.poll() is not None or f"{READY} ..." in run.output, READY, 180)
    assert run.process.poll() is None, run.output


def test_nobody_to_ask_and_no_consent_changes_nothing(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    before = everything(own_control_plane)
    run = Run(own_control_plane, tmp_path)
    assert run.ends() == 1
    assert own_control_plane.url in run.output
    assert "the namespace artifact-index-demo-" in run.output
    assert all(name in run.output for name in DEFINITIONS)
    assert "No demo on the current cluster: there is no terminal to ask on" in run.output
    assert everything(own_control_plane) == before
    assert list(run.temporary.iterdir()) == []


def test_an_interrupted_demo_takes_all_it_made_away(
    own_control_plane: ControlPlane, tmp_path: Path, runs: list[Run]
) -> None:
    before = everything(own_control_plane)
    run = Run(own_control_plane, tmp_path, "--yes")
    runs.append(run)
    until_available(run)
    labels = own_control_plane.kubectl("get", "crd", "-l", "artifactindex.dev/demo", "-o", "name")
    assert len(labels.stdout.split()) == len(DEFINITIONS)

    run.process.send_signal(signal.SIGTERM)

    assert run.ends() == 128 + signal.SIGTERM, run.output
    wait_until(lambda: everything(own_control_plane) == before, "the cluster as it was", 60)
    assert list(run.temporary.iterdir()) == []


@pytest.fixture
def context(
    own_control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Context:
    monkeypatch.setenv("KUBECONFIG", str(own_control_plane.kubeconfig_admin))
    monkeypatch.setattr("shutil.which", lambda name: str(own_control_plane.binaries.kubectl))
    return Context(tmp_path)


def test_definitions_that_somebody_uses_by_now_are_left(
    own_control_plane: ControlPlane, context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = new_namespace()
    with current_cluster(context, namespace) as cluster:
        cluster.prepare()
        make_a_users_object(own_control_plane, "of-a-user")
    assert "in use by artifactindex.artifactindex.dev/pytorch-cpu" in capsys.readouterr().err
    found = own_control_plane.kubectl("get", "artifactindexes", "-A", "-o", "name").stdout.split()
    assert len(found) == 1
    own_control_plane.kubectl("delete", "crd", *DEFINITIONS)


def test_definitions_and_objects_that_were_there_stay_as_they_are(
    own_control_plane: ControlPlane, context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    own_control_plane.apply_crds(TOP / "crds")
    make_a_users_object(own_control_plane, "of-another")
    before = everything(own_control_plane)
    versions = [version(own_control_plane, "crd", name) for name in DEFINITIONS]
    namespace = new_namespace()
    ask(context, namespace, agreed=True)
    assert "no definition: all exist" in capsys.readouterr().out
    with current_cluster(context, namespace) as cluster:
        cluster.prepare()
        login = json.loads(cluster.kubeconfig().read_text())
        assert set(login["users"][0]["user"]) == {"token"}
        assert_it_may_use_its_namespace_only(own_control_plane, namespace)
    assert everything(own_control_plane) == before
    assert [version(own_control_plane, "crd", name) for name in DEFINITIONS] == versions


def version(plane: ControlPlane, kind: str, name: str) -> str:
    how = "jsonpath={.metadata.resourceVersion}"
    return plane.kubectl("get", kind, name, "-o", how).stdout


def assert_it_may_use_its_namespace_only(plane: ControlPlane, namespace: str) -> None:
    account = f"--as=system:serviceaccount:{namespace}:{ACCOUNT}"
    for place, allowed in ((namespace, "yes"), ("of-another", "no"), ("kube-system", "no")):
        asked = ("auth", "can-i", "list", "secrets", "-n", place, account)
        assert plane.kubectl(*asked, check=False).stdout.strip() == allowed, place


def test_beside_an_installed_operator_it_does_not_begin(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "of-the-platform",
            "labels": {"app.kubernetes.io/name": "artifact-index-operator"},
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "a", "image": "b"}]},
            },
        },
    }
    own_control_plane.kubectl("create", "-n", "default", "-f", "-", input=json.dumps(deployment))
    run = Run(own_control_plane, tmp_path, "--yes")
    assert run.ends() == 1
    assert "the operator runs there already (default/of-the-platform)" in run.output


def test_without_a_current_context_it_says_so(
    own_control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.kubeconfig"
    empty.write_text("")
    result = subprocess.run(
        [sys.executable, "-m", "demo", "--cluster", "current", "--yes"],
        cwd=TOP,
        env=os.environ
        | {
            "PYTHONPATH": "operator:tests:.",
            "KUBECONFIG": str(empty),
            "PATH": f"{own_control_plane.binaries.kubectl.parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    assert "kubectl knows no current context" in result.stderr
