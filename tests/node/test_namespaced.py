"""The chart for chosen namespaces: no ClusterRole, and builds as with one."""

from collections.abc import Iterator

import pytest

from support.chart import RELEASE
from support.control_plane import wait_until
from support.node.node import Node
from support.tour import PACKAGE, VERSION, Tour, load

pytestmark = pytest.mark.node

PATIENCE = 180.0
SERVED, OTHER = "served", "not-served"


@pytest.fixture(scope="module")
def served(guide: Tour) -> Iterator[Tour]:
    """The operator installed for one namespace."""
    guide.namespace(SERVED)
    guide.namespace(OTHER)
    guide.install(SERVED)
    guide.declare(SERVED)
    yield guide
    guide.uninstall()


def test_without_any_cluster_role_a_job_takes_configmap_and_variables(
    served: Tour, node: Node
) -> None:
    selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
    kinds = "clusterroles,clusterrolebindings"
    assert node.plane.kubectl("get", kinds, selector, "-o", "name").stdout == ""
    assert f"+ {PACKAGE}=={VERSION}" in served.build(SERVED, "uv-env-job.yaml")


def test_a_job_takes_the_mounted_secret(served: Tour) -> None:
    assert f"+ {PACKAGE}=={VERSION}" in served.build(SERVED, "uv-job.yaml")


def test_another_namespace_is_left_alone(served: Tour, node: Node) -> None:
    served.apply(OTHER, *load("anonymous.yaml"), *load("index-options.yaml"))
    # What is declared later in the served namespace is served; this was not by then.
    served.apply(SERVED, *load("anonymous.yaml"))
    path = f"/apis/artifactindex.dev/v1alpha1/namespaces/{SERVED}/artifactindexes"

    def handled() -> bool:
        items = (node.plane.read(path) or {})["items"]
        return all(item["status"]["observedGeneration"] > 0 for item in items)

    wait_until(handled, "the index in the served namespace", PATIENCE)
    secrets = node.plane.read(f"/api/v1/namespaces/{OTHER}/secrets")
    assert secrets is not None
    assert secrets["items"] == []
