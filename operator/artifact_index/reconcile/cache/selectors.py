"""Which IndexOptions selects which ArtifactIndex, without comparing each with each."""

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeVar

from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef, OptionsObject

Group = TypeVar("Group")
Record = TypeVar("Record")
_Label = tuple[str, str, str]
"""Namespace, key and value."""


class SelectorIndex:
    """Both kinds by label: a selector's first `matchLabels` entry leaves few to compare.

    With a thousand indexes in a hundred selections of one namespace, each with each is a hundred
    thousand comparisons for every look.
    """

    def __init__(self) -> None:
        self._indexes: defaultdict[str, dict[ObjectRef, IndexObject]] = defaultdict(dict)
        self._labelled: defaultdict[_Label, dict[ObjectRef, IndexObject]] = defaultdict(dict)
        self._asking: defaultdict[_Label, dict[ObjectRef, OptionsObject]] = defaultdict(dict)
        self._asking_all: defaultdict[str, dict[ObjectRef, OptionsObject]] = defaultdict(dict)

    def put_index(self, record: IndexObject, old: IndexObject | None) -> None:
        """Take an ArtifactIndex in place of what was known of it."""
        if old is not None and old.labels != record.labels:
            self.drop_index(old)
        self._indexes[record.ref.namespace][record.ref] = record
        for label in _labels_of(record):
            self._labelled[label][record.ref] = record

    def drop_index(self, record: IndexObject) -> None:
        """Forget an ArtifactIndex."""
        _forget(self._indexes, record.ref.namespace, record.ref)
        for label in _labels_of(record):
            _forget(self._labelled, label, record.ref)

    def put_options(self, record: OptionsObject, old: OptionsObject | None) -> None:
        """Take an IndexOptions in place of what was known of it."""
        if old is not None:
            self.drop_options(old)
        if record.spec is None:
            return
        label = _asked_label(record)
        if label is None:
            self._asking_all[record.ref.namespace][record.ref] = record
        else:
            self._asking[label][record.ref] = record

    def drop_options(self, record: OptionsObject) -> None:
        """Forget an IndexOptions."""
        label = _asked_label(record)
        if label is None:
            _forget(self._asking_all, record.ref.namespace, record.ref)
        else:
            _forget(self._asking, label, record.ref)

    def selected(self, options: OptionsObject) -> list[IndexObject]:
        """The indexes that an IndexOptions selects, in no particular order."""
        spec, label = options.spec, _asked_label(options)
        if spec is None:
            return []
        if label is None:
            candidates = self._indexes.get(options.ref.namespace, {})
        else:
            candidates = self._labelled.get(label, {})
        return [record for record in candidates.values() if spec.selects(record.labels)]

    def selecting(self, index: IndexObject) -> set[ObjectRef]:
        """The IndexOptions that select an index."""
        found = set[ObjectRef]()
        for candidates in self._may_select(index):
            for ref, options in candidates.items():
                if options.spec is not None and options.spec.selects(index.labels):
                    found.add(ref)
        return found

    def _may_select(self, index: IndexObject) -> Iterator[dict[ObjectRef, OptionsObject]]:
        yield self._asking_all.get(index.ref.namespace, {})
        for label in _labels_of(index):
            yield self._asking.get(label, {})


def _labels_of(record: IndexObject) -> Iterator[_Label]:
    return ((record.ref.namespace, key, value) for key, value in record.labels.items())


def _asked_label(record: OptionsObject) -> _Label | None:
    """One label that everything selected must have; None where the selector names none."""
    selector = record.spec.index_selector if record.spec else None
    if selector is None or not selector.match_labels:
        return None
    key, value = next(iter(selector.match_labels.items()))
    return record.ref.namespace, key, value


def _forget(
    table: defaultdict[Group, dict[ObjectRef, Record]], group: Group, ref: ObjectRef
) -> None:
    members = table.get(group, {})
    members.pop(ref, None)
    if not members:
        table.pop(group, None)
