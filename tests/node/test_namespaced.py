"""The chart for chosen namespaces: no ClusterRole, and builds as with one."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.chart import RELEASE
from support.control_plane import wait_until
from support.node.node import Node
from support.operator_process import OPERATOR_NAMESPACE
from support.tour import PACKAGE, SETTLE_SECONDS, VERSION, Tour, load
from support.wheels import make_wheel

pytestmark = pytest.mark.node

PATIENCE = 180.0
SERVED, OTHER = "served", "not-served"
STAGES = {"dev": "token-of-dev", "prod": "token-of-prod"}


@pytest.fixture(scope="module")
def served(guide: Tour, node: Node) -> Iterator[Tour]:
    """The operator installed for one namespace."""
    guide.namespace(SERVED)
    guide.namespace(OTHER)
    guide.install(SERVED)
    guide.declare(SERVED)
    yield guide
    guide.uninstall()
    # Helm takes the right to release it away before the pods end.
    node.plane.kubectl("delete", "leases", "--all", "-n", OPERATOR_NAMESPACE)


def test_without_any_cluster_role_a_job_takes_configmap_and_variables(
    served: Tour, node: Node
) -> None:
    selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
    kinds = "clusterroles,clusterrolebindings"
    assert node.plane.kubectl("get", kinds, selector, "-o", "name").stdout == ""
    assert f"+ {PACKAGE}=={VERSION}" in served.build(SERVED, "uv-env-job.yaml")


def test_a_job_takes_the_mounted_secret(served: Tour) -> None:
    assert f"+ {PACKAGE}=={VERSION}" in served.build(SERVED, "uv-job.yaml")


def test_one_lock_builds_in_dev_and_prod(served: Tour) -> None:
    """One URL with a login for each stage, and the cut-off that the project was locked with."""
    server = served.stand_ins.index
    repository = server.add_repository(
        "artifactory/api/pypi/python",
        make_wheel(PACKAGE, VERSION),
        accepts=lambda _, password: password in STAGES.values(),
    )
    here = repository.url.removesuffix("/simple/")
    project, _ = load("builders/uv-locked-job.yaml")
    (example,) = load("basic-auth.yaml")
    there = example["spec"]["basicAuth"]["url"].removesuffix("/simple")
    project["data"] = {name: text.replace(there, here) for name, text in project["data"].items()}
    served.apply(SERVED, project)

    jobs = [_stage(served, stage, f"{here}/simple") for stage in STAGES]
    for log in served.build_at_once(SERVED, *jobs):
        assert f"+ {PACKAGE}=={VERSION}" in log
    opened = [each.password for each in server.requests(repository.prefix) if each.status == 200]
    assert set(opened) == set(STAGES.values())


def _stage(served: Tour, stage: str, url: str) -> dict[str, Any]:
    """Declare an index and a file for this stage, and return the Job that mounts the file."""
    (index,), (options,) = load("basic-auth.yaml"), load("index-options.yaml")
    _, job = load("builders/uv-locked-job.yaml")
    secret: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"login-{stage}", "labels": {"artifactindex.dev/role": "source"}},
        "stringData": {"username": "ci", "password": STAGES[stage]},
    }
    index["metadata"] = {"name": f"locked-{stage}", "labels": {"stage": stage}}
    index["spec"]["basicAuth"] |= {"url": url}
    index["spec"]["basicAuth"]["secretRef"]["name"] = secret["metadata"]["name"]
    options["metadata"]["name"] = file = f"uv-config-{stage}"
    options["spec"]["indexSelector"] = {"matchLabels": {"stage": stage}}
    options["spec"]["outputs"] = [{"kind": "Secret", "name": file, "formats": ["UvToml"]}]
    served.apply(SERVED, secret, index, options)
    served.cluster.kubectl(
        *("wait", f"indexoptions/{file}", "--namespace", SERVED),
        *("--for=condition=Ready", f"--timeout={SETTLE_SECONDS:.0f}s"),
    )
    job["metadata"]["name"] = f"uv-locked-{stage}"
    (volume,) = (each for each in job["spec"]["template"]["spec"]["volumes"] if "secret" in each)
    volume["secret"]["secretName"] = file
    return job


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
