"""The operator's own pod: what is in it, what it costs to lose it."""

import datetime
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.chart import RELEASE
from support.control_plane import ControlPlane, wait_until
from support.node.inspection import (
    measure_start,
    operator_pod,
    operator_started,
    pod_status,
    probe,
    restarts,
)
from support.node.node import Node
from support.operator_process import OPERATOR_NAMESPACE
from support.tour import Tour
from support.world import OPERATOR_USER, WRITES

pytestmark = pytest.mark.node

NAMESPACE = "survivors"
PATIENCE = 180.0
# Seconds from start to ready. On a busy machine the API server is slow as well: the best counts.
LONGEST_START = 3.0
STARTS = 3
# By its own second listing the operator has worked on every object (listed by it, by its watches,
# and by it again).
LISTINGS = 3

LOOK_INSIDE = """
import importlib.util, json, os, shutil, sys
import boto3

def refuses(folder):
    path = f"{folder}/x"
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    os.unlink(path)
    return ""

status = dict(line.strip().split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line)
os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
clients = [boto3.client(name, region_name="eu-west-1") for name in ("codeartifact", "sts", "sso")]
tools = "sh bash pip pip3 apt apt-get dpkg perl gcc cc ld make uv".split()
print(json.dumps({
    "tools": [name for name in tools if shutil.which(name)],
    "modules": [name for name in ("pip", "ensurepip") if importlib.util.find_spec(name)],
    "user": [os.getuid(), os.getgid()],
    "safe path": sys.flags.safe_path,
    "writing": [refuses(folder) for folder in ("/", "/opt/artifact-index", "/var", "/tmp")],
    "capabilities": status["CapEff"],
    "no new privileges": status["NoNewPrivs"],
    "seccomp": status["Seccomp"],
    "endpoints": [client.meta.endpoint_url for client in clients],
}))
"""


@dataclass(frozen=True)
class Cost:
    """What the operator has done since: a mark of the audit log, and the mints until then."""

    guide: Tour
    plane: ControlPlane
    mark: int
    minted: int

    def check_nothing(self) -> None:
        """Wait until the operator has been through everything; it wrote and minted nothing."""
        started = operator_started()
        wait_until(
            lambda: self._listings(started) >= LISTINGS, "the operator's second listing", PATIENCE
        )
        writes = self.plane.audit_events(OPERATOR_USER, verbs=WRITES, since=self.mark)
        assert Counter((write.verb, write.resource, write.name) for write in writes) == {}
        assert self.guide.stand_ins.mints == self.minted

    def _listings(self, started: datetime.datetime) -> int:
        lists = self.plane.audit_events(OPERATOR_USER, verbs=["list"], since=self.mark)
        return sum(item.resource == "configmaps" and item.received_at > started for item in lists)


@pytest.fixture(scope="module")
def served(guide: Tour) -> Iterator[Tour]:
    """One replica without an election, for the whole cluster, and a namespace with all examples."""
    guide.install(replicaCount=1, leaderElection={"enabled": False})
    guide.namespace(NAMESPACE)
    guide.declare(NAMESPACE)
    yield guide
    guide.uninstall()


@pytest.fixture
def cost(served: Tour, node: Node) -> Cost:
    """Counting begins with the test, once what came before has been done."""
    return Cost(served, node.plane, node.plane.audit_mark(), served.stand_ins.mints)


def test_the_image_holds_no_shell_and_no_installer_and_its_pod_can_change_nothing(
    served: Tour, node: Node
) -> None:
    pod = operator_pod(node.plane)
    answer = served.execute(OPERATOR_NAMESPACE, pod, ["python3", "-c", LOOK_INSIDE])
    assert json.loads(answer) == {
        "tools": [],
        "modules": [],
        "user": [65532, 65532],
        "safe path": True,
        "writing": ["Read-only file system"] * 3 + [""],
        "capabilities": "0000000000000000",
        "no new privileges": "1",
        "seccomp": "2",
        "endpoints": [
            "https://codeartifact.eu-west-1.amazonaws.com",
            "https://sts.eu-west-1.amazonaws.com",
            "https://portal.sso.eu-west-1.amazonaws.com",
        ],
    }


def test_its_probes_answer_and_the_kubelet_never_had_to_restart_it(
    served: Tour, node: Node
) -> None:
    pod = operator_pod(node.plane)
    address = pod_status(node.plane, pod)["podIP"]
    assert [probe(address, path) for path in ("/healthz", "/readyz")] == [200, 200]
    assert restarts(node.plane, pod) == 0


def test_helm_test_finds_it_ready_and_leaves_nothing_behind(served: Tour) -> None:
    assert "Phase:          Succeeded" in served.check()
    left = served.cluster.kubectl(
        *("get", "pod,serviceaccount,role,rolebinding", "-n", OPERATOR_NAMESPACE, "-o", "name"),
        *("-l", f"app.kubernetes.io/name={RELEASE}-test"),
    )
    assert left.stdout == ""


def test_a_deleted_pod_is_back_in_three_seconds_and_nothing_is_written_or_minted(
    served: Tour, node: Node, cost: Cost
) -> None:
    starts = []
    for _ in range(STARTS):
        old = operator_pod(node.plane)
        served.cluster.kubectl("delete", "pod", "-n", OPERATOR_NAMESPACE, old, "--wait=false")
        starts.append(measure_start(node.plane, but=old))
        if starts[-1].own_seconds < LONGEST_START:
            break
    print(f"start to ready: {starts}")
    assert min(start.own_seconds for start in starts) < LONGEST_START
    cost.check_nothing()


def test_a_restart_of_the_node_costs_no_write_and_no_mint_and_builds_go_on(
    served: Tour, node: Node, cost: Cost
) -> None:
    pod = operator_pod(node.plane)
    before = restarts(node.plane, pod)
    node.crash()
    node.boot()
    # Until the kubelet says otherwise the API calls the pod ready, as before the crash.
    wait_until(lambda: restarts(node.plane, pod) > before, "the container's restart", PATIENCE)

    assert operator_pod(node.plane) == pod
    cost.check_nothing()
    served.build(NAMESPACE, "uv-job.yaml", name="uv-build-after-the-restart")
