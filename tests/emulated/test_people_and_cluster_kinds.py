"""`check --probe`, `status --pods` and `adopt` for the kinds of cluster scope."""

import base64
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from artifact_index.api.constants import ADOPT_ANNOTATION, API_VERSION, FIELD_MANAGER
from artifact_index.api.timestamps import format_time
from artifact_index.cli import main
from artifact_index.cli.reports import ChangeReport, ProbeReport, StatusReport
from support.emulator import OF_PEOPLE, Emulator
from support.index_server import IndexServer, Repository
from support.wheels import make_wheel

pytestmark = pytest.mark.emulated

PASSWORD: Final = "canary-31d7"
FILE, OWNER = "uv-config", "builders"
SERVED, OTHER, OUTSIDE = "team-b", "team-c", "team-a"
"""SERVED has the file, OTHER comes after it, and OUTSIDE before it without the label."""
LABEL: Final = {"builds": "python"}
READY: Final = {
    "type": "Ready", "status": "True", "reason": "Available", "message": "",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}  # fmt: skip
CLUSTER_INDEX: Final = "clusterartifactindex/acme"


@pytest.fixture(scope="module")
def server() -> Iterator[IndexServer]:
    with IndexServer() as started:
        yield started


@pytest.fixture(scope="module")
def repository(server: IndexServer) -> Repository:
    wheel = make_wheel("acme-lib", "1.0")
    found = server.add_repository("acme", wheel, accepts=lambda user, given: given == PASSWORD)
    found.uploaded_at = "2026-01-02T03:04:05.000000Z"
    return found


@pytest.fixture
def emulator(repository: Repository) -> Iterator[Emulator]:
    """One definition that is written into one namespace, and two others."""
    with Emulator(more=OF_PEOPLE) as started:
        for name, labels in ((OUTSIDE, {}), (SERVED, LABEL), (OTHER, LABEL)):
            started.create("namespaces", {"metadata": {"name": name, "labels": labels}})
        consent = {"namespaces": {"selector": {"matchLabels": LABEL}}}
        of_url = {"url": repository.url, "secretRef": {"name": "login"}}
        spec = {**consent, "basicAuth": of_url}
        started.create("clusterartifactindexes", {"metadata": {"name": "acme"}, "spec": spec})
        spec = {"namespaceSelector": {"matchLabels": LABEL}, "outputs": [output("Secret")]}
        started.create("clusterindexoptions", {"metadata": {"name": OWNER}, "spec": spec})
        index = {"artifactIndex": "acme", "uid": "u", "name": "acme", "ready": True, "reason": "x"}
        status = {"observedGeneration": 1, "conditions": [READY], "indexes": [index]}
        patch = {"status": status}
        started.patch("clusterindexoptions", "", OWNER, patch, subresource="status")
        write(started, SERVED, repository.url)
        yield started


def output(kind: str) -> dict[str, str]:
    return {"kind": kind, "name": FILE}


def write(emulator: Emulator, namespace: str, url: str, **metadata: Any) -> None:
    """The output in a namespace, written two hours ago; `metadata` makes it somebody else's."""
    scheme, _, rest = url.partition("://")
    text = f'[[index]]\nname = "acme"\nurl = "{scheme}://ci:{PASSWORD}@{rest}"\n'
    owner = {"apiVersion": API_VERSION, "kind": "ClusterIndexOptions", "name": OWNER}
    meta = {"name": FILE, "namespace": namespace, **metadata}
    if not metadata:
        uid = emulator.get("clusterindexoptions", "", OWNER)["metadata"]["uid"]
        meta["ownerReferences"] = [{**owner, "uid": uid, "controller": True}]
    data = {"uv.toml": base64.b64encode(text.encode()).decode()}
    emulator.create("secrets", {"metadata": meta, "type": "Opaque", "data": data})
    at = format_time(time.time() - 7200)
    entries = [{"manager": FIELD_MANAGER, "time": at}]
    emulator.corrupt(
        "secrets", namespace, FILE, lambda body: body["metadata"].update(managedFields=entries)
    )


def run(emulator: Emulator, *arguments: str) -> int:
    command, *flags = arguments
    return main([command, "--kubeconfig", str(emulator.kubeconfig()), *flags])


def probed(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], *flags: str, status: int = 0
) -> list[tuple[str, str, str | None]]:
    """Object, outcome and file of each index that is asked."""
    assert run(emulator, "check", "--probe", "-o", "json", *flags) == status
    text = capsys.readouterr().out
    assert PASSWORD not in text
    found = ProbeReport.model_validate_json(text).indexes
    return [
        (each.object.text, each.outcome, each.file.path if each.file is not None else None)
        for each in found
    ]


ASKED: Final = ("ClusterArtifactIndex acme", "Answers", f"{SERVED}/{FILE}")


def test_a_cluster_index_is_asked_with_the_file_of_a_namespace(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags in (("-A",), (CLUSTER_INDEX,), ("-n", SERVED, CLUSTER_INDEX)):
        assert probed(emulator, capsys, *flags) == [ASKED]
    assert run(emulator, "check", "--probe", CLUSTER_INDEX) == 0
    assert f"ClusterArtifactIndex acme in {SERVED}/{FILE}  200" in capsys.readouterr().out

    # Another namespace has no file.
    asked = probed(emulator, capsys, "-n", OUTSIDE, CLUSTER_INDEX, status=3)
    assert asked == [("ClusterArtifactIndex acme", "NotInFile", None)]


def test_a_file_is_found_behind_namespaces_that_have_none(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.delete("secrets", SERVED, FILE)
    write(emulator, OTHER, repository.url)

    assert probed(emulator, capsys, "-A") == [(*ASKED[:2], f"{OTHER}/{FILE}")]


def test_a_tenants_file_tells_a_cluster_index_from_its_namesake(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {"anonymous": {"url": "http://127.0.0.1:1/simple/"}}
    metadata = {"name": "acme", "namespace": SERVED}
    emulator.create("artifactindexes", {"metadata": metadata, "spec": own})
    metadata = {"name": "own", "namespace": SERVED}
    emulator.create("indexoptions", {"metadata": metadata, "spec": {"outputs": [output("Secret")]}})
    index = {"kind": "ClusterArtifactIndex", "artifactIndex": "acme", "uid": "u", "name": "acme",
             "ready": True, "reason": "x"}  # fmt: skip
    status = {"indexes": [index], "outputs": [output("Secret")]}
    emulator.patch("indexoptions", SERVED, "own", {"status": status}, subresource="status")

    # The login that the file has for the cluster's index is not sent for the tenant's own.
    assert probed(emulator, capsys, "-n", SERVED, status=3) == [
        (f"ArtifactIndex {SERVED}/acme", "NotInFile", None)
    ]
    nothing: dict[str, Any] = {"status": {"indexes": []}}
    emulator.patch("clusterindexoptions", "", OWNER, nothing, subresource="status")
    assert probed(emulator, capsys, "-n", SERVED, CLUSTER_INDEX) == [ASKED]


def test_what_the_caller_may_not_read_is_said(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*flags: str) -> str:
        assert run(emulator, "check", "--probe", *flags) == 3
        answer = capsys.readouterr()
        return answer.out + answer.err

    emulator.fail("get", "secrets", 403, count=None)
    said = told(CLUSTER_INDEX)
    assert "ClusterArtifactIndex acme  no file that you may read holds this index" in said
    assert "you may not get secrets in team-" in said and "auth can-i get secrets" in said
    emulator.clear_faults()
    emulator.fail("list", "namespaces", 403, count=None)
    said = told("-A")
    assert "you may not list namespaces in the cluster" in said and "give with -n" in said
    assert probed(emulator, capsys, "-n", SERVED, CLUSTER_INDEX) == [ASKED]
    emulator.fail("list", "clusterartifactindexes", 403, count=None)
    assert "only the administrators of the cluster may" in told(CLUSTER_INDEX)


def test_arguments_that_name_no_index(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(emulator, "check", "--probe", "clusterartifactindex/best") == 1
    assert "there is no ClusterArtifactIndex best in the cluster" in capsys.readouterr().err
    assert run(emulator, "check", "--probe", "clusterindexoptions/builders") == 2
    assert "is no index: give NAME or clusterartifactindex/NAME" in capsys.readouterr().err


# status --pods


def pod(emulator: Emulator, namespace: str) -> None:
    """A pod that got the file in variables three hours ago, before the last token."""
    running = {"running": {"startedAt": format_time(time.time() - 3 * 3600)}}
    container = {"name": "build", "envFrom": [{"secretRef": {"name": FILE}}]}
    status = {
        "phase": "Running", "containerStatuses": [{"name": "build", "state": running}],
    }  # fmt: skip
    metadata = {"name": f"in-{namespace}", "namespace": namespace}
    body = {"metadata": metadata, "spec": {"containers": [container]}, "status": status}
    emulator.create("pods", body)


def shown(emulator: Emulator, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, str]:
    """Which token each pod holds."""
    run(emulator, "status", "--pods", "-o", "json", *flags)
    text = capsys.readouterr().out
    assert PASSWORD not in text
    return {each.pod: each.token for each in StatusReport.model_validate_json(text).pods}


def test_pods_that_use_the_output_of_a_cluster_definition(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    # A namesake that is the namespace's own is none of the outputs.
    write(emulator, OTHER, repository.url, labels={"mine": "yes"})
    for namespace in (OUTSIDE, SERVED, OTHER):
        pod(emulator, namespace)
    emulator.requests.clear()

    for flags in (("-A",), ("-n", SERVED), (f"clusterindexoptions/{OWNER}",)):
        found = shown(emulator, capsys, *flags)
        assert found.pop("in-team-a", "Unknown") == "Unknown"
        assert found == {"in-team-b": "Stale"}
    assert shown(emulator, capsys, "-n", OTHER) == {}
    # A tenant may not list the definitions, and sees what its own files give.
    emulator.fail("list", "clusterindexoptions", 403, count=None)
    assert shown(emulator, capsys, "-n", SERVED) == {}


# adopt


def adopted(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], *flags: str, status: int = 0
) -> tuple[str, str]:
    """What becomes of the Secret of OTHER, and why."""
    where = ("-n", OTHER, "--options", f"clusterindexoptions/{OWNER}", "-o", "json")
    assert run(emulator, "adopt", f"secret/{FILE}", *where, *flags) == status
    (change,) = ChangeReport.model_validate_json(capsys.readouterr().out).objects
    assert PASSWORD not in change.message
    return change.outcome, change.message


def test_a_secret_is_handed_over_to_a_cluster_definition(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    write(emulator, OTHER, repository.url, labels={"mine": "yes"})
    assert adopted(emulator, capsys)[0] == "WouldAdopt"

    outcome, message = adopted(emulator, capsys, "--yes")

    assert outcome == "Adopted" and f"`artifact-index why clusterindexoptions/{OWNER}`" in message
    found = emulator.get("secrets", OTHER, FILE)["metadata"]
    assert found["annotations"] == {ADOPT_ANNOTATION: f"ClusterIndexOptions/{OWNER}"}


def test_a_secret_that_a_cluster_definition_would_not_write(
    emulator: Emulator, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    write(emulator, OTHER, repository.url, labels={"mine": "yes"})
    labels = {"metadata": {"labels": {"builds": None}}}
    emulator.patch("namespaces", "", OTHER, labels)
    outcome, message = adopted(emulator, capsys, "--yes", status=1)
    assert outcome == "Refused" and "label it as spec.namespaceSelector says" in message
    # Who may not read the namespace is not told, and the Secret waits for its label.
    emulator.fail("get", "namespaces", 403, count=None)
    assert adopted(emulator, capsys)[0] == "WouldAdopt"

    flags = ("-n", OTHER, "--options")
    assert run(emulator, "adopt", f"secret/{FILE}", *flags, "cidxopt/best") == 1
    assert "there is no ClusterIndexOptions best; there are: builders" in capsys.readouterr().err
    assert run(emulator, "adopt", f"secret/{FILE}", *flags, "caidx/acme") == 2
    emulator.fail("list", "clusterindexoptions", 403, count=None)
    assert run(emulator, "adopt", f"secret/{FILE}", *flags, f"cidxopt/{OWNER}") == 3
    said = capsys.readouterr().err
    assert f"{ADOPT_ANNOTATION}=ClusterIndexOptions/{OWNER}" in said
