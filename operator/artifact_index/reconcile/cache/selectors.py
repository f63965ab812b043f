"""Which IndexOptions selects which ArtifactIndex, without comparing each with each."""

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeAlias, TypeVar

from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef, OptionsObject

Group = TypeVar("Group")
CustomResource = TypeVar("CustomResource", IndexObject, OptionsObject)
_Label: TypeAlias = tuple[str, str, str]
"""Namespace, key and value."""


class SelectorIndex:
    """Both custom resources by label: a selector's first `matchLabels` entry leaves few to compare.

    With a thousand indexes and a hundred selectors in one namespace, comparing each with each is a
    hundred thousand comparisons.
    """

    def __init__(self) -> None:
        self._indexes: defaultdict[str, dict[ObjectRef, IndexObject]] = defaultdict(dict)
        self._labelled: defaultdict[_Label, dict[ObjectRef, IndexObject]] = defaultdict(dict)
        self._selecting: defaultdict[_Label, dict[ObjectRef, OptionsObject]] = defaultdict(dict)
        self._selecting_any: defaultdict[str, dict[ObjectRef, OptionsObject]] = defaultdict(dict)

    def put_index(self, index: IndexObject, old: IndexObject | None) -> None:
        """Add an ArtifactIndex in place of its `old` version."""
        if old is not None and old.labels != index.labels:
            self.drop_index(old)
        self._indexes[index.ref.namespace][index.ref] = index
        for label in _labels_of(index):
            self._labelled[label][index.ref] = index

    def drop_index(self, index: IndexObject) -> None:
        """Remove an ArtifactIndex."""
        _drop(self._indexes, index.ref.namespace, index.ref)
        for label in _labels_of(index):
            _drop(self._labelled, label, index.ref)

    def put_options(self, options: OptionsObject, old: OptionsObject | None) -> None:
        """Add an IndexOptions in place of its `old` version."""
        if old is not None:
            self.drop_options(old)
        if options.spec is None:
            return
        label = _required_label(options)
        if label is None:
            self._selecting_any[options.ref.namespace][options.ref] = options
        else:
            self._selecting[label][options.ref] = options

    def drop_options(self, options: OptionsObject) -> None:
        """Remove an IndexOptions."""
        label = _required_label(options)
        if label is None:
            _drop(self._selecting_any, options.ref.namespace, options.ref)
        else:
            _drop(self._selecting, label, options.ref)

    def selected(self, options: OptionsObject) -> list[IndexObject]:
        """The indexes that an IndexOptions selects, in no particular order."""
        spec, label = options.spec, _required_label(options)
        if spec is None:
            return []
        if label is None:
            candidates = self._indexes.get(options.ref.namespace, {})
        else:
            candidates = self._labelled.get(label, {})
        return [index for index in candidates.values() if spec.selects(index.labels)]

    def selecting(self, index: IndexObject) -> set[ObjectRef]:
        """The IndexOptions that select an index."""
        selecting = set[ObjectRef]()
        for candidates in self._candidates(index):
            for ref, options in candidates.items():
                if options.spec is not None and options.spec.selects(index.labels):
                    selecting.add(ref)
        return selecting

    def _candidates(self, index: IndexObject) -> Iterator[dict[ObjectRef, OptionsObject]]:
        yield self._selecting_any.get(index.ref.namespace, {})
        for label in _labels_of(index):
            yield self._selecting.get(label, {})


def _labels_of(index: IndexObject) -> Iterator[_Label]:
    return ((index.ref.namespace, key, value) for key, value in index.labels.items())


def _required_label(options: OptionsObject) -> _Label | None:
    """A label that every selected index has; None if the selector has no `matchLabels`."""
    selector = options.spec.index_selector if options.spec else None
    if selector is None or not selector.match_labels:
        return None
    key, value = next(iter(selector.match_labels.items()))
    return options.ref.namespace, key, value


def _drop(
    groups: defaultdict[Group, dict[ObjectRef, CustomResource]], group: Group, ref: ObjectRef
) -> None:
    members = groups.get(group, {})
    members.pop(ref, None)
    if not members:
        groups.pop(group, None)
