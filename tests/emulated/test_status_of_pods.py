"""`status --pods`, `--watch` and `-o name` against an API server."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from artifact_index import __version__
from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.api.timestamps import format_time
from artifact_index.cli import main
from artifact_index.cli.cluster import watch
from artifact_index.cli.reports import StatusReport
from support.emulator import OF_PEOPLE, Emulator
from support.reconcile_builders import CANARY, NAMESPACE, secret_body, source

pytestmark = pytest.mark.emulated


FILE: Final = "uv-config"
DIRECTORY: Final = {"name": "files", "mountPath": "/etc/uv"}
VOLUME: Final = {"name": "files", "secret": {"secretName": FILE}}
PROJECTED: Final = {"name": "files", "projected": {"sources": [{"secret": {"name": FILE}}]}}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A file that was written ten minutes ago."""
    with Emulator(more=OF_PEOPLE) as started:
        metadata = {"name": FILE, "namespace": NAMESPACE}
        started.create("indexoptions", {"metadata": metadata, "spec": {}})
        ready = {
            "type": "Ready", "status": "True", "reason": "Ready", "message": "",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }  # fmt: skip
        outputs = [{"kind": "Secret", "name": FILE}]
        status = {"observedGeneration": 1, "conditions": [ready], "outputs": outputs}
        started.patch("indexoptions", NAMESPACE, FILE, {"status": status}, subresource="status")
        started.create("secrets", secret_body(FILE, {"uv.toml": CANARY}))
        written_ago(started, 600)
        yield started


def written_ago(emulator: Emulator, seconds: float) -> None:
    """Let the operator have written the file so long ago, and somebody else a moment ago."""
    entries = [
        {"manager": FIELD_MANAGER, "time": format_time(time.time() - seconds)},
        {"manager": "kubectl", "time": format_time(time.time())},
    ]
    emulator.corrupt(
        "secrets", NAMESPACE, FILE, lambda body: body["metadata"].update(managedFields=entries)
    )


def pod(
    emulator: Emulator, name: str, ago: float | None, phase: str = "Running", **spec: Any
) -> None:
    """A pod whose one container runs since so many seconds."""
    volumes = {"volumes": spec.pop("volumes")} if "volumes" in spec else {}
    running = {} if ago is None else {"running": {"startedAt": format_time(time.time() - ago)}}
    emulator.create(
        "pods",
        {
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"containers": [{"name": "build", **spec}], **volumes},
            "status": {"phase": phase, "containerStatuses": [{"name": "build", "state": running}]},
        },
    )


def run(emulator: Emulator, *flags: str) -> int:
    arguments = ("--kubeconfig", str(emulator.kubeconfig()), "-n", NAMESPACE)
    return main(["status", *arguments, *flags])


def test_how_pods_use_a_file(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    variable = {"name": "A", "valueFrom": {"secretKeyRef": {"name": FILE, "key": "A"}}}
    from_all = [{"secretRef": {"name": FILE}}]
    partly = {**DIRECTORY, "subPath": "uv.toml"}
    pod(emulator, "directory", 7200, volumeMounts=[DIRECTORY], volumes=[VOLUME])
    pod(emulator, "projected", 7200, volumeMounts=[DIRECTORY], volumes=[PROJECTED])
    pod(emulator, "old-part", 7200, volumeMounts=[partly], volumes=[VOLUME])
    pod(emulator, "new-part", 60, volumeMounts=[partly], volumes=[VOLUME])
    pod(emulator, "old-variable", 7200, env=[variable])
    pod(emulator, "variables-to-come", None, envFrom=from_all)
    pod(emulator, "done", 7200, "Succeeded", envFrom=from_all)
    pod(emulator, "other", 7200, volumeMounts=[DIRECTORY], volumes=[{"name": "files"}])
    emulator.requests.clear()

    assert run(emulator, "--pods", "-o", "json") == 0

    text = capsys.readouterr().out
    assert CANARY not in text
    report = StatusReport.model_validate_json(text)
    assert {each.pod: (each.use, each.token) for each in report.pods} == {
        "directory": ("directory", "Current"),
        "projected": ("directory", "Current"),
        "old-part": ("subPath", "Stale"),
        "new-part": ("subPath", "Current"),
        "old-variable": ("environment", "Stale"),
        "variables-to-come": ("environment", "Current"),
    }
    # However many pods use the file, its metadata is read once.
    assert emulator.requests.count("list", "pods") == emulator.requests.count("get") == 1
    assert run(emulator, "--pods", "--fail-on", "warning") == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "builders old-part Secret/uv-config subPath 2h ago STALE: written 10m" in text
    assert "ago, after the start; mount the directory" in text


def test_a_change_of_now_is_still_on_its_way(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    written_ago(emulator, 10)
    pod(emulator, "directory", 7200, volumeMounts=[DIRECTORY], volumes=[VOLUME])
    assert run(emulator, "--pods") == 0
    assert "ago: in the pod within 120 s" in capsys.readouterr().out


def test_what_is_not_known_of_pods(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(emulator, "--pods") == 0
    assert "no running pod uses these files" in capsys.readouterr().out
    pod(emulator, "directory", 7200, volumeMounts=[DIRECTORY], volumes=[VOLUME])
    emulator.fail("get", "secrets", 403, count=None)
    assert run(emulator, "--pods") == 0
    assert "kubectl auth can-i get secrets/uv-config -n builders" in capsys.readouterr().out
    emulator.fail("list", "pods", 403, count=None)
    assert run(emulator, "--pods") == 3
    assert "you may not list pods in builders" in capsys.readouterr().err


def deploy(emulator: Emulator, *flags: str, version: str = __version__, ready: int = 1) -> None:
    labels = {"app.kubernetes.io/name": FIELD_MANAGER, "app.kubernetes.io/version": version}
    containers = [{"name": "operator", "args": ["run", *flags]}]
    body = {
        "metadata": {"name": "operator", "namespace": "home", "labels": labels},
        "spec": {"template": {"spec": {"containers": containers}}},
        "status": {"readyReplicas": ready},
    }
    emulator.create("deployments", body)


@pytest.mark.parametrize(
    ("deployment", "line"),
    [
        ({}, f"{__version__}  home/operator  ready  serves the whole cluster"),
        (
            {"ready": 0},
            f"{__version__}  home/operator  not ready  serves the whole cluster → "
            "`kubectl describe deployment -n home operator`",
        ),
        (
            {"version": "0.0.1"},
            f"0.0.1, this program is {__version__}  home/operator  ready  serves the whole cluster "
            "→ `helm upgrade`, or install the same version here",
        ),
        (None, "none serves this: `artifact-index preflight` looks for what is installed"),
    ],
)
def test_the_operator_comes_first(
    deployment: Any, line: str, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    if deployment is not None:
        deploy(emulator, **deployment)
    emulator.requests.clear()

    run(emulator)

    assert emulator.requests.count("list", "deployments") == 1
    assert capsys.readouterr().out.splitlines()[0] == f"operator  {line}"


def let_be_written(emulator: Emulator, *, changed_ago: float, written_ago: float) -> None:
    """Let somebody have changed the IndexOptions, and the operator have written its status."""
    entries = [
        {"manager": "kubectl", "time": format_time(time.time() - changed_ago)},
        {"manager": FIELD_MANAGER, "time": format_time(time.time() - written_ago)},
    ]
    emulator.corrupt(
        "indexoptions", NAMESPACE, FILE,
        lambda body: body["metadata"].update(managedFields=entries, generation=2),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "ready", "says"),
    [
        (30, 1, r"last write  10m\d*s? ago\n"),
        (300, 1, r"  BEHIND: 1 waiting, the first for 5m\d*s?  → `kubectl logs -n home -l \S+`\n"),
        (300, 0, "  not ready  "),
        (30, 0, "  not ready  "),
    ],
)
def test_an_operator_that_is_behind_or_gone(
    changed: float,
    ready: int,
    says: str,
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deploy(emulator, ready=ready)
    let_be_written(emulator, changed_ago=changed, written_ago=600)

    assert run(emulator) == 1
    printed = capsys.readouterr().out
    assert re.search(says, printed) and ("BEHIND" in printed) is (changed == 300)
    # What is served still is good; that nobody keeps it so is worth a warning.
    emulator.corrupt(
        "indexoptions", NAMESPACE, FILE, lambda body: body["metadata"].update(generation=1)
    )
    assert run(emulator) == 0
    assert run(emulator, "--fail-on", "warning") == (1 if ready == 0 else 0)


@pytest.mark.parametrize("served", [NAMESPACE, "other"])
def test_an_operator_of_other_namespaces_is_none(
    served: str, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(emulator, f"--namespace={served},more")

    run(emulator, "-o", "json")
    operators = StatusReport.model_validate_json(capsys.readouterr().out).operators

    assert operators is not None
    assert [each.namespaces for each in operators] == (
        [[NAMESPACE, "more"]] if served == NAMESPACE else []
    )


def test_a_tenant_may_not_see_the_operator(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.fail("list", "deployments", 403, count=None)

    assert run(emulator) == 0

    assert capsys.readouterr().out.startswith("operator  unknown: to find it takes `list` on ")


def test_names_for_other_commands(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    body = {"metadata": {"name": "acme", "namespace": NAMESPACE}, "spec": source("codeArtifact")}
    emulator.create("artifactindexes", body)
    outputs = [{"kind": "Secret", "name": FILE}, {"kind": "ConfigMap", "name": FILE}]
    patch = {"status": {"outputs": outputs}}
    emulator.patch("indexoptions", NAMESPACE, FILE, patch, subresource="status")

    run(emulator, "-o", "name")

    names = capsys.readouterr().out.splitlines()
    assert names == ["indexoptions.artifactindex.dev/uv-config",
                     "artifactindex.artifactindex.dev/acme"]  # fmt: skip
    for name in names:
        arguments = ("--kubeconfig", str(emulator.kubeconfig()), "-n", NAMESPACE, "-o", "json")
        main(["why", name, *arguments])
        assert json.loads(capsys.readouterr().out)["object"]["name"] == name.partition("/")[2]


def test_named_objects_alone(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("acme", "other"):
        body = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": source("codeArtifact")}
        emulator.create("artifactindexes", body)

    assert run(emulator, "indexoptions/uv-config", "-o", "name") == 0
    assert capsys.readouterr().out == "indexoptions.artifactindex.dev/uv-config\n"
    assert run(emulator, "acme", "-o", "name") == 1
    assert capsys.readouterr().out == "artifactindex.artifactindex.dev/acme\n"
    assert run(emulator, "acme", "best") == 1
    assert "there is no ArtifactIndex best; without names" in capsys.readouterr().err
    assert run(emulator, "secret/acme") == 2
    assert main(["status", "--kubeconfig", str(emulator.kubeconfig()), "-A", "acme"]) == 2


def test_a_watch_shows_changes_alone(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = 0

    async def sleep(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            emulator.delete("indexoptions", NAMESPACE, FILE)
        if looks == 4:
            raise KeyboardInterrupt
        await asyncio.tasks.sleep(0)

    monkeypatch.setattr(watch, "READ_EVERY", 0)
    monkeypatch.setattr("artifact_index.cli.cluster.watch.asyncio.sleep", sleep)
    assert run(emulator, "--watch") == 130
    printed = capsys.readouterr().out
    assert printed.count("Secret/uv-config") == 1
    assert printed.count("no ArtifactIndex and no IndexOptions") == 1
    assert run(emulator, "--watch", "-o", "json") == 2
