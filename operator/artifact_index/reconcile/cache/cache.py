"""The in-memory copy of the cluster, and which objects a change concerns."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from typing import Generic, Literal, NamedTuple, TypeVar

from artifact_index.api.constants import ARTIFACT_INDEX_KIND, INDEX_OPTIONS_KIND, OWNER_ANNOTATION
from artifact_index.reconcile.cache.kind_cache import KindCache
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    OutputObject,
    OutputRef,
    declared_outputs,
)
from artifact_index.reconcile.cache.selectors import SelectorIndex
from artifact_index.reconcile.cache.source_secrets import SourceSecrets
from artifact_index.sources.base import SourceSecret
from artifact_index.sources.registry import secret_use, service_account_name

Group = TypeVar("Group")
Member = TypeVar("Member")


class Key(NamedTuple):
    """An item of the queue: the outputs of an IndexOptions, its status, or an ArtifactIndex."""

    kind: Literal["IndexOptions", "IndexOptionsStatus", "ArtifactIndex"]
    ref: ObjectRef


def options_key(ref: ObjectRef) -> Key:
    """The queue's key of an IndexOptions."""
    return Key(INDEX_OPTIONS_KIND, ref)


def index_key(ref: ObjectRef) -> Key:
    """The queue's key of an ArtifactIndex."""
    return Key(ARTIFACT_INDEX_KIND, ref)


class Groups(Generic[Group, Member]):
    """The members of each group; a group without members is dropped."""

    def __init__(self) -> None:
        self._members: dict[Group, set[Member]] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(self._members)

    def __getitem__(self, group: Group) -> Set[Member]:
        """The members, empty for an unknown group. Not a copy: use it before the next change."""
        return self._members.get(group, frozenset())

    def add(self, group: Group, member: Member) -> None:
        """Add a member to a group."""
        self._members.setdefault(group, set()).add(member)

    def discard(self, group: Group, member: Member) -> None:
        """Remove a member from a group if it is there."""
        if (members := self._members.get(group)) is not None:
            members.discard(member)
            if not members:
                del self._members[group]


class Cache:
    """Everything that was observed. Each change returns the keys of the objects it concerns.

    A change without effect concerns nothing: the echo of our own write, or an object that is
    listed once more. `listed` marks an object that comes from a list page and not from a watch
    event. `version` is the resourceVersion of a deletion, 0 if unknown: an older answer that
    arrives after it does not bring the object back.
    """

    def __init__(self) -> None:
        self.indexes: KindCache[ObjectRef, IndexObject] = KindCache()
        self.options: KindCache[ObjectRef, OptionsObject] = KindCache()
        self.outputs: KindCache[OutputRef, OutputObject] = KindCache()
        self.sources = SourceSecrets()
        self._selectors = SelectorIndex()
        self._options_uids: Groups[str, str] = Groups()
        # The indexes that name a Secret or a ServiceAccount in their source.
        self.secret_users: Groups[ObjectRef, ObjectRef] = Groups()
        self.account_users: Groups[ObjectRef, ObjectRef] = Groups()
        self._declarers: Groups[OutputRef, ObjectRef] = Groups()
        self._owned: Groups[ObjectRef, OutputRef] = Groups()

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
        if old is not None:
            self._forget_user(old)
        for users, source in self._users_beside(index):
            users.add(source, index.ref)
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
        self._forget_user(old)
        self._forget_values(old)
        concerned = {options_key(options) for options in self._selectors.selecting(old)}
        return concerned | {index_key(ref)}

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
            self._forget_declared(old)
        for output in declared_outputs(options):
            self._declarers.add(output, options.ref)
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
        undeclared = self._forget_declared(old)
        others = {options_key(other) for output in undeclared for other in self._declarers[output]}
        indexes = {index_key(index.ref) for index in self.selected(old)}
        return others | indexes

    def options_uids(self, namespace: str) -> Set[str]:
        """The UIDs of every IndexOptions of a namespace; for use before the next change only."""
        return self._options_uids[namespace]

    # Outputs

    def put_output(self, output: OutputObject, *, listed: bool = False) -> set[Key]:
        """Cache a Secret or ConfigMap that is an output or may become one."""
        old = self.outputs.get(output.ref)
        if not self.outputs.put(output.ref, output, listed=listed):
            return set()
        if old is not None:
            self._forget_owned(old)
        if (owner := owner_name(output)) is not None:
            self._owned.add(ObjectRef(output.ref.namespace, owner), output.ref)
        if old is not None and replace(old, resource_version=output.resource_version) == output:
            return set()
        return self._concerned_by_output(output)

    def drop_output(self, ref: OutputRef, uid: str | None = None, version: int = 0) -> set[Key]:
        """Remove an output that was deleted or has lost the label by which we watch it."""
        old = self.outputs.remove(ref, uid, version)
        if old is None:
            return set()
        self._forget_owned(old)
        return self._concerned_by_output(old)

    def lost_output(self, options: OptionsObject) -> bool:
        """True if an output that an IndexOptions names was deleted lately."""
        return any(self.outputs.was_removed(ref) for ref in declared_outputs(options))

    def outputs_of(self, options: ObjectRef) -> list[OutputObject]:
        """The outputs that name this IndexOptions as their owner."""
        owned = (self.outputs.get(ref) for ref in sorted(self._owned[options]))
        return [output for output in owned if output is not None]

    def is_output(self, secret: ObjectRef) -> bool:
        """True if a Secret is an output. A name in `spec.outputs` does not make it one."""
        output = self.outputs.get(OutputRef("Secret", *secret))
        return output is not None and output.labelled

    # Source Secrets

    def put_source(self, ref: ObjectRef, secret: SourceSecret, *, listed: bool = False) -> set[Key]:
        """Cache a labelled source Secret."""
        return self.users_of(ref) if self.sources.put(ref, secret, listed=listed) else set()

    def drop_source(self, ref: ObjectRef, uid: str | None = None, version: int = 0) -> set[Key]:
        """Remove a source Secret that was deleted or has lost its label."""
        return self.users_of(ref) if self.sources.remove(ref, uid, version) else set()

    def named_keys(self, secret: ObjectRef) -> frozenset[str]:
        """The keys of a Secret that an ArtifactIndex names."""
        return frozenset(key for user in self.secret_users[secret] for key in self._keys_of(user))

    def users_of(self, secret: ObjectRef) -> set[Key]:
        """The keys of everything that reads a source Secret, or would if it were selected."""
        return self.concerned_by(self.secret_users[secret])

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

    def concerned_by(self, users: Iterable[ObjectRef]) -> set[Key]:
        """The keys of what a change of a source concerns, given the indexes that name it."""
        concerned: set[Key] = set()
        # Thousands of users have few sets of labels: the selectors are matched once for each.
        selecting: dict[tuple[str, frozenset[tuple[str, str]]], set[ObjectRef]] = {}
        for ref in users:
            if (index := self.indexes.get(ref)) is not None:
                alike = ref.namespace, frozenset(index.labels.items())
                if alike not in selecting:
                    selecting[alike] = self._selectors.selecting(index)
                    concerned |= {options_key(options) for options in selecting[alike]}
                if not selecting[alike]:
                    concerned.add(index_key(ref))
        return concerned

    def _forget_user(self, index: IndexObject) -> None:
        for users, source in self._users_beside(index):
            users.discard(source, index.ref)

    def _keys_of(self, index: ObjectRef) -> tuple[str, ...]:
        """The keys that an index names in its source Secret."""
        cached = self.indexes.get(index)
        use = secret_use(cached.spec) if cached is not None else None
        return use.all_keys if use is not None else ()

    def _forget_values(self, old: IndexObject) -> None:
        """Stop keeping the values of keys that only this version of an index named."""
        if (use := secret_use(old.spec)) is None:
            return
        ref = ObjectRef(old.ref.namespace, use.name)
        # Most users of a Secret name the same keys, so that the first of them answers.
        unnamed = {
            key
            for key in use.all_keys
            if not any(key in self._keys_of(user) for user in self.secret_users[ref])
        }
        if unnamed:
            self.sources.forget_keys(ref, unnamed)

    def _users_beside(
        self, index: IndexObject
    ) -> Iterator[tuple[Groups[ObjectRef, ObjectRef], ObjectRef]]:
        """The groups that an index is in, each with the Secret or ServiceAccount that it uses."""
        if (secret := secret_use(index.spec)) is not None:
            yield self.secret_users, ObjectRef(index.ref.namespace, secret.name)
        if (account := service_account_name(index.spec)) is not None:
            yield self.account_users, ObjectRef(index.ref.namespace, account)

    def _forget_declared(self, options: OptionsObject) -> set[OutputRef]:
        declared = set(declared_outputs(options))
        for output in declared:
            self._declarers.discard(output, options.ref)
        return declared

    def _forget_owned(self, output: OutputObject) -> None:
        if (owner := owner_name(output)) is not None:
            self._owned.discard(ObjectRef(output.ref.namespace, owner), output.ref)

    def _concerned_by_output(self, output: OutputObject) -> set[Key]:
        concerned = {options_key(ref) for ref in self._declarers[output.ref]}
        if (owner := owner_name(output)) is not None:
            ref = ObjectRef(output.ref.namespace, owner)
            if self.options.get(ref) is not None:
                concerned.add(options_key(ref))
        return concerned | self.users_of_outputs({output.ref})


def owner_name(output: OutputObject) -> str | None:
    """The IndexOptions that owns an output: by its owner reference, else by our annotation."""
    if output.controller is not None:
        return output.controller.name if output.controller.ours else None
    return output.annotations.get(OWNER_ANNOTATION)
