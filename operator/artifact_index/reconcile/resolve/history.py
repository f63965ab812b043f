"""What the resolver remembers of an index from one reconcile to the next."""

from dataclasses import dataclass

from artifact_index.reconcile.cache.objects import ObjectRef


@dataclass(slots=True)
class IndexHistory:
    """Facts about one ArtifactIndex that no object of the cluster stores. Times are POSIX seconds.

    `missing_since` is when its Secret, key or ServiceAccount was first missed; None if it is there.
    `reread_for` is the latest refresh request for which its source was read again. `was_failing`
    means that its last refresh before the start of this process had failed.
    """

    uid: str
    missing_since: float | None = None
    reread_for: int | None = None
    was_failing: bool = False


class Histories:
    """The histories of those indexes that have one."""

    def __init__(self) -> None:
        self._by_index: dict[ObjectRef, IndexHistory] = {}

    def __len__(self) -> int:
        return len(self._by_index)

    def get(self, ref: ObjectRef, uid: str) -> IndexHistory | None:
        """The history of this object, not of an earlier one with its name."""
        history = self._by_index.get(ref)
        return history if history is not None and history.uid == uid else None

    def get_or_add(self, ref: ObjectRef, uid: str) -> IndexHistory:
        """The history of this object, an empty one if it had none."""
        history = self.get(ref, uid)
        if history is None:
            history = self._by_index[ref] = IndexHistory(uid)
        return history

    def forget(self, ref: ObjectRef) -> None:
        """Forget an ArtifactIndex that was deleted, or that no IndexOptions selects."""
        self._by_index.pop(ref, None)
