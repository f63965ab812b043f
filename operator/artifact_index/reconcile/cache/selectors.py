"""Which IndexOptions selects which ArtifactIndex, without comparing each with each."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import TypeAlias, TypeVar

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef, OptionsObject

CustomResource = TypeVar("CustomResource", IndexObject, OptionsObject)
Group = TypeVar("Group", bound=Hashable)
_Group: TypeAlias = tuple[str, str, str]
"""Namespace, key and value of a label; all objects of a namespace if key and value are empty."""


class SelectorIndex:
    """Both custom resources by label: a selector's first `matchLabels` entry leaves few to compare.

    With a thousand indexes and a hundred selectors in one namespace, comparing each with each is a
    hundred thousand comparisons.

    `admits` tells whether an index of cluster scope may be served in a namespace.
    """

    def __init__(self, admits: Callable[[IndexObject, str], bool]) -> None:
        self._admits = admits
        # The IndexOptions that ask for indexes of cluster scope, by namespace.
        self._takers: defaultdict[str, dict[ObjectRef, OptionsObject]] = defaultdict(dict)
        self._indexes: defaultdict[_Group, dict[ObjectRef, IndexObject]] = defaultdict(dict)
        self._options: defaultdict[_Group, dict[ObjectRef, OptionsObject]] = defaultdict(dict)

    def put_index(self, index: IndexObject, old: IndexObject | None) -> None:
        """Add an ArtifactIndex in place of its `old` version."""
        if old is not None and old.labels != index.labels:
            self.drop_index(old)
        for group in _groups_of(index):
            self._indexes[group][index.ref] = index

    def drop_index(self, index: IndexObject) -> None:
        """Remove an ArtifactIndex."""
        for group in _groups_of(index):
            _drop(self._indexes, group, index.ref)

    def put_options(self, options: OptionsObject, old: OptionsObject | None) -> None:
        """Add an IndexOptions in place of its `old` version."""
        if old is not None:
            self.drop_options(old)
        if options.spec is not None:
            self._options[_required_group(options)][options.ref] = options
            if _takes_cluster_indexes(options):
                self._takers[options.ref.namespace][options.ref] = options

    def drop_options(self, options: OptionsObject) -> None:
        """Remove an IndexOptions."""
        _drop(self._options, _required_group(options), options.ref)
        _drop(self._takers, options.ref.namespace, options.ref)

    def takers_in(self, namespace: str) -> list[ObjectRef]:
        """The IndexOptions of a namespace that ask for indexes of cluster scope."""
        return [*self._takers.get(namespace, ())]

    def selected(self, options: OptionsObject) -> list[IndexObject]:
        """The indexes that an IndexOptions selects, in no particular order."""
        if (spec := options.spec) is None:
            return []
        candidates = self._indexes.get(_required_group(options), {})
        selected = [index for index in candidates.values() if spec.selects(index.labels)]
        if _takes_cluster_indexes(options):
            in_cluster = self._indexes.get(("", "", ""), {}).values()
            selected += [index for index in in_cluster if self._is_taken(index, options)]
        return selected

    def labels_in(self, namespace: str) -> set[str]:
        """The labels of all indexes of a namespace, each as `key=value`."""
        indexes = self._indexes.get((namespace, "", ""), {}).values()
        return {f"{key}={value}" for index in indexes for key, value in index.labels.items()}

    def selecting(self, index: IndexObject) -> set[ObjectRef]:
        """The IndexOptions that select an index."""
        selecting = set[ObjectRef]()
        for group in _groups_of(index):
            for ref, options in self._options.get(group, {}).items():
                if options.spec is not None and options.spec.selects(index.labels):
                    selecting.add(ref)
        if index.cluster:
            takers = (each for group in self._takers.values() for each in group.values())
            selecting |= {options.ref for options in takers if self._is_taken(index, options)}
        return selecting

    def _is_taken(self, index: IndexObject, options: OptionsObject) -> bool:
        spec = options.spec
        asks = isinstance(spec, IndexOptionsSpec) and spec.selects_cluster_index(index.labels)
        return asks and self._admits(index, options.ref.namespace)


def _takes_cluster_indexes(options: OptionsObject) -> bool:
    spec = options.spec
    return isinstance(spec, IndexOptionsSpec) and spec.cluster_index_selector is not None


def _groups_of(index: IndexObject) -> Iterator[_Group]:
    namespace = index.ref.namespace
    yield namespace, "", ""
    for key, value in index.labels.items():
        yield namespace, key, value


def _required_group(options: OptionsObject) -> _Group:
    """The group of a label that every selected index has, or all if there is no `matchLabels`."""
    selector = options.spec.index_selector if options.spec else None
    labels = selector.match_labels if selector else None
    key, value = next(iter(labels.items())) if labels else ("", "")
    return options.ref.namespace, key, value


def _drop(
    groups: defaultdict[Group, dict[ObjectRef, CustomResource]], group: Group, ref: ObjectRef
) -> None:
    members = groups.get(group, {})
    members.pop(ref, None)
    if not members:
        groups.pop(group, None)
