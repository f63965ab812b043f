"""Each permission for the kinds of cluster scope is needed, and its loss shows in the log.

Each case runs an operator of its own under the chart's ClusterRole less one permission.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest

from support.accounts import service_account
from support.chart import RELEASE
from support.control_plane import service_account_user, wait_until
from support.installation import granted_by_chart, roles_of
from support.operator_process import OperatorProcess
from support.permissions import Permission, permissions_of, without
from support.world import World, condition_in

pytestmark = pytest.mark.cluster

PATIENCE = 120.0
API = "/apis/artifactindex.dev/v1alpha1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "artifactindex.dev"
KINDS = {
    "clusterartifactindexes": "ClusterArtifactIndex",
    "clusterindexoptions": "ClusterIndexOptions",
}
Case = Callable[["Lacking"], None]


class Lacking:
    """An operator that lacks one permission, and a definition that one namespace gets."""

    def __init__(self, world: World, name: str, taken: Permission) -> None:
        self.world, self.name, self.taken = world, name, taken
        self.own = f"{name}-system"
        self.operator: OperatorProcess
        self._begun = world.plane.audit_mark()

    @contextmanager
    def running(self, *, wait: bool) -> Iterator[OperatorProcess]:
        """Run the operator, and leave nothing of cluster scope behind.

        One that is not waited for ends, so it gets nothing to serve.
        """
        plane = self.world.plane
        for namespace in (self.name, self.own):
            self.world.namespace(namespace)
        for path, body in self._grants().items():
            plane.write("POST", path, body)
        for plural, spec in self._specs().items() if wait else ():
            body = {
                "apiVersion": f"{GROUP}/v1alpha1", "kind": KINDS[plural],
                "metadata": {"name": self.name}, "spec": spec,
            }  # fmt: skip
            plane.write("POST", f"{API}/{plural}", body)
        self.operator = OperatorProcess(
            plane.kubeconfig_for(self.own, RELEASE),
            flags=[
                "--cluster-kinds=true",
                f"--cluster-kinds-namespaces={self.name}",
                "--watch-patience=1s",
            ],
            env=self.world.aws.env(),
            namespace=self.own,
            forked=True,
        )
        self.operator.start(wait=False)
        try:
            if wait:
                self.operator.wait_ready(seconds=PATIENCE)
            yield self.operator
        finally:
            self.operator.stop()
            for plural in KINDS if wait else ():
                plane.write("DELETE", f"{API}/{plural}/{self.name}")
            for plural in ("clusterrolebindings", "clusterroles"):
                plane.write("DELETE", f"{RBAC}/{plural}/{self.name}")

    def status(self, plural: str) -> dict[str, Any]:
        """The status of one of the two objects."""
        found = self.world.plane.read(f"{API}/{plural}/{self.name}") or {}
        return dict(found.get("status") or {})

    def until(self, reached: Callable[[], bool], what: str) -> None:
        wait_until(reached, f"{self.name}: {what}", PATIENCE)

    def refused(self) -> set[Permission]:
        """What the API server has refused this operator."""
        user = service_account_user(self.own, RELEASE)
        events = self.world.plane.audit_events(user, since=self._begun)
        return {Permission.used_by(each) for each in events if each.resource and each.code == 403}

    def _grants(self) -> dict[str, dict[str, Any]]:
        (granted,) = (each for each in cluster_roles() if each["kind"] == "ClusterRole")
        role = {**without(granted, self.taken), "metadata": {"name": self.name}}
        binding = {
            "metadata": {"name": self.name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": self.name,
            },
            "subjects": [{"kind": "ServiceAccount", "name": RELEASE, "namespace": self.own}],
        }  # fmt: skip
        return {
            f"/api/v1/namespaces/{self.own}/serviceaccounts": service_account(RELEASE),
            f"{RBAC}/clusterroles": role,
            f"{RBAC}/clusterrolebindings": binding,
        }

    def _specs(self) -> dict[str, dict[str, Any]]:
        index = {
            "namespaces": {"names": [self.name]},
            "anonymous": {"url": "https://acme.example/simple/"},
        }
        return {"clusterartifactindexes": index, "clusterindexoptions": {"namespaceSelector": {}}}


def cluster_roles() -> list[dict[str, Any]]:
    """The operator's roles of an installation for the whole cluster."""
    return roles_of(granted_by_chart({"serviceAccountTokens": {"mode": "All"}}))


def ends(lacking: Lacking) -> None:
    """The process ends with one line that says why."""
    with lacking.running(wait=False) as operator:
        assert operator.process is not None
        assert operator.process.wait(PATIENCE) == 1
        line = operator.log.rstrip().rpartition("\n")[2]
    assert lacking.taken.denial in line and "rbac.create" in line


def no_status(plural: str, other: str) -> Case:
    """The status stays empty; the output is written, and the other kind's status."""

    def case(lacking: Lacking) -> None:
        with lacking.running(wait=True) as operator:
            lacking.until(
                lambda: condition_in({"status": lacking.status(other)}).get("status") == "True",
                "the other status",
            )
            lacking.until(lambda: lacking.taken.denial in operator.log, "the log")
            assert lacking.status(plural) == {"observedGeneration": -1}
            assert lacking.world.uv_toml(lacking.name, lacking.name) is not None

    return case


def not_repaired(lacking: Lacking) -> None:
    """An output that somebody deleted does not come back; a listing may hide it for once."""
    with lacking.running(wait=True) as operator:
        world, name = lacking.world, lacking.name
        lacking.until(lambda: world.uv_toml(name, name) is not None, "the output")

        def lost() -> bool:
            if world.get("secret", name, name) is not None:
                world.delete("secret", name, name)
            return lacking.taken.denial in operator.log

        lacking.until(lost, "the log")


ENDING = [
    f"{verb} {plural}"
    for plural in (*(f"{plural}.{GROUP}" for plural in KINDS), "namespaces")
    for verb in ("list", "watch")
]
GOING_ON: dict[str, Case] = {
    f"get clusterindexoptions.{GROUP}": not_repaired,
    f"patch clusterindexoptions.{GROUP}/status": no_status(
        "clusterindexoptions", "clusterartifactindexes"
    ),
    f"patch clusterartifactindexes.{GROUP}/status": no_status(
        "clusterartifactindexes", "clusterindexoptions"
    ),
}


def played(world: World, text: str, case: Case) -> None:
    """Play one case in namespaces of its own; raises what is wrong."""
    verb, plural = text.partition(".")[0].split()
    subresource = "-status" if text.endswith("/status") else ""
    taken = Permission.parse(text)
    lacking = Lacking(world, f"without-{verb}-{plural}{subresource}", taken)

    case(lacking)

    lacking.until(lambda: bool(lacking.refused()), "the refusal in the audit log")
    assert lacking.refused() == {taken}


def test_there_is_a_case_for_each_permission() -> None:
    without_them = {"serviceAccountTokens": {"mode": "All"}, "clusterKinds": {"enabled": False}}
    granted, less = (
        {permission for role in roles for permission in permissions_of(role["rules"])}
        for roles in (cluster_roles(), roles_of(granted_by_chart(without_them)))
    )
    assert {str(each) for each in granted - less} == {*ENDING, *GOING_ON}


def test_without_list_or_watch_the_process_ends_and_names_it(world: World) -> None:
    """All at a time: most of it is waiting for the watches to be given up."""
    with ThreadPoolExecutor(len(ENDING)) as pool:
        done, _ = wait([pool.submit(played, world, text, ends) for text in ENDING])
    problems = [problem for each in done if (problem := each.exception()) is not None]
    if problems:
        raise problems[0]


@pytest.mark.parametrize("text", GOING_ON)
def test_without_it_something_fails_and_the_permission_is_named(world: World, text: str) -> None:
    played(world, text, GOING_ON[text])
