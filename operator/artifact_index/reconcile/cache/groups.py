"""Sets of objects by what they have in common."""

from collections.abc import Iterator, Set
from typing import Generic, TypeVar

Group = TypeVar("Group")
Member = TypeVar("Member")


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
