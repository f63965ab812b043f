"""Which outputs are declared by each IndexOptions, and which name it as their owner."""

from collections.abc import Set

from artifact_index.api.owners import is_of_cluster, owner_mark
from artifact_index.reconcile.cache.kind_cache import Groups
from artifact_index.reconcile.cache.objects import (
    ObjectRef,
    OptionsObject,
    OutputObject,
    OutputRef,
    declared_outputs,
)


class OutputOwners:
    """Outputs by those that declare them, and by the owners that their marks name."""

    def __init__(self) -> None:
        self._declarers: Groups[OutputRef, ObjectRef] = Groups()
        # By namespace and mark; without a namespace all outputs of a ClusterIndexOptions.
        self._owned: Groups[ObjectRef, OutputRef] = Groups()

    def declare(self, options: OptionsObject) -> None:
        """Add what an IndexOptions declares."""
        for output in declared_outputs(options):
            self._declarers.add(output, options.ref)

    def undeclare(self, options: OptionsObject) -> set[ObjectRef]:
        """Remove what an IndexOptions declared; returns the others that declare some of it."""
        declared = set(declared_outputs(options))
        for output in declared:
            self._declarers.discard(output, options.ref)
        return {other for output in declared for other in self._declarers[output]}

    def put(self, output: OutputObject, old: OutputObject | None) -> None:
        """Take in whom an output names as its owner, in place of whom its `old` version named."""
        if old is not None:
            self.drop(old)
        if (owner := owner_name(output)) is not None:
            self._owned.add(ObjectRef(output.ref.namespace, owner), output.ref)
            if is_of_cluster(owner):
                self._owned.add(ObjectRef("", owner), output.ref)

    def drop(self, output: OutputObject) -> None:
        """Forget whom an output names as its owner."""
        if (owner := owner_name(output)) is not None:
            self._owned.discard(ObjectRef(output.ref.namespace, owner), output.ref)
            self._owned.discard(ObjectRef("", owner), output.ref)

    def owned(self, owner: ObjectRef) -> list[OutputRef]:
        """The outputs in a namespace, or in any if it is empty, that name this owner, in order."""
        return sorted(self._owned[owner])

    def owned_in_cluster(self, owner: str) -> Set[OutputRef]:
        """The outputs that name a ClusterIndexOptions by its mark; for use before the next put."""
        return self._owned[ObjectRef("", owner)]

    def declaring(self, output: OutputRef) -> Set[ObjectRef]:
        """Those that declare an output; for use before the next change."""
        return self._declarers[output]


def owner_name(output: OutputObject) -> str | None:
    """The owner of an output, as its mark names it."""
    return owner_mark(output.controller, output.annotations)
