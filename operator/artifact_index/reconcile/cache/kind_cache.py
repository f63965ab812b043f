"""The cached objects of one kind: the newest version wins, and a sweep finds what vanished."""

from collections.abc import Hashable, Iterator, Set
from typing import Generic, Protocol, TypeVar

Ref = TypeVar("Ref", bound=Hashable)


class Versioned(Protocol):
    """What the cache must know about an object."""

    @property
    def uid(self) -> str:
        """The object's UID."""

    @property
    def resource_version(self) -> int:
        """The object's resourceVersion; comparable within one kind."""


CachedObject = TypeVar("CachedObject", bound=Versioned)
Group = TypeVar("Group", bound=Hashable)
Member = TypeVar("Member", bound=Hashable)


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


class KindCache(Generic[Ref, CachedObject]):
    """Objects of one kind by reference.

    Watch events, list pages and the answers to our own writes arrive in any order. An object with
    a lower resourceVersion is outdated, also after its namesake was deleted and created again. But
    a listing is the truth about every object that nothing has reported since it began: if it shows
    a lower version, etcd was restored from a backup.
    """

    def __init__(self) -> None:
        self.highest_version = 0
        """The highest resourceVersion that was ever cached, also after a listing has shown lower
        ones: only that tells of a restored backup whose objects are listed before it is noticed."""
        self._objects: dict[Ref, CachedObject] = {}
        # What watch events and our own writes have shown since a sweep began; None outside one.
        self._seen: set[Ref] | None = None
        # The resourceVersions of deletions since the last sweep began, and since the one before:
        # the answer to a write of ours may arrive after the event of the deletion.
        self._deleted: dict[Ref, int] = {}
        self._deleted_before: dict[Ref, int] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Ref]:
        return iter(self._objects)

    def objects(self) -> list[CachedObject]:
        """The newest version of every object."""
        return list(self._objects.values())

    def get(self, ref: Ref) -> CachedObject | None:
        """The newest known version of the object."""
        return self._objects.get(ref)

    def is_news(self, ref: Ref, version: int, *, listed: bool = False) -> bool:
        """True if this resourceVersion replaces the cached one, so that parsing it pays."""
        cached = self._objects.get(ref)
        if cached is None or cached.resource_version < version:
            return True
        return cached.resource_version > version and listed and self._is_unreported(ref)

    def is_outdated(self, ref: Ref, version: int) -> bool:
        """True if a list item is older than what was reported since the listing began."""
        return self._has_newer(ref, version) and not self._is_unreported(ref)

    def mark_seen(self, ref: Ref, version: int) -> None:
        """Note that a watch event named the object: the sweep under way will not remove it.

        An event that is older than the cached version tells nothing.
        """
        if self._seen is not None and not self._has_newer(ref, version):
            self._seen.add(ref)

    def put(self, ref: Ref, new: CachedObject, *, listed: bool = False) -> bool:
        """Cache a version of the object; False if the cached one is as new.

        A `listed` object comes from a list page, which may still hold what a watch event has
        removed since. Anything else, such as the answer to our own write, marks it as seen.
        """
        version = new.resource_version
        if not listed:
            self.mark_seen(ref, version)
        if not self.is_news(ref, version, listed=listed):
            return False
        if listed and self._is_unreported(ref):
            self._deleted.pop(ref, None)
            self._deleted_before.pop(ref, None)
        else:
            removed_meanwhile = listed and self._seen is not None and ref not in self._objects
            deleted_at = self._deleted.get(ref, self._deleted_before.get(ref, 0))
            if removed_meanwhile or version < deleted_at:
                return False
        self._objects[ref] = new
        self.highest_version = max(self.highest_version, version)
        return True

    def remove(self, ref: Ref, uid: str | None = None, version: int = 0) -> CachedObject | None:
        """Remove the object and return it; None if it is not cached.

        With `uid` only that very object is removed, and not a later one of the same name.
        `version` is the resourceVersion of the deletion, 0 if unknown: older versions are refused
        from then on.
        """
        if self._seen is not None:
            self._seen.add(ref)
        cached = self._objects.get(ref)
        if cached is None or (uid is not None and cached.uid != uid):
            return None
        if version:
            self._deleted[ref] = version
        return self._objects.pop(ref)

    @property
    def any_removed(self) -> bool:
        """Whether any object was deleted lately."""
        return bool(self._deleted or self._deleted_before)

    def was_removed(self, ref: Ref) -> bool:
        """True if the object was deleted lately and has not come back."""
        deleted = ref in self._deleted or ref in self._deleted_before
        return deleted and ref not in self._objects

    def begin_sweep(self) -> None:
        """Begin to note which objects are seen; call it before the list request is sent."""
        self._seen = set()
        self._deleted_before, self._deleted = self._deleted, {}

    def end_sweep(self, listed: Set[Ref]) -> list[Ref]:
        """The cached objects that the finished list did not hold and no watch event named.

        An object that a watch event brought while the list was under way may be missing in the
        list although it exists.
        """
        seen, self._seen = self._seen or set(), None
        return [ref for ref in self._objects if ref not in listed and ref not in seen]

    def _has_newer(self, ref: Ref, version: int) -> bool:
        return (cached := self._objects.get(ref)) is not None and cached.resource_version > version

    def _is_unreported(self, ref: Ref) -> bool:
        """True if a listing is under way, and nothing has named the object since it began."""
        return self._seen is not None and ref not in self._seen
