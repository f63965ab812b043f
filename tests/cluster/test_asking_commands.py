"""What administrators and tenants ask beside a real API server, with their own rights."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index import __version__
from artifact_index.cli import main
from artifact_index.cli.reports import (
    ChangeReport,
    PreflightReport,
    ProbeReport,
    StatusReport,
    SupportReport,
    VersionReport,
)
from support.accounts import person
from support.operator_process import OPERATOR_NAMESPACE
from support.world import (
    OPERATOR_ACCOUNT,
    World,
    artifact_index,
    basic_auth,
    in_namespace,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

NAMESPACE = "asking"
PASSWORD = "canary-3e90"
NAME = "artifact-index-operator"


def objects(world: World) -> list[dict[str, Any]]:
    repository = world.index.add_repository("asked", accepts=lambda _, given: given == PASSWORD)
    return in_namespace(
        NAMESPACE,
        [
            secret("login", {"username": "ci", "password": PASSWORD}),
            artifact_index("acme", basicAuth=basic_auth(repository.url, "login")),
            index_options("uv-config"),
            pod("mounts", volumes=[{"name": "f", "secret": {"secretName": "uv-config"}}]),
            pod("variables", envFrom=[{"secretRef": {"name": "uv-config"}}]),
        ],
    )


def pod(name: str, volumes: list[Any] | None = None, **container: Any) -> dict[str, Any]:
    mounts = {"volumeMounts": [{"name": "f", "mountPath": "/etc/uv"}]} if volumes else {}
    one = {"name": "build", "image": "none.invalid/none", **container, **mounts}
    spec = {"containers": [one], "volumes": volumes or [], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def deployment() -> dict[str, Any]:
    """The operator's Deployment as far as `preflight` reads it; no node runs it here."""
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/version": __version__}
    container = {"name": "operator", "image": "none.invalid/none", "args": ["run"]}
    spec = {"serviceAccountName": OPERATOR_ACCOUNT, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": OPERATOR_NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def test_what_people_ask(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def asked(model: Any, *arguments: str, status: int = 0) -> Any:
        """The report of a command, which holds no secret."""
        code = main([*arguments, "-o", "json"])
        printed = capsys.readouterr()
        assert code == status, printed
        assert PASSWORD not in printed.out + printed.err
        return model.model_validate_json(printed.out)

    world.namespace(NAMESPACE)
    with world.operator():
        world.apply(*objects(world))
        world.wait_condition("indexoptions", NAMESPACE, "uv-config", reason="Available")
    viewer, editor = (person(world, NAMESPACE, role, role) for role in ("view", "edit"))

    # A reader may not see the Secret, and learns why that matters.
    (found,) = asked(ProbeReport, "check", "--probe", *editor).indexes
    assert (found.status, found.outcome) == (200, "Answers")
    (found,) = asked(ProbeReport, "check", "--probe", *viewer, status=3).indexes
    assert found.outcome == "NotInFile"

    tokens = {
        each.pod: each.token for each in asked(StatusReport, "status", "--pods", *editor).pods
    }
    assert tokens["mounts"] in ("Arriving", "Current") and tokens["variables"] == "Current"
    report = asked(StatusReport, "status", "--pods", *viewer)
    assert {each.token for each in report.pods} == {"Unknown"} and report.operators is None

    world.apply(*in_namespace(NAMESPACE, [{**secret("before", {"OLD": "x"}), "type": "Opaque"}]))
    outputs = [{"kind": "Secret", "name": "before"}]
    world.apply(*in_namespace(NAMESPACE, [index_options("taker", outputs=outputs)]))
    adopt = ("adopt", "secret/before", "--options", "taker", "--yes")
    assert asked(ChangeReport, *adopt, *editor).objects[0].outcome == "Adopted"
    assert main([*adopt, *viewer]) == 3
    assert "ask for the ClusterRole `edit`" in capsys.readouterr().err

    ask_as_administrator(world, asked)

    report = asked(SupportReport, "report", *viewer)
    assert {each.object.name for each in report.objects} == {"acme", "uv-config", "taker"}
    assert [each.partition(":")[0] for each in report.missing] == ["operators"]

    account = ("--service-account", f"{NAMESPACE}/edit", "--duration", "10m")
    admin = ("--kubeconfig", str(world.plane.kubeconfig_admin))
    assert main(["kubeconfig", *account, *viewer]) == 3
    assert "`kubectl auth can-i create serviceaccounts/edit" in capsys.readouterr().err
    assert main(["kubeconfig", *account, *admin]) == 0
    written = tmp_path / "kubeconfig"
    written.write_text(capsys.readouterr().out)
    assert set(yaml.safe_load(written.read_text())["users"][0]["user"]) == {"token"}
    assert asked(StatusReport, "status", "--kubeconfig", str(written), status=1).files


def ask_as_administrator(world: World, asked: Any) -> None:
    """`preflight` and `version` with all rights, and `preflight` with the operator's own."""
    admin = ("--kubeconfig", str(world.plane.kubeconfig_admin))
    world.apply(deployment())
    checks = asked(PreflightReport, "preflight", *admin, status=1).findings
    verdicts = {each.check: (each.verdict, each.message) for each in checks}
    definitions = [each.verdict for each in checks if each.check == "definitions"]
    assert definitions == ["Good"] * 4
    assert verdicts["version"][0] == verdicts["clock"][0] == "Good"
    assert verdicts["operator"] == ("Bad", f"deployment {OPERATOR_NAMESPACE}/{NAME} is not ready")
    assert verdicts["permissions"][0] == "Good", verdicts["permissions"]

    own = ("--kubeconfig", str(world.kubeconfig), "--in-cluster")
    checks = asked(PreflightReport, "preflight", *own, status=3).findings
    assert {each.check: each.verdict for each in checks}["permissions"] == "Good"
    checks = asked(PreflightReport, "preflight", "--pre", *admin, status=1).findings
    assert {each.check for each in checks if each.verdict == "Bad"} == {"other"}

    versions = asked(VersionReport, "version", *admin)
    assert [each.version for each in versions.operators or ()] == [__version__]
    assert versions.server and versions.served == ["artifactindex.dev/v1alpha1"]
    report = asked(StatusReport, "status", "-n", NAMESPACE, *admin, status=1)
    assert report.operators == versions.operators
    world.plane.kubectl("delete", "deployment", NAME, "-n", OPERATOR_NAMESPACE)
