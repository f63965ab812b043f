"""Two replicas on the real kubelet: their leader is drained, an upgrade replaces both."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from support.control_plane import ControlPlaneFailed, wait_until
from support.node.images import BUILDER, OPERATOR
from support.node.inspection import PODS
from support.node.node import Node
from support.operator_process import OPERATOR_NAMESPACE
from support.tour import PACKAGE, VERSION, Images, Tour
from support.world import OPERATOR_USER, WRITES

pytestmark = pytest.mark.node

NAMESPACE = "replicated"
LEASE = (
    f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/artifact-index-operator"
)
NEWER = OPERATOR.replace(":1", ":2")
PATIENCE = 180.0


@pytest.fixture(scope="module")
def served(guide: Tour) -> Iterator[Tour]:
    """The operator as the chart installs it by default, and one namespace with all examples."""
    guide.install()
    guide.namespace(NAMESPACE)
    guide.declare(NAMESPACE)
    yield guide
    guide.uninstall()


def ready_pods(node: Node) -> dict[str, str]:
    """The image of each pod of the operator that is ready and is to stay."""
    return {
        pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"]
        for pod in (node.plane.read(PODS) or {"items": []})["items"]
        if "deletionTimestamp" not in pod["metadata"]
        and any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in pod["status"].get("conditions", [])
        )
    }


def leader(node: Node) -> str:
    """The pod that the Lease names."""
    lease = node.plane.read(LEASE) or {}
    holder: str = lease.get("spec", {}).get("holderIdentity", "")
    return holder.partition("_")[0]


def evict(node: Node, pod: str) -> None:
    """Evict a pod as `kubectl drain` does; raises ControlPlaneFailed if the budget forbids it."""
    metadata = {"name": pod, "namespace": OPERATOR_NAMESPACE}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    node.plane.write("POST", f"{PODS}/{pod}/eviction", eviction)


@contextmanager
def free_of_charge(served: Tour, node: Node, job: str) -> Iterator[None]:
    """Meanwhile a builder's Job goes on, and nothing is written or minted."""
    mark, minted = node.plane.audit_mark(), served.stand_ins.mints
    with ThreadPoolExecutor(1) as threads:
        building = threads.submit(served.build, NAMESPACE, "uv-job.yaml", name=job)
        yield
        assert f"+ {PACKAGE}=={VERSION}" in building.result()
    writes = node.plane.audit_events(OPERATOR_USER, verbs=WRITES, since=mark)
    others = [(each.verb, each.resource, each.name) for each in writes
              if each.resource != "leases.coordination.k8s.io"]  # fmt: skip
    events = (node.plane.read(f"/api/v1/namespaces/{NAMESPACE}/events") or {"items": []})["items"]
    told = [f"{each['involvedObject']['name']}: {each['reason']}: {each['message']}"
            for each in events if each["involvedObject"]["kind"] == "IndexOptions"]  # fmt: skip
    assert others == [], "\n".join(told)
    assert served.stand_ins.mints == minted


def test_a_drain_of_the_leaders_node_hands_over_and_waits_for_the_next_standby(
    served: Tour, node: Node
) -> None:
    before = ready_pods(node)
    assert len(before) == 2 and leader(node) in before
    old = leader(node)
    (standby,) = before.keys() - {old}
    with free_of_charge(served, node, "uv-build-in-the-drain"):
        evict(node, old)
        # One after the other: the second eviction has to wait for a new pod.
        with pytest.raises(ControlPlaneFailed, match="disruption budget"):
            evict(node, standby)
        wait_until(lambda: leader(node) == standby, "the standby to lead", PATIENCE)
        wait_until(lambda: len(ready_pods(node).keys() - {old}) == 2, "a new standby", PATIENCE)


def test_a_rolling_update_to_another_image_writes_nothing(served: Tour, node: Node) -> None:
    node.tag(OPERATOR, NEWER)
    newer = Tour(served.cluster, served.stand_ins, Images(operator=NEWER, builder=BUILDER))
    with free_of_charge(served, node, "uv-build-in-the-update"):
        newer.install()

        def replaced() -> bool:
            pods = ready_pods(node)
            return list(pods.values()) == [NEWER] * 2 and leader(node) in pods

        wait_until(replaced, "two new pods, of which one leads", PATIENCE)
