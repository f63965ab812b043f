"""One kind of observed object: newest version wins, and a sweep finds what vanished unseen."""

from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar

Ref = TypeVar("Ref", bound=Hashable)


class Versioned(Protocol):
    """What a table needs to know of a record."""

    @property
    def uid(self) -> str:
        """The object's UID."""

    @property
    def resource_version(self) -> int:
        """The version of the object; comparable within one object."""


Record = TypeVar("Record", bound=Versioned)


class KindCache(Generic[Ref, Record]):
    """Records by reference.

    Watch events, list pages and answers to our own writes arrive in any order; a lower
    resourceVersion is old news, also across a deletion and a new object of the same name.
    """

    def __init__(self) -> None:
        self._records: dict[Ref, Record] = {}
        self._touched: set[Ref] | None = None
        # Versions of deletions since the last sweep and since the one before: the answer to a
        # write of ours may still be under way when the deletion is reported.
        self._gone: dict[Ref, int] = {}
        self._gone_before: dict[Ref, int] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Ref]:
        return iter(self._records)

    def records(self) -> list[Record]:
        """The newest record of every object."""
        return list(self._records.values())

    def get(self, ref: Ref) -> Record | None:
        """The newest record known of the object."""
        return self._records.get(ref)

    def is_newer(self, ref: Ref, version: int, *, listed: bool = False) -> bool:
        """Whether a record of this version may be taken: otherwise it need not be made.

        An event touches the object, as `put` does, and an entry of a list does not.
        """
        if self._touched is not None and not listed:
            self._touched.add(ref)
        known = self._records.get(ref)
        return known is None or known.resource_version < version

    def put(self, ref: Ref, record: Record) -> bool:
        """Take a record; False where one at least as new was there already."""
        if self._touched is not None:
            self._touched.add(ref)
        return self._take(ref, record)

    def put_listed(self, ref: Ref, record: Record) -> bool:
        """Take a record from a list, which may hold what an event has removed meanwhile."""
        removed_meanwhile = self._touched is not None and ref in self._touched
        if removed_meanwhile and ref not in self._records:
            return False
        return self._take(ref, record)

    def _take(self, ref: Ref, record: Record) -> bool:
        known = self._records.get(ref)
        if known is not None and known.resource_version >= record.resource_version:
            return False
        if record.resource_version < self._gone.get(ref, self._gone_before.get(ref, 0)):
            return False
        self._records[ref] = record
        return True

    def remove(self, ref: Ref, uid: str | None = None, version: int | None = None) -> Record | None:
        """Forget the object; with `uid` only if it is still that one.

        `version` is that of the deletion: what is older is not believed any more.
        """
        if self._touched is not None:
            self._touched.add(ref)
        known = self._records.get(ref)
        if known is None or (uid is not None and known.uid != uid):
            return None
        if version is not None:
            self._gone[ref] = version
        return self._records.pop(ref)

    def was_removed(self, ref: Ref) -> bool:
        """Whether the object was deleted lately and has not come back."""
        gone = ref in self._gone or ref in self._gone_before
        return gone and ref not in self._records

    def begin_sweep(self) -> None:
        """Start to remember what is touched, before a list is begun."""
        self._touched = set()
        self._gone_before, self._gone = self._gone, {}

    def end_sweep(self, listed: set[Ref]) -> list[Ref]:
        """What the finished list did not hold, and no event touched since it was begun.

        An object that an event brought while the list was under way may be missing in the list
        and alive all the same.
        """
        touched, self._touched = self._touched or set(), None
        return [ref for ref in self._records if ref not in listed and ref not in touched]
