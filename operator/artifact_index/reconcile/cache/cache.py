"""The in-memory copy of the cluster, and which objects a change concerns."""

from collections.abc import Collection, Iterable, Iterator, Set
from typing import Literal, NamedTuple

from artifact_index.api.constants import (
    ARTIFACT_INDEX_KIND,
    CLUSTER_INDEX_OPTIONS_KIND,
    INDEX_OPTIONS_KIND,
)
from artifact_index.api.owners import is_of_cluster
from artifact_index.reconcile.cache.kind_cache import Groups, KindCache
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    OutputObject,
    OutputRef,
    declared_outputs,
)
from artifact_index.reconcile.cache.output_owners import OutputOwners, owner_name
from artifact_index.reconcile.cache.scope import ClusterScope, NamespaceObject
from artifact_index.reconcile.cache.selectors import SelectorIndex
from artifact_index.reconcile.cache.sources.secrets import SourceSecrets
from artifact_index.reconcile.cache.sources.users import SourceUsers
from artifact_index.reconcile.cache.writers import Writers
from artifact_index.sources.base import SourceSecret


class Key(NamedTuple):
    """An item of the queue: the outputs of an IndexOptions, its status, or an ArtifactIndex.

    Without a namespace it is the kind of cluster scope. What a ClusterIndexOptions writes into one
    namespace is an item of its own: that namespace, and the name of the object.
    """

    kind: Literal["IndexOptions", "IndexOptionsStatus", "ArtifactIndex", "ClusterOutputs"]
    ref: ObjectRef

    @property
    def shown_kind(self) -> str:
        """The kind in metrics, which tells what a reconcile does."""
        return self.kind if self.ref.namespace else f"Cluster{self.kind}"

    @property
    def object_kind(self) -> str:
        """The kind of the object that is reconciled, for logs."""
        if self.kind == "ClusterOutputs":
            return CLUSTER_INDEX_OPTIONS_KIND
        return self.shown_kind.removesuffix("Status")


def options_key(ref: ObjectRef) -> Key:
    """The queue's key of an IndexOptions."""
    return Key(INDEX_OPTIONS_KIND, ref)


def outputs_key(namespace: str, options: str) -> Key:
    """The queue's key of what the ClusterIndexOptions of this name writes into a namespace."""
    return Key("ClusterOutputs", ObjectRef(namespace, options))


def index_key(ref: ObjectRef) -> Key:
    """The queue's key of an ArtifactIndex."""
    return Key(ARTIFACT_INDEX_KIND, ref)


class Cache:
    """Everything that was observed. Each change returns the keys of the objects it concerns.

    A change without effect concerns nothing: the echo of our own write, or an object that is
    listed once more. `listed` marks an object that comes from a list page and not from a watch
    event. `version` is the resourceVersion of a deletion, 0 if unknown: an older answer that
    arrives after it does not bring the object back.
    """

    def __init__(
        self, installation: str = "", *, signs: bool = False, scope: ClusterScope | None = None
    ) -> None:
        self.scope = scope or ClusterScope()
        self.indexes: KindCache[ObjectRef, IndexObject] = KindCache()
        self.options: KindCache[ObjectRef, OptionsObject] = KindCache()
        self.outputs: KindCache[OutputRef, OutputObject] = KindCache()
        self.writers = Writers(installation, signs=signs, outputs=self.outputs.objects)
        self.sources = SourceSecrets()
        self._selectors = SelectorIndex(self.scope.admits)
        self._options_uids: Groups[str, str] = Groups()
        self.users = SourceUsers(self.indexes, self.scope.home_of)
        self._owners = OutputOwners()

    # ArtifactIndex

    def put_index(self, index: IndexObject, *, listed: bool = False) -> set[Key]:
        """Cache an ArtifactIndex."""
        old = self.indexes.get(index.ref)
        if not self.indexes.put(index.ref, index, listed=listed):
            return set()
        self._selectors.put_index(index, old)
        if index.same_input(old):
            # The annotation echo of our own status write ends here; somebody else's edit of the
            # status is put right.
            changed = old is not None and old.status != index.status
            return {index_key(index.ref)} if changed else set()
        self.users.put(index, old)
        if old is not None:
            self._forget_values(old)
        concerned = self._selectors.selecting(index)
        if old is not None:
            concerned |= self._selectors.selecting(old)
        return {options_key(ref) for ref in concerned} | {index_key(index.ref)}

    def drop_index(self, ref: ObjectRef, uid: str | None = None, version: int = 0) -> set[Key]:
        """Remove a deleted ArtifactIndex."""
        old = self.indexes.remove(ref, uid, version)
        if old is None:
            return set()
        self._selectors.drop_index(old)
        self.users.drop(old)
        self._forget_values(old)
        return {index_key(ref), *map(options_key, self._selectors.selecting(old))}

    def selected(self, options: OptionsObject) -> list[IndexObject]:
        """The indexes that an IndexOptions selects, in no particular order."""
        return self._selectors.selected(options)

    def labels_in(self, namespace: str) -> set[str]:
        """The labels of all indexes of a namespace, each as `key=value`."""
        return self._selectors.labels_in(namespace)

    def consumers(self, index: IndexObject, *, suspended: bool = False) -> list[OptionsObject]:
        """The IndexOptions that select an index and are not suspended, or those that are."""
        found = (self.options.get(ref) for ref in self._selectors.selecting(index))
        return [each for each in found if each and each.spec and each.suspended is suspended]

    # IndexOptions

    def put_options(self, options: OptionsObject, *, listed: bool = False) -> set[Key]:
        """Cache an IndexOptions. Its indexes are concerned once it has been planned."""
        old = self.options.get(options.ref)
        if not self.options.put(options.ref, options, listed=listed):
            return set()
        self._selectors.put_options(options, old)
        if old is not None and old.uid != options.uid:
            self._options_uids.discard(options.ref.namespace, old.uid)
        self._options_uids.add(options.ref.namespace, options.uid)
        if options.same_input(old):
            changed = old is not None and old.status != options.status
            return {options_key(options.ref)} if changed else set()
        if old is not None:
            self._owners.undeclare(old)
        self._owners.declare(options)
        concerned = {options_key(options.ref)}
        if old is not None:
            # An index that is not selected any more reports that itself.
            concerned |= {index_key(index.ref) for index in self.selected(old)}
        return concerned

    def drop_options(self, ref: ObjectRef, uid: str | None = None, version: int = 0) -> set[Key]:
        """Remove a deleted IndexOptions; the garbage collector deletes its outputs."""
        old = self.options.remove(ref, uid, version)
        if old is None:
            return set()
        self._selectors.drop_options(old)
        self._options_uids.discard(ref.namespace, old.uid)
        return {options_key(other) for other in self._owners.undeclare(old)} | {
            index_key(index.ref) for index in self.selected(old)
        }

    def options_uids(self, namespace: str) -> Set[str]:
        """The UIDs of all that may own outputs in a namespace; for use before the next change."""
        own, of_cluster = self._options_uids[namespace], self._options_uids[""]
        return own | of_cluster if of_cluster else own

    # Outputs

    def put_output(self, output: OutputObject, *, listed: bool = False) -> set[Key]:
        """Cache a Secret or ConfigMap that is an output or may become one."""
        old = self.outputs.get(output.ref)
        if not self.outputs.put(output.ref, output, listed=listed):
            return set()
        self.writers.put(output, old)
        self._owners.put(output, old)
        if output.is_version_of(old):
            return set()
        return self._concerned_by_output(output)

    def drop_output(self, ref: OutputRef, uid: str | None = None, version: int = 0) -> set[Key]:
        """Remove an output that was deleted or has lost the label by which we watch it."""
        old = self.outputs.remove(ref, uid, version)
        if old is None:
            return set()
        self.writers.drop(old)
        self._owners.drop(old)
        return self._concerned_by_output(old)

    def lost_output(self, options: OptionsObject) -> bool:
        """True if an output that an IndexOptions names was deleted lately."""
        removed = self.outputs.was_removed
        return self.outputs.any_removed and any(map(removed, declared_outputs(options)))

    def outputs_of(self, options: ObjectRef) -> list[OutputObject]:
        """The outputs that name this IndexOptions as their owner."""
        return [*filter(None, map(self.outputs.get, self._owners.owned(options)))]

    def is_output(self, secret: ObjectRef) -> bool:
        """True if a Secret is an output. A name in `spec.outputs` does not make it one."""
        output = self.outputs.get(OutputRef("Secret", *secret))
        return output is not None and output.labelled

    def outputs_in_cluster(self, options: OptionsObject) -> list[OutputObject]:
        """The outputs of a ClusterIndexOptions in all namespaces."""
        owned = self._owners.owned_in_cluster(options.owner)
        return [*filter(None, map(self.outputs.get, owned))]

    # Namespaces

    def put_namespace(self, namespace: NamespaceObject, *, listed: bool = False) -> set[Key]:
        """Cache a namespace."""
        ref = ObjectRef("", namespace.name)
        old = self.scope.namespaces.get(ref)
        if not self.scope.namespaces.put(ref, namespace, listed=listed):
            return set()
        if old is not None and old.uid == namespace.uid and old.labels == namespace.labels:
            return set()
        return self._concerned_by_namespace(namespace.name) | {
            options_key(ref) for ref in self._selectors.takers_in(namespace.name)
        }

    def drop_namespace(self, ref: ObjectRef, uid: str | None = None, version: int = 0) -> set[Key]:
        """Remove a namespace that was deleted, or is being deleted: it is left alone."""
        removed = self.scope.namespaces.remove(ref, uid, version)
        return self._concerned_by_namespace(ref.name) if removed is not None else set()

    def _concerned_by_namespace(self, name: str) -> set[Key]:
        return {outputs_key(name, ref.name) for ref in self.options if not ref.namespace}

    # Source Secrets

    def put_source(self, ref: ObjectRef, secret: SourceSecret, *, listed: bool = False) -> set[Key]:
        """Cache a labelled source Secret."""
        return self.users_of(ref) if self.sources.put(ref, secret, listed=listed) else set()

    def drop_source(self, ref: ObjectRef, uid: str | None = None, version: int = 0) -> set[Key]:
        """Remove a source Secret that was deleted or has lost its label."""
        return self.users_of(ref) if self.sources.remove(ref, uid, version) else set()

    def named_keys(self, secret: ObjectRef) -> frozenset[str]:
        """The keys of a Secret that an ArtifactIndex names."""
        return self.users.named_keys(secret)

    def users_of(self, secret: ObjectRef) -> set[Key]:
        """The keys of everything that reads a source Secret, or would if it were selected."""
        return self.concerned_by(self.users.of_secret[secret])

    def users_of_outputs(self, outputs: Iterable[OutputRef]) -> set[Key]:
        """The keys of everything that names one of these outputs as its source Secret."""
        concerned: set[Key] = set()
        for kind, *secret in outputs:
            if kind == "Secret":
                concerned |= self.users_of(ObjectRef(*secret))
        return concerned

    def all_keys(self) -> Iterable[Key]:
        """The keys of every object of both kinds."""
        yield from (options_key(ref) for ref in self.options)
        yield from (index_key(ref) for ref in self.indexes)

    def keys_in(self, namespaces: Collection[str]) -> Iterator[Key]:
        """The keys of everything that is or may be written in these namespaces."""
        yield from (key for key in self.all_keys() if key.ref.namespace in namespaces)
        for namespace in namespaces:
            yield from self._concerned_by_namespace(namespace)

    def concerned_by(self, users: Iterable[ObjectRef]) -> set[Key]:
        """The keys of what a change of a source concerns, given the indexes that name it."""
        concerned: set[Key] = set()
        # Thousands of users have few sets of labels: the selectors are matched once for each.
        selecting: dict[object, set[ObjectRef]] = {}
        for ref in users:
            if (index := self.indexes.get(ref)) is not None:
                # Two indexes of cluster scope may be served in different namespaces.
                alike = ref if index.cluster else (ref.namespace, frozenset(index.labels.items()))
                if alike not in selecting:
                    selecting[alike] = self._selectors.selecting(index)
                    concerned |= {options_key(options) for options in selecting[alike]}
                if not selecting[alike]:
                    concerned.add(index_key(ref))
        return concerned

    def _forget_values(self, old: IndexObject) -> None:
        """Stop keeping the values of keys that only this version of an index named."""
        ref, unnamed = self.users.unnamed_keys(old)
        if ref is not None and unnamed:
            self.sources.forget_keys(ref, unnamed)

    def _concerned_by_output(self, output: OutputObject) -> set[Key]:
        namespace = output.ref.namespace
        concerned = {options_key(ref) for ref in self._owners.declaring(output.ref)}
        if self.scope.served:
            of_cluster = self._owners.declaring(output.ref._replace(namespace=""))
            concerned |= {outputs_key(namespace, ref.name) for ref in of_cluster}
        if (owner := owner_name(output)) is not None:
            name = owner.rpartition("/")[2]
            if is_of_cluster(owner):
                concerned.add(outputs_key(namespace, name))
            elif self.options.get(ref := ObjectRef(namespace, owner)) is not None:
                concerned.add(options_key(ref))
        return concerned | self.users_of_outputs({output.ref})
