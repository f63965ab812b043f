"""`version`, `adopt`, `report` and `kubeconfig` against an API server."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from artifact_index import __version__
from artifact_index.api.constants import ADOPT_ANNOTATION, API_VERSION
from artifact_index.cli import main
from artifact_index.cli.console import Exit
from artifact_index.cli.reports import ChangeReport, SupportReport, VersionReport
from support.emulator import OF_PEOPLE, Emulator
from support.reconcile_builders import NAMESPACE, source

pytestmark = pytest.mark.emulated

CANARY: Final = "canary-77ab"
HOME: Final = "artifact-index-system"
NAME: Final = "artifact-index-operator"
LABELS: Final = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/version": __version__}
FILE: Final = "uv-config"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An operator, one of its pods, and a file."""
    with Emulator(more=OF_PEOPLE) as started:
        ports = [{"name": "http", "containerPort": 9090}]
        flags = ["run", f"--google-token-url=https://ci:{CANARY}@token.test/"]
        spec = {"containers": [{"name": "operator", "args": flags, "ports": ports}]}
        metadata = {"name": NAME, "namespace": HOME, "labels": LABELS}
        started.create(
            "deployments",
            {"metadata": metadata, "spec": {"template": {"spec": spec}},
             "status": {"readyReplicas": 1}},
        )  # fmt: skip
        started.create("pods", {"metadata": {**metadata, "name": "pod-1"}, "spec": spec})
        body = {"metadata": {"name": FILE, "namespace": NAMESPACE}, "spec": {}}
        started.create("indexoptions", body)
        yield started


def run(emulator: Emulator, *arguments: str) -> int:
    command, *others = arguments
    return main([command, "--kubeconfig", str(emulator.kubeconfig()), *others])


# version


def test_the_versions_of_a_cluster(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(emulator, "version", "-o", "json") == 0
    report = VersionReport.model_validate_json(capsys.readouterr().out)
    assert (report.server, report.served) == ("v1.34.4", [API_VERSION])
    assert [each.version for each in report.operators or ()] == [__version__]

    older = {"metadata": {"labels": {"app.kubernetes.io/version": "0.0.9"}}}
    emulator.patch("deployments", HOME, NAME, older)
    assert run(emulator, "version") == 0
    printed = capsys.readouterr()
    assert f"operator     0.0.9  {HOME}/{NAME}  ready\n" in printed.out
    assert "is 0.0.9, this program" in printed.err and "`helm upgrade`" in printed.err

    emulator.fail("list", "deployments", 403, count=None)
    assert run(emulator, "version") == 3
    assert "`kubectl get deployments -A`" in capsys.readouterr().err
    assert run(emulator, "version", "--client") == 0
    emulator.stop()
    capsys.readouterr()
    assert run(emulator, "version", "-o", "json") == 3
    assert json.loads(capsys.readouterr().out)["server"] is None


# adopt


def put(emulator: Emulator, name: str = FILE, **more: Any) -> None:
    """A Secret that was there before the operator."""
    data = {key: base64.b64encode(CANARY.encode()).decode() for key in ("uv.toml", "OLD")}
    metadata = {"name": name, "namespace": NAMESPACE}
    emulator.create("secrets", {"metadata": metadata, "type": "Opaque", "data": data, **more})


def adopted(
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
    *flags: str,
    status: int = 0,
    name: str = FILE,
) -> tuple[str, str]:
    """The outcome of an adoption, and its message."""
    arguments = ("adopt", f"secret/{name}", "--options", FILE, "-n", NAMESPACE, "-o", "json")
    assert run(emulator, *arguments, *flags) == status
    text = capsys.readouterr().out
    assert CANARY not in text
    (change,) = ChangeReport.model_validate_json(text).objects
    return change.outcome, change.message


def consent(emulator: Emulator) -> str | None:
    annotations = emulator.get("secrets", NAMESPACE, FILE)["metadata"].get("annotations") or {}
    return annotations.get(ADOPT_ANNOTATION)


def test_an_adoption_tells_first_what_it_takes(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    put(emulator)

    outcome, message = adopted(emulator, capsys)
    assert outcome == "WouldAdopt" and consent(emulator) is None
    assert "keys that are removed: 'OLD'; keys that are replaced: 'uv.toml'" in message

    outcome, message = adopted(emulator, capsys, "--yes")
    assert outcome == "Adopted" and consent(emulator) == FILE
    assert "`artifact-index why -n builders indexoptions/uv-config`" in message


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"type": "kubernetes.io/tls"}, "has type 'kubernetes.io/tls'"),
        ({"immutable": True}, "is immutable"),
    ],
)
def test_what_the_operator_would_refuse_is_not_annotated(
    more: dict[str, Any],
    says: str,
    emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(emulator, **more)
    outcome, message = adopted(emulator, capsys, "--yes", status=1)
    assert outcome == "Refused" and says in message and consent(emulator) is None


def test_what_cannot_be_adopted(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    put(emulator, "other")
    outcome, message = adopted(emulator, capsys, "--yes", status=1, name="other")
    assert outcome == "Refused" and "which has Secret/uv-config: add it to spec.outputs" in message

    flags = ("-n", NAMESPACE, "--options")
    assert run(emulator, "adopt", "secret/uv-config", *flags, FILE) == 1
    assert "there is no Secret uv-config" in capsys.readouterr().err
    assert run(emulator, "adopt", "secret/uv-config", *flags, "best") == 1
    assert "there are: uv-config" in capsys.readouterr().err
    assert run(emulator, "adopt", "pod/x", *flags, FILE) == 2
    emulator.fail("get", "secrets", 403, count=None)
    assert run(emulator, "adopt", "secret/other", *flags, FILE) == 3
    assert "ask for the ClusterRole `edit`" in capsys.readouterr().err
    emulator.clear_faults()
    put(emulator)
    emulator.fail("patch", "secrets", 409, count=None)
    assert adopted(emulator, capsys, "--yes", status=3)[0] == "Failed"


# report


def fill(emulator: Emulator) -> None:
    """What a report reads, with a secret wherever it might be."""
    put(emulator)
    metadata = {"name": "acme", "namespace": NAMESPACE}
    emulator.create("artifactindexes", {"metadata": metadata, "spec": source("codeArtifact")})
    condition = {
        "type": "Ready", "status": "False", "reason": "AccessDenied",
        "message": f"asked https://aws:{CANARY}@acme.test/simple/",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    status = {"observedGeneration": 1, "conditions": [condition]}
    emulator.patch("artifactindexes", NAMESPACE, "acme", {"status": status}, subresource="status")
    about = {"apiVersion": API_VERSION, "kind": "ArtifactIndex", "namespace": NAMESPACE}
    emulator.create(
        "events",
        {"metadata": {**metadata, "name": "e"}, "involvedObject": {**about, "name": "acme"},
         "reason": "AccessDenied", "message": f"password={CANARY}"},
    )  # fmt: skip
    other = {"apiVersion": "v1", "kind": "Pod", "namespace": NAMESPACE, "name": "p"}
    emulator.create(
        "events",
        {"metadata": {**metadata, "name": "f"}, "involvedObject": other, "reason": "Pulled"},
    )
    pods = f"/api/v1/namespaces/{HOME}/pods"
    emulator.texts[f"{pods}/pod-1/log"] = (
        f"Started\nAuthorization: Basic {CANARY}A1=\n{'eyJ' * 3000}{CANARY}\n"
    )
    emulator.texts[f"{pods}/pod-1:9090/proxy/metrics"] = "artifact_index_up 1\n"


def test_a_report_holds_what_an_issue_needs_and_no_secret(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(emulator)
    emulator.requests.clear()

    assert run(emulator, "report", "-A") == 0

    printed = capsys.readouterr()
    assert CANARY not in printed.out and printed.err == ""
    report = SupportReport.model_validate(yaml.safe_load(printed.out))
    assert report.missing == []
    assert report.settings[f"{HOME}/{NAME}"][1].startswith("--google-token-url=https://")
    by_name = {each.object.name: each for each in report.objects}
    assert by_name["acme"].conditions[0].startswith("Ready=False AccessDenied since 2026-")
    assert len(report.events) == 1 and "AccessDenied: password=" in report.events[0]
    assert report.log[-1] == "[a line of 9011 characters]"
    assert report.log[0] == "Started" and report.metrics == ["artifact_index_up 1"]
    assert not emulator.requests.matching(resource="secrets")
    assert not emulator.requests.writes()


def test_a_report_names_what_it_lacks(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(emulator, "report", "-o", "json") == 0
    printed = capsys.readouterr()
    missing = SupportReport.model_validate_json(printed.out).missing
    assert [each.partition(":")[0] for each in missing] == ["pods/log", "pods/proxy"]
    assert printed.err.count("artifact-index report: missing: ") == 2

    for resource in ("deployments", "artifactindexes", "events"):
        emulator.fail("list", resource, 403, count=None)
    assert run(emulator, "report", "-o", "json") == 0
    missing = SupportReport.model_validate_json(capsys.readouterr().out).missing
    assert [each.partition(":")[0] for each in missing] == [
        "operators", "artifactindexes", "events",
    ]  # fmt: skip
    emulator.stop()
    assert run(emulator, "report") == 3


# kubeconfig


def test_wrong_usage_of_kubeconfig(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account = ("--service-account", "builders/builder")
    assert run(emulator, "kubeconfig", "--service-account", "builder") == 2
    assert run(emulator, "kubeconfig", *account, "--duration", "1m") == 2
    assert run(emulator, "kubeconfig", *account) == 1
    assert (
        "`kubectl auth can-i create serviceaccounts/builder --subresource=token -n builders`"
        in (capsys.readouterr().err)
    )
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(emulator, "kubeconfig", *account) == 2
    assert "write it to a file" in capsys.readouterr().err


# exit statuses


def test_each_exit_status_means_the_same_for_every_command(emulator: Emulator) -> None:
    name = ("-n", NAMESPACE)
    expected = {
        Exit.GOOD: [("version",), ("report",), ("status", "-n", "none")],
        Exit.NOT_GOOD: [("why", *name, "best"), ("status", *name), ("preflight",),
                        ("check", "--probe", *name), ("refresh", *name, "best")],
        Exit.USAGE: [("check",), ("adopt", "x", "--options", "y"), ("status", "-A", "acme"),
                     ("kubeconfig", "--service-account", "x"), ("refresh", *name)],
        Exit.TIMED_OUT: [("refresh", *name, f"indexoptions/{FILE}", "--wait", "--timeout", "10ms"),
                         ("preflight", "--wait", "10ms")],
    }  # fmt: skip
    found = {
        status: [run(emulator, *command) for command in commands]
        for status, commands in expected.items()
    }
    assert found == {status: [status] * len(each) for status, each in expected.items()}

    emulator.stop()
    unknown = [("version",), ("report",), ("preflight",), ("status",), ("why", "best"),
               ("check", "--probe"), ("adopt", "secret/x", "--options", "y"),
               ("kubeconfig", "--service-account", "x/y"), ("refresh", "best")]  # fmt: skip
    assert {run(emulator, *command) for command in unknown} == {Exit.UNKNOWN}
    assert {*expected, Exit.UNKNOWN} == set(Exit)
