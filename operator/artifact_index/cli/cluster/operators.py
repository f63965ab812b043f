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
    flags: tuple[str, ...] = ()
    asks_for_scrapes: bool = False
    """Whether its pods have the annotation that many Prometheus configurations look for."""

    @property
    def where(self) -> str:
        """Its place in a message."""
        return f"{self.namespace}/{self.name}"

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
    template = spec.get("template") or {}
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
        ready=bool(status.get("readyReplicas"))
        and status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        account=f"{metadata['namespace']}/{pod.get('serviceAccountName') or 'default'}",
        namespaces=served,
        own_namespace=own[0] if own else metadata["namespace"],
        failure=_failure(status),
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
