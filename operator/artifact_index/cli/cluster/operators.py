"""The operators of a cluster, as their Deployments show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.reports import OperatorVersion
from artifact_index.kube.port import Object
from artifact_index.kube.resources import Resource
from artifact_index.settings import Settings

DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
LABELS: Final = f"app.kubernetes.io/name={FIELD_MANAGER}"
"""The chart's label of everything that belongs to an operator, unless nameOverride changes it."""

HOME: Final = "artifact-index-system"
"""The namespace that the documentation installs the operator in."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A Deployment of the operator; `namespaces` are those that it serves, none for all."""

    namespace: str
    name: str
    version: str | None
    ready: bool
    account: str
    namespaces: tuple[str, ...]
    own_namespace: str
    failure: str | None
    replicas: int = 1
    ready_replicas: int = 0
    flags: tuple[str, ...] = ()
    asks_for_scrapes: bool = False
    """Whether its pods have the annotation that many Prometheus configurations look for."""

    @property
    def where(self) -> str:
        """Its place in a message."""
        return f"{self.namespace}/{self.name}"

    @property
    def elects(self) -> bool:
        """Whether its replicas elect a leader."""
        return _values_of("--leader-elect", self.flags)[-1:] == ("true",)

    @property
    def serves_cluster_kinds(self) -> bool:
        """Whether it serves the kinds of cluster scope."""
        return _values_of("--cluster-kinds", self.flags)[-1:] == ("true",)

    @property
    def cluster_resource_namespace(self) -> str:
        """The namespace of what the indexes of cluster scope refer to."""
        given = _values_of("--cluster-resource-namespace", self.flags)
        return given[-1] if given else self.own_namespace

    @property
    def lease(self) -> str:
        """The name of the Lease by which they do, in `own_namespace`."""
        return lease_name(self.own_namespace, self.namespaces)

    @property
    def told(self) -> OperatorVersion:
        """What reports say of it."""
        return OperatorVersion(
            namespace=self.namespace, name=self.name, version=self.version, ready=self.ready,
            namespaces=list(self.namespaces),
        )  # fmt: skip

    def shares_with(self, other: "Operator") -> bool:
        """Whether both serve a namespace."""
        return (
            not self.namespaces
            or not other.namespaces
            or not set(self.namespaces).isdisjoint(other.namespaces)
        )


def lease_name(own_namespace: str, namespaces: Sequence[str]) -> str:
    """The name of the Lease of those that serve these namespaces, none for all."""
    settings = Settings(namespaces=tuple(namespaces), operator_namespace=own_namespace)
    return settings.installation.partition("/")[2]


async def operators(api: CallerApi, namespace: str | None) -> list[Operator]:
    """The operators in a namespace, or in all. Raises ApiError."""
    found: list[Operator] = []
    async for page in api.list(DEPLOYMENTS, namespace=namespace, label_selector=LABELS):
        if page.first:
            found.clear()
        found += map(_operator, page.items)
    return found


def _operator(body: Object) -> Operator:
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    template, ready = spec.get("template") or {}, int(status.get("readyReplicas") or 0)
    pod = template.get("spec") or {}
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    arguments = [
        str(argument)
        for container in pod.get("containers") or ()
        for argument in container.get("args") or ()
    ]
    served = _values_of("--namespace", arguments)
    own = _values_of("--operator-namespace", arguments)
    return Operator(
        namespace=metadata["namespace"],
        name=metadata["name"],
        version=(metadata.get("labels") or {}).get("app.kubernetes.io/version"),
        ready=bool(ready) and status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        account=f"{metadata['namespace']}/{pod.get('serviceAccountName') or 'default'}",
        namespaces=served,
        own_namespace=own[0] if own else metadata["namespace"],
        failure=_failure(status),
        replicas=int(spec.get("replicas", 1)),
        ready_replicas=ready,
        flags=tuple(arguments),
        asks_for_scrapes=annotations.get("prometheus.io/scrape") == "true",
    )


def _values_of(flag: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The values of a flag, which may be repeated and may be a list."""
    given = [text.removeprefix(f"{flag}=") for text in arguments if text.startswith(f"{flag}=")]
    given += [value for text, value in pairwise(arguments) if text == flag]
    return tuple(part.strip() for text in given for part in text.split(",") if part.strip())


def _failure(status: Mapping[str, Any]) -> str | None:
    """Why no pod can be made: Pod Security, a quota, a webhook."""
    for each in status.get("conditions") or ():
        if each.get("type") == "ReplicaFailure" and each.get("status") == "True":
            return str(each.get("message") or each.get("reason"))
    return None
