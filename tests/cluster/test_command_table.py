"""Every command in every situation, beside a real API server (`support.command_table`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifact_index import __version__
from artifact_index.cli import main
from artifact_index.cli.cluster import diagnosis
from artifact_index.cli.console import Exit
from artifact_index.cli.main import COMMANDS
from support.accounts import person
from support.command_table import AS_JSON, SITUATIONS, TABLE, Row
from support.control_plane import ControlPlane, wait_until
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess
from support.world import (
    OPERATOR_ACCOUNT,
    PATIENCE,
    World,
    artifact_index,
    basic_auth,
    in_namespace,
    index_options,
    secret,
)

pytestmark = pytest.mark.cluster

NAMESPACE = "commands-table"
PASSWORD = "canary-c0d1"
NAME = "operator-of-the-table"
VERSION = "app.kubernetes.io/version"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments"


def objects(world: World) -> list[dict[str, Any]]:
    urls = {
        name: world.index.add_repository(
            f"table-{name}", accepts=lambda _, given: given == PASSWORD
        ).url
        for name in ("acme", "spare")
    }
    return in_namespace(
        NAMESPACE,
        [
            secret("login", {"username": "ci", "password": PASSWORD}),
            *(
                artifact_index(name, name=name, basicAuth=basic_auth(url, "login"))
                for name, url in urls.items()
            ),
            index_options("uv-config"),
        ],
    )


def deployment() -> dict[str, Any]:
    """An operator's Deployment; there is no controller that would write its status."""
    labels = {"app.kubernetes.io/name": "artifact-index-operator", VERSION: __version__}
    args = ["run", f"--namespace={NAMESPACE}"]
    container = {"name": "operator", "image": "none.invalid/none", "args": args}
    spec = {"serviceAccountName": OPERATOR_ACCOUNT, "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


@dataclass(frozen=True)
class Served:
    """A namespace whose indexes an operator has made ready."""

    world: World
    operator: OperatorProcess
    manifests: list[dict[str, Any]]

    def is_deployed(self, *, version: str = __version__, ready: int = 1) -> None:
        """Let the operator's Deployment be as it would be in such a cluster."""
        plane = self.world.plane
        labels = {"metadata": {"labels": {VERSION: version}}}
        plane.write("PATCH", f"{DEPLOYMENTS}/{NAME}", labels)
        status = {"replicas": 1, "readyReplicas": ready, "observedGeneration": 9}
        plane.write("PATCH", f"{DEPLOYMENTS}/{NAME}/status", {"status": status})

    def is_handled(self) -> None:
        """Wait until the operator has seen what earlier cells changed."""
        for name in ("acme", "spare"):
            self.world.wait_condition("artifactindexes", NAMESPACE, name, reason="Available")

    def is_left_alone(self) -> None:
        """End the operator, and change an index."""
        self.operator.stop()
        spec = {"spec": {"priority": 7}}
        self.world.patch("artifactindexes", NAMESPACE, "acme", spec)


@pytest.fixture(scope="module")
def served(world: World) -> Iterator[Served]:
    world.namespace(NAMESPACE)
    world.plane.write("POST", DEPLOYMENTS, deployment())
    with world.operator() as operator:
        manifests = objects(world)
        world.apply(*manifests)
        world.wait_all_served(NAMESPACE, "uv-config")
        yield Served(world, operator, manifests)
    world.plane.write("DELETE", f"{DEPLOYMENTS}/{NAME}", {})


@dataclass(frozen=True)
class Situation:
    """A caller, and what the operator does meanwhile."""

    name: str
    login: tuple[str, ...]
    account: str

    @property
    def patience(self) -> str:
        return "100ms" if self.name in ("behind", "dead") else f"{PATIENCE:.0f}s"


def without_definitions(plane: ControlPlane) -> Situation:
    accounts = "/api/v1/namespaces/default/serviceaccounts/default"
    wait_until(lambda: plane.read(accounts) is not None, "a ServiceAccount", PATIENCE)
    login = ("--kubeconfig", str(plane.kubeconfig_admin))
    return Situation("undefined", login, "default/default")


@pytest.fixture(scope="module")
def situation(request: pytest.FixtureRequest) -> Iterator[Situation]:
    name: str = request.param
    if name == "undefined":
        yield without_definitions(request.getfixturevalue("own_control_plane"))
        return
    served: Served = request.getfixturevalue("served")
    login = ["--kubeconfig", str(served.world.plane.kubeconfig_admin)]
    with pytest.MonkeyPatch.context() as patch:
        if name in ("behind", "dead"):
            # What waits for a moment does so for long here.
            patch.setattr(diagnosis, "UNHANDLED", -1)
            served.is_left_alone()
        else:
            served.is_handled()
        served.is_deployed(
            version="0.0.9" if name == "another version" else __version__,
            ready=0 if name == "dead" else 1,
        )
        if name in ("view", "edit", "nobody"):
            role = None if name == "nobody" else name
            login = person(served.world, NAMESPACE, name, role)
        yield Situation(name, tuple(login), f"{NAMESPACE}/default")


@pytest.fixture(scope="module")
def files(served: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The manifests of what is served, and the file as a pod has it."""
    folder = tmp_path_factory.mktemp("table")
    manifests, file = folder / "all.yaml", folder / "uv.toml"
    manifests.write_text(yaml.safe_dump_all(served.manifests))
    file.write_text(served.world.uv_toml(NAMESPACE, "uv-config") or "")
    return {"manifests": manifests, "file": file}


CELLS = [
    (name, row) for name in SITUATIONS for row in TABLE if row.cells or name == "nobody"
]  # fmt: skip


@pytest.mark.parametrize(
    ("situation", "row"),
    CELLS,
    indirect=["situation"],
    scope="module",
    ids=[f"{name}-{row.line.partition(' {')[0]}" for name, row in CELLS],
)
def test_a_command_in_a_situation(
    situation: Situation,
    row: Row,
    files: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = {"patience": situation.patience, "account": situation.account, **files}
    arguments = row.line.format(**values).split()
    if row.cells is not None:
        arguments += situation.login
        namespace = "default" if situation.name == "undefined" else NAMESPACE
        arguments += ["-n", namespace] if row.in_namespace else []
    as_json = row.report is not None and (situation.name in AS_JSON or row.cells is None)
    arguments += ["-o", "json"] if as_json else []

    status = main(arguments)

    printed = capsys.readouterr()
    everything = printed.out + printed.err
    expected, says = (row.cells or {}).get(situation.name, row.anywhere)
    assert status == expected and says in everything, everything
    assert PASSWORD not in everything
    if status == Exit.UNKNOWN and not printed.out:
        # One line, whose commands are for the same cluster.
        assert printed.err.count("\n") == 1
        assert "auth can-i list" not in everything or (
            f"kubectl --kubeconfig {situation.login[1]} auth can-i list" in everything
        )
    if as_json and printed.out:
        assert row.report is not None
        row.report.model_validate_json(printed.out)


def test_no_command_and_no_exit_status_is_missing() -> None:
    assert {row.command for row in TABLE} == set(COMMANDS)
    found = [row.anywhere if row.cells is None else row.cells[name] for name, row in CELLS]
    assert {status for status, _ in found} == set(Exit)
