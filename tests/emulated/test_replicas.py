"""What the commands say of an operator whose replicas elect a leader."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from artifact_index import __version__
from artifact_index.cli import main
from artifact_index.cli.cluster.operators import lease_name
from artifact_index.cli.reports import PreflightReport, StatusReport, SupportReport
from artifact_index.crdgen.crd import crd_documents
from support.emulator import OF_PEOPLE, Emulator
from support.reconcile_builders import NAMESPACE

pytestmark = pytest.mark.emulated

HOME = "artifact-index-system"
NAME = "artifact-index-operator"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/version": __version__}
HOLDER = "artifact-index-operator-5d9c-x7x2p_0a1b2c3d"
POD = HOLDER.partition("_")[0]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(more=OF_PEOPLE) as started:
        for body in crd_documents().values():
            if body["kind"] == "CustomResourceDefinition":
                started.create("customresourcedefinitions", body)
        started.create_namespace(HOME)
        yield started


def deploy(emulator: Emulator, *flags: str, ready: int = 2, elects: bool = True) -> None:
    """An operator with two replicas, of which some are ready."""
    arguments = ["run", *flags, f"--leader-elect={str(elects).lower()}"]
    template = {
        "metadata": {"annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"containers": [{"name": "operator", "args": arguments}]},
    }
    body = {
        "metadata": {"name": NAME, "namespace": HOME, "labels": LABELS},
        "spec": {"replicas": 2, "template": template},
        "status": {"readyReplicas": ready},
    }
    emulator.create("deployments", body)


def lease(emulator: Emulator, *, name: str = NAME, holder: str = HOLDER, age: float = 1) -> None:
    """A Lease that was renewed so many seconds ago."""
    renewed = datetime.now(UTC) - timedelta(seconds=age)
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": 15,
        "leaseTransitions": 3,
        "renewTime": f"{renewed:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    emulator.create("leases", {"metadata": {"name": name, "namespace": HOME}, "spec": spec})


def run(emulator: Emulator, *arguments: str) -> int:
    command, *others = arguments
    return main([command, "--kubeconfig", str(emulator.kubeconfig()), *others])


@pytest.mark.parametrize(
    ("ready", "age", "shown"),
    [
        (2, 1, f"leader {POD}, 1 standby"),
        (1, 1, f"leader {POD}, no standby"),
        (2, 300, "no leader, 2 standby"),
        (2, None, "no leader, 2 standby"),
    ],
)
def test_status_shows_leader_and_standby(
    ready: int, age: float | None, shown: str, emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    deploy(emulator, ready=ready)
    if age is not None:
        lease(emulator, age=age)

    run(emulator, "status", "-n", NAMESPACE)

    line = capsys.readouterr().out.splitlines()[0]
    where = f"operator  {__version__}  {HOME}/{NAME}  ready"
    assert line == f"{where}  {shown}  serves the whole cluster"


def test_the_lease_is_that_of_the_served_namespaces(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(emulator, f"--namespace=z,{NAMESPACE}")
    lease(emulator, name=lease_name(HOME, ["z", NAMESPACE]))

    run(emulator, "status", "-n", NAMESPACE, "-o", "json")

    operators = StatusReport.model_validate_json(capsys.readouterr().out).operators or []
    assert [(each.leader, each.standbys) for each in operators] == [(POD, 1)]


def test_status_without_an_election_or_the_right_to_see_it(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(emulator)
    emulator.fail("get", "leases", 403, count=None)
    run(emulator, "status", "-n", NAMESPACE)
    assert "  ready  serves the whole cluster\n" in capsys.readouterr().out

    emulator.delete("deployments", HOME, NAME)
    deploy(emulator, elects=False)
    emulator.requests.clear()
    run(emulator, "status", "-n", NAMESPACE)
    assert "  ready  serves the whole cluster\n" in capsys.readouterr().out
    assert emulator.requests.count("get", "leases") == 0


@pytest.mark.parametrize(
    ("ready", "age", "verdict", "message"),
    [
        (2, 1, "Good", f"{POD} leads, and 1 on standby"),
        (1, 1, "Warning", f"{POD} leads, and of the other replicas 0 of 1 are ready to take over"),
        (2, 300, "Bad", f"no replica of {HOME}/{NAME} leads: Lease {HOME}/{NAME} is free or has"),
    ],
)
def test_preflight_looks_at_the_election_and_its_permissions(
    ready: int, age: float, verdict: str, message: str, emulator: Emulator,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    deploy(emulator, ready=ready)
    lease(emulator, age=age)
    emulator.denied.update({"update leases"})

    run(emulator, "preflight", "-o", "json")

    report = PreflightReport.model_validate_json(capsys.readouterr().out)
    found = {each.check: each for each in report.findings}
    assert found["election"].verdict == verdict
    assert found["election"].message.startswith(message)
    missing = f"1 of 24 things: update leases.coordination.k8s.io {NAME} in {HOME}"
    assert missing in found["permissions"].message


def test_preflight_cannot_see_the_lease(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(emulator)
    emulator.fail("get", "leases", 403, count=None)

    assert run(emulator, "preflight") == 3

    step = f"→ test with `kubectl auth can-i get leases/{NAME} -n {HOME}`"
    assert step in capsys.readouterr().out


def test_a_report_holds_the_lease(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    deploy(emulator)
    lease(emulator)

    assert run(emulator, "report", "-o", "json") == 0

    (line,) = SupportReport.model_validate_json(capsys.readouterr().out).leases
    assert line.startswith(f"{HOME}/{NAME}: holderIdentity={HOLDER} leaseDurationSeconds=15 ")
