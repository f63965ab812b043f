"""The labelled source Secrets, and the bound of what is kept of them for each namespace."""

from collections import Counter
from collections.abc import Set
from typing import Final, overload

from artifact_index.reconcile.cache.kind_cache import KindCache
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.sources.base import SourceSecret

MOST_VALUES: Final = 4 * 2**20
"""Characters of values that are kept for one namespace: 40,000 access keys, or 1,700 keys of Google
service accounts. Whoever may create Secrets must not decide on the operator's memory."""


class ValueBudget:
    """Counts the kept values of source Secrets; a namespace has at most `most` characters.

    A Secret that does not fit is kept without its values, and read by name whenever they are used.
    """

    def __init__(self, most: int = MOST_VALUES) -> None:
        self._most = most
        self._kept: Counter[str] = Counter()

    @overload
    def replace(
        self, namespace: str, old: SourceSecret | None, new: SourceSecret
    ) -> SourceSecret: ...
    @overload
    def replace(
        self, namespace: str, old: SourceSecret | None, new: SourceSecret | None
    ) -> SourceSecret | None: ...
    def replace(
        self, namespace: str, old: SourceSecret | None, new: SourceSecret | None
    ) -> SourceSecret | None:
        """Count `new` in place of `old`, and return what may be kept of it."""
        others = self._kept[namespace] - (old.size if old is not None else 0)
        if new is not None and others + new.size > self._most:
            new = new.without_values()
        self._kept[namespace] = others + (new.size if new is not None else 0)
        if not self._kept[namespace]:
            del self._kept[namespace]
        return new


class SourceSecrets(KindCache[ObjectRef, SourceSecret]):
    """The labelled source Secrets. `budget` counts the copies of unlabelled ones, too."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = ValueBudget()

    def put(self, ref: ObjectRef, new: SourceSecret, *, listed: bool = False) -> bool:
        """Cache a version of the Secret, without its values if the namespace is at its bound."""
        old = self.get(ref)
        if not super().put(ref, new, listed=listed):
            return False
        self._keep(ref, old, new)
        return True

    def remove(
        self, ref: ObjectRef, uid: str | None = None, version: int = 0
    ) -> SourceSecret | None:
        """Remove the Secret and return it; None if it is not cached."""
        old = super().remove(ref, uid, version)
        self.budget.replace(ref.namespace, old, None)
        return old

    def complete(self, ref: ObjectRef, read: SourceSecret | None) -> None:
        """Replace the cached copy by one that was read by name, if that is of the same version."""
        old = self.get(ref)
        if old is not None and read is not None and old.is_version_of(read):
            self._keep(ref, old, read)

    def forget_keys(self, ref: ObjectRef, keys: Set[str]) -> None:
        """Keep these keys of the Secret no longer."""
        if (old := self.get(ref)) is not None:
            self._keep(ref, old, old.without(keys))

    def _keep(self, ref: ObjectRef, old: SourceSecret | None, new: SourceSecret) -> None:
        self._objects[ref] = self.budget.replace(ref.namespace, old, new)
