"""An operator in namespaces of its own, with what the chart grants it there, less a permission."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from artifact_index.cli.cluster.operators import lease_name
from support.accounts import AUDIENCE, code_artifact_by, role, service_account
from support.chart import RELEASE
from support.control_plane import service_account_user, wait_until
from support.control_plane.audit import AuditEvent
from support.installation import granted_by_chart
from support.operator_process import OperatorProcess
from support.permissions import Permission, without
from support.world import World, artifact_index, basic_auth, in_namespace, index_options, secret

SERVED, OWN = "served", "served-system"
BUILDER = "builder"
# So long a busy machine may take for one step.
PATIENCE = 120.0

Object = dict[str, Any]


def namespaced_grants() -> list[Object]:
    """What the chart grants an operator in OWN that serves SERVED and logs in as BUILDER there."""
    values = {
        "watchNamespaces": [SERVED],
        "serviceAccountTokens": {"mode": "Listed", "listed": {SERVED: [BUILDER]}},
    }
    return granted_by_chart(values, namespace=OWN)


class Stage:
    """One operator, its two namespaces and its objects; the chart's grants are given rendered.

    `taken` is a permission with the namespace, SERVED or OWN, whose roles lose it.
    """

    def __init__(
        self,
        world: World,
        name: str,
        grants: Iterable[Object],
        taken: tuple[str, Permission] | None,
    ) -> None:
        self.world = world
        self.namespace = name
        self.own = f"{name}-system"
        self.taken = taken
        less = [_taken_from(grant, taken) for grant in grants] if taken else list(grants)
        self._grants = self._placed(less)
        self._begun = world.plane.audit_mark()
        self.operator: OperatorProcess

    @contextmanager
    def running(self, *objects: Object, wait: bool = True) -> Iterator[OperatorProcess]:
        """Create namespaces, grants and objects, and run the operator among them."""
        plane = self.world.plane
        namespaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in (self.namespace, self.own)
        ]
        everything = [*namespaces, *self._grants, *in_namespace(self.namespace, objects)]
        plane.kubectl("create", "-f", "-", input=yaml.safe_dump_all(everything))
        self.operator = OperatorProcess(
            plane.kubeconfig_for(self.own, RELEASE),
            flags=["--namespace", self.namespace, "--watch-patience=1s", "--leader-elect=true"],
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

    def requests(self, **how: Any) -> list[AuditEvent]:
        """What its operator asked the API server for resources, in the audit log so far."""
        user = service_account_user(self.own, RELEASE)
        events = self.world.plane.audit_events(user, **{"since": self._begun, **how})
        return [event for event in events if event.resource]

    def condition(self, kind: str, name: str, reason: str) -> str:
        """Wait for Ready's reason; returns the message."""
        found = self.world.wait_condition(
            kind, self.namespace, name, reason=reason, seconds=PATIENCE
        )
        message: str = found["message"]
        return message

    def get(self, kind: str, name: str) -> Object | None:
        """An object of its namespace."""
        return self.world.get(kind, self.namespace, name)

    def patch(self, kind: str, name: str, body: Object) -> None:
        """A merge patch in its namespace."""
        self.world.patch(kind, self.namespace, name, body)

    def until(self, reached: Callable[[], bool], what: str) -> None:
        """Wait for anything else."""
        wait_until(reached, f"{self.namespace}: {what}", PATIENCE)

    def until_there(self, kind: str, name: str, *, there: bool = True) -> None:
        """Wait until an object of its namespace is there, or is gone."""
        what = f"{kind} {name} to be {'there' if there else 'gone'}"
        self.until(lambda: (self.get(kind, name) is not None) is there, what)

    def lose(self, kind: str, name: str, reached: Callable[[], bool], what: str) -> None:
        """Delete an output as often as it comes back, until something shows.

        It may come back unseen: a listing that finds the IndexOptions tells enough for once.
        """

        def lost() -> bool:
            if self.get(kind, name) is not None:
                self.world.delete(kind, self.namespace, name)
            return reached()

        self.until(lost, what)

    def _placed(self, grants: list[Object]) -> list[Object]:
        """Rendered for SERVED and OWN, as for this stage's namespaces and the Lease of these."""
        text = json.dumps(grants)
        placeholders = {
            OWN: self.own,
            SERVED: self.namespace,
            lease_name(OWN, [SERVED]): lease_name(self.own, [self.namespace]),
        }
        for placeholder, name in placeholders.items():
            text = text.replace(f'"{placeholder}"', f'"{name}"')
        plans: list[Object] = json.loads(text)
        return plans


def _taken_from(granted: Object, taken: tuple[str, Permission]) -> Object:
    namespace, permission = taken
    mine = granted["kind"] == "Role" and granted["metadata"]["namespace"] == namespace
    return without(granted, permission) if mine else granted


# What a stage has.


def _index(name: str, group: str, **source: Any) -> Object:
    return artifact_index(name, name=name, labels={"set": group}, **source)


LOGIN = secret("login", {"password": "first"})
UNLABELLED = secret("unlabelled", {"password": "by-name"}, labelled=False)
BY_LABEL = _index("acme", "main", basicAuth=basic_auth("https://acme.example/simple/", "login"))
BY_NAME = _index(
    "by-name", "main", basicAuth=basic_auth("https://name.example/simple/", "unlabelled")
)
TROUBLED = _index(
    "troubled", "trouble", basicAuth=basic_auth("https://lost.example/simple/", "nowhere")
)
SELECT_MAIN = {"matchLabels": {"set": "main"}}
OUTPUTS = [{"kind": "Secret", "name": "uv-config"}, {"kind": "ConfigMap", "name": "uv-public"}]
OPTIONS = index_options("uv-config", indexSelector=SELECT_MAIN, outputs=OUTPUTS)
TROUBLED_OPTIONS = index_options("trouble", indexSelector={"matchLabels": {"set": "trouble"}})


def taken_name(kind: str) -> list[Object]:
    """A foreign object, and an IndexOptions that names it as its output."""
    foreign = secret("taken", {"mine": "1"}, labelled=False)
    if kind == "ConfigMap":
        foreign = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "taken"}, "data": {}}
    name = f"taken-{kind.lower()}"
    outputs = [{"kind": kind, "name": "taken"}]
    return [foreign, index_options(name, indexSelector=SELECT_MAIN, outputs=outputs)]


def by_account(domain: str) -> list[Object]:
    """A ServiceAccount, and an index that logs in as it; its role is named like the domain."""
    auth = {
        "serviceAccountRef": {"name": BUILDER, "roleARN": role(domain), "audiences": [AUDIENCE]}
    }
    return [
        service_account(BUILDER),
        _index("by-account", "main", codeArtifact=code_artifact_by(auth, domain=domain)),
    ]
