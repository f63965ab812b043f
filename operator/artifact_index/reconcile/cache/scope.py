"""Namespaces with their labels, and which objects of cluster scope they get."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from artifact_index.api.cluster.index_options import ClusterIndexOptionsSpec
from artifact_index.reconcile.cache.kind_cache import KindCache
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    ref_uid_version,
    shared_labels,
)


@dataclass(frozen=True, slots=True)
class NamespaceObject:
    """A namespace that is not being deleted."""

    name: str
    uid: str
    resource_version: int
    labels: Mapping[str, str]


def parse_namespace(body: Mapping[str, Any]) -> NamespaceObject:
    """Trim a namespace to its labels."""
    ref, uid, version = ref_uid_version(body)
    labels = body["metadata"].get("labels") or {}
    return NamespaceObject(ref.name, uid, version, shared_labels(tuple(labels.items())))


@dataclass(frozen=True, slots=True, eq=False)
class ClusterScope:
    """Which ClusterArtifactIndex and ClusterIndexOptions a namespace gets; both sides consent.

    `resource_namespace` holds the Secrets and ServiceAccounts that a ClusterArtifactIndex names.
    `may_serve` is the administrator's bound, asked for each namespace. Without `served`, the kinds
    of cluster scope are neither listed nor watched.
    """

    served: bool = False
    resource_namespace: str = ""
    may_serve: Callable[[str], bool] = lambda _: True
    namespaces: KindCache[ObjectRef, NamespaceObject] = field(default_factory=KindCache)

    def namespace(self, name: str) -> NamespaceObject | None:
        """A namespace by its name; None if it is gone or being deleted."""
        return self.namespaces.get(ObjectRef("", name))

    def home_of(self, index: ObjectRef) -> str:
        """The namespace of the Secrets and ServiceAccounts that an index names."""
        return index.namespace or self.resource_namespace

    def admits(self, index: IndexObject, namespace: str) -> bool:
        """Whether an index may be served in a namespace: its own, or one that it consents to."""
        if not index.cluster:
            return index.ref.namespace == namespace
        found, consent = self.namespace(namespace), index.consent
        if found is None or consent is None:
            return False
        return self.may_serve(namespace) and consent.includes(namespace, found.labels)

    def refused(self, indexes: KindCache[ObjectRef, IndexObject], namespace: str) -> frozenset[str]:
        """The UIDs of those indexes of cluster scope that may not be served in a namespace."""
        if self.namespace(namespace) is None:
            return frozenset()  # it is being deleted, and left alone
        of_cluster = (each for each in indexes.objects() if each.cluster)
        refused = (each for each in of_cluster if not self.admits(each, namespace))
        return frozenset(index.uid for index in refused)

    def selects(self, options: OptionsObject, namespace: NamespaceObject) -> bool:
        """Whether a ClusterIndexOptions writes its outputs into a namespace that consents."""
        spec = options.spec
        if not isinstance(spec, ClusterIndexOptionsSpec):
            return False
        return spec.namespace_selector.matches(namespace.labels) and self.may_serve(namespace.name)
