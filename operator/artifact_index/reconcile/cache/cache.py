"""The observed world in memory, and which objects a change concerns."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from typing import Literal, NamedTuple

from artifact_index.api.constants import (
    ARTIFACT_INDEX_KIND,
    INDEX_OPTIONS_KIND,
    OWNER_ANNOTATION,
)
from artifact_index.reconcile.cache.kind_cache import KindCache, Record, Ref
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    OutputObject,
    OutputRef,
    declared_outputs,
)
from artifact_index.reconcile.cache.selectors import SelectorIndex
from artifact_index.sources.base import SourceSecret
from artifact_index.sources.registry import secret_name, service_account_name


class Key(NamedTuple):
    """One entry of the queue: the outputs of an IndexOptions, its status, or an ArtifactIndex."""

    kind: Literal["IndexOptions", "IndexOptionsStatus", "ArtifactIndex"]
    ref: ObjectRef


def options_key(ref: ObjectRef) -> Key:
    """The queue's key of an IndexOptions."""
    return Key(INDEX_OPTIONS_KIND, ref)


def status_key(ref: ObjectRef) -> Key:
    """The queue's key of the status of an IndexOptions, which can wait where an output cannot."""
    return Key("IndexOptionsStatus", ref)


def index_key(ref: ObjectRef) -> Key:
    """The queue's key of an ArtifactIndex."""
    return Key(ARTIFACT_INDEX_KIND, ref)


class Cache:
    """Everything observed. Each change answers with the keys that it concerns.

    An update that changes nothing (an echo of our own write, an object listed once more) concerns
    nobody. `listed` marks a record that comes from a list and not from the watch. `version` is the
    resourceVersion of a deletion: an older answer that arrives after it brings nothing back.
    """

    def __init__(self) -> None:
        self.indexes: KindCache[ObjectRef, IndexObject] = KindCache()
        self.options: KindCache[ObjectRef, OptionsObject] = KindCache()
        self.outputs: KindCache[OutputRef, OutputObject] = KindCache()
        self.sources: KindCache[ObjectRef, SourceSecret] = KindCache()
        self._selection = SelectorIndex()
        self._options_uids: defaultdict[str, set[str]] = defaultdict(set)
        self._users: defaultdict[ObjectRef, set[ObjectRef]] = defaultdict(set)
        self._account_users: defaultdict[ObjectRef, set[ObjectRef]] = defaultdict(set)
        self._declarers: defaultdict[OutputRef, set[ObjectRef]] = defaultdict(set)
        self._owned: defaultdict[ObjectRef, set[OutputRef]] = defaultdict(set)

    # ArtifactIndex

    def put_index(self, record: IndexObject, *, listed: bool = False) -> set[Key]:
        """Observe an ArtifactIndex."""
        old = self.indexes.get(record.ref)
        if not _put(self.indexes, record.ref, record, listed=listed):
            return set()
        self._selection.put_index(record, old)
        if record.same_input(old):
            # The annotation echo of our own status write ends here; somebody else's edit of the
            # status is put right.
            changed = old is not None and old.status != record.status
            return {index_key(record.ref)} if changed else set()
        if old is not None:
            self._forget_user(old)
        if (secret := secret_name(record.spec)) is not None:
            self._users[ObjectRef(record.ref.namespace, secret)].add(record.ref)
        if (account := service_account_name(record.spec)) is not None:
            self._account_users[ObjectRef(record.ref.namespace, account)].add(record.ref)
        concerned = self._selection.selecting(record)
        if old is not None:
            concerned |= self._selection.selecting(old)
        return {options_key(ref) for ref in concerned} | {index_key(record.ref)}

    def drop_index(
        self, ref: ObjectRef, uid: str | None = None, version: int | None = None
    ) -> set[Key]:
        """An ArtifactIndex is gone."""
        old = self.indexes.remove(ref, uid, version)
        if old is None:
            return set()
        self._selection.drop_index(old)
        self._forget_user(old)
        concerned = {options_key(options) for options in self._selection.selecting(old)}
        return concerned | {index_key(ref)}

    def selected(self, options: OptionsObject) -> list[IndexObject]:
        """The indexes that an IndexOptions selects, in no particular order."""
        return self._selection.selected(options)

    def consumers(self, record: IndexObject) -> list[OptionsObject]:
        """The IndexOptions that select an index and are not suspended."""
        found = (self.options.get(ref) for ref in self._selection.selecting(record))
        return [one for one in found if one and one.spec and not one.spec.suspend]

    # IndexOptions

    def put_options(self, record: OptionsObject, *, listed: bool = False) -> set[Key]:
        """Observe an IndexOptions; its indexes are told when it has been planned."""
        old = self.options.get(record.ref)
        if not _put(self.options, record.ref, record, listed=listed):
            return set()
        self._selection.put_options(record, old)
        uids = self._options_uids[record.ref.namespace]
        if old is not None and old.uid != record.uid:
            uids.discard(old.uid)
        uids.add(record.uid)
        if record.same_input(old):
            changed = old is not None and old.status != record.status
            return {options_key(record.ref)} if changed else set()
        before = self._forget_declared(old) if old else set()
        after = set(declared_outputs(record))
        for output in after:
            self._declarers[output].add(record.ref)
        concerned = {options_key(record.ref)} | self._users_of_secrets(before ^ after)
        if old is not None:
            # An index that is not selected any more says so itself.
            concerned |= {index_key(index.ref) for index in self.selected(old)}
        return concerned

    def drop_options(
        self, ref: ObjectRef, uid: str | None = None, version: int | None = None
    ) -> set[Key]:
        """An IndexOptions is gone; its outputs are the garbage collector's."""
        old = self.options.remove(ref, uid, version)
        if old is None:
            return set()
        self._selection.drop_options(old)
        self._options_uids[ref.namespace].discard(old.uid)
        gone = self._forget_declared(old)
        others = {options_key(other) for output in gone for other in self._declarers[output]}
        indexes = {index_key(index.ref) for index in self.selected(old)}
        return others | indexes | self._users_of_secrets(gone)

    def options_uids(self, namespace: str) -> Set[str]:
        """The UIDs of every IndexOptions of a namespace, as it is from now on: not a copy."""
        return self._options_uids.get(namespace, frozenset())

    # Outputs

    def put_output(self, record: OutputObject, *, listed: bool = False) -> set[Key]:
        """Observe a Secret or ConfigMap that is, or may become, an output."""
        old = self.outputs.get(record.ref)
        if not _put(self.outputs, record.ref, record, listed=listed):
            return set()
        if old is not None:
            self._forget_owned(old)
        if (owner := owner_name(record)) is not None:
            self._owned[ObjectRef(record.ref.namespace, owner)].add(record.ref)
        unchanged = old is not None and _without_version(old) == _without_version(record)
        return set() if unchanged else self._concerned_by_output(record)

    def drop_output(
        self, ref: OutputRef, uid: str | None = None, version: int | None = None
    ) -> set[Key]:
        """An output is gone, or has lost the label by which it is watched."""
        old = self.outputs.remove(ref, uid, version)
        if old is None:
            return set()
        concerned = self._concerned_by_output(old)
        self._forget_owned(old)
        return concerned

    def lost_output(self, record: OptionsObject) -> bool:
        """Whether an output that an IndexOptions names was deleted lately."""
        return any(self.outputs.was_removed(ref) for ref in declared_outputs(record))

    def outputs_of(self, ref: ObjectRef) -> list[OutputObject]:
        """The outputs that name this IndexOptions as their owner."""
        found = (self.outputs.get(output) for output in sorted(self._owned.get(ref, ())))
        return [record for record in found if record is not None]

    def is_output(self, ref: ObjectRef) -> bool:
        """Whether a Secret is an output, or named as one in its namespace."""
        output = OutputRef("Secret", *ref)
        known = self.outputs.get(output)
        return bool(self._declarers.get(output)) or (known is not None and known.labelled)

    # Source Secrets

    def put_source(self, ref: ObjectRef, record: SourceSecret, *, listed: bool = False) -> set[Key]:
        """Observe a labelled source Secret."""
        return self.users_of(ref) if _put(self.sources, ref, record, listed=listed) else set()

    def drop_source(
        self, ref: ObjectRef, uid: str | None = None, version: int | None = None
    ) -> set[Key]:
        """A source Secret is gone, or has lost its label."""
        return self.users_of(ref) if self.sources.remove(ref, uid, version) else set()

    def users_of(self, secret: ObjectRef) -> set[Key]:
        """The keys of everything that reads a source Secret, or would if it were selected."""
        return self._concerned_by_source(self._users.get(secret, ()))

    def users_of_account(self, account: ObjectRef) -> set[Key]:
        """The keys of everything that logs in as a ServiceAccount."""
        return self._concerned_by_source(self._account_users.get(account, ()))

    def _concerned_by_source(self, users: Iterable[ObjectRef]) -> set[Key]:
        concerned: set[Key] = set()
        # Records share their labels: thousands of users are a few looks.
        selecting: dict[tuple[str, int], set[ObjectRef]] = {}
        for ref in users:
            if (record := self.indexes.get(ref)) is not None:
                alike = ref.namespace, id(record.labels)
                if alike not in selecting:
                    selecting[alike] = self._selection.selecting(record)
                    concerned |= {options_key(one) for one in selecting[alike]}
                if not selecting[alike]:
                    concerned.add(index_key(ref))
        return concerned

    def used_secrets(self) -> Iterator[ObjectRef]:
        """Every Secret that some ArtifactIndex names as its source."""
        return (secret for secret, users in self._users.items() if users)

    def used_accounts(self) -> Iterator[ObjectRef]:
        """Every ServiceAccount that some ArtifactIndex logs in as."""
        return iter(self._account_users)

    def all_keys(self) -> Iterable[Key]:
        """Every object of both kinds."""
        yield from (options_key(ref) for ref in self.options)
        yield from (index_key(ref) for ref in self.indexes)

    def _forget_user(self, record: IndexObject) -> None:
        if (secret := secret_name(record.spec)) is not None:
            ref = ObjectRef(record.ref.namespace, secret)
            self._users[ref].discard(record.ref)
            if not self._users[ref]:
                del self._users[ref]
        if (account := service_account_name(record.spec)) is not None:
            ref = ObjectRef(record.ref.namespace, account)
            self._account_users[ref].discard(record.ref)
            if not self._account_users[ref]:
                del self._account_users[ref]

    def _forget_declared(self, record: OptionsObject) -> set[OutputRef]:
        declared = set(declared_outputs(record))
        for output in declared:
            self._declarers[output].discard(record.ref)
        return declared

    def _forget_owned(self, record: OutputObject) -> None:
        if (owner := owner_name(record)) is not None:
            self._owned[ObjectRef(record.ref.namespace, owner)].discard(record.ref)

    def _concerned_by_output(self, record: OutputObject) -> set[Key]:
        concerned = {options_key(ref) for ref in self._declarers.get(record.ref, ())}
        if (owner := owner_name(record)) is not None:
            ref = ObjectRef(record.ref.namespace, owner)
            if self.options.get(ref) is not None:
                concerned.add(options_key(ref))
        return concerned | self._users_of_secrets({record.ref})

    def _users_of_secrets(self, outputs: set[OutputRef]) -> set[Key]:
        concerned: set[Key] = set()
        for output in outputs:
            if output.kind == "Secret":
                concerned |= self.users_of(ObjectRef(output.namespace, output.name))
        return concerned


def owner_name(record: OutputObject) -> str | None:
    """The name of the IndexOptions that owns an output, by reference or, without one, by mark."""
    if record.controller is not None:
        return record.controller.name if record.controller.ours else None
    return record.annotations.get(OWNER_ANNOTATION)


def _put(table: KindCache[Ref, Record], ref: Ref, record: Record, *, listed: bool) -> bool:
    return table.put_listed(ref, record) if listed else table.put(ref, record)


def _without_version(record: OutputObject) -> tuple[object, ...]:
    return (
        record.uid,
        record.controller,
        record.labelled,
        record.annotations,
        record.adopt,
        record.digest,
    )
