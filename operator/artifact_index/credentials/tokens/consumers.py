"""The consumers of one token: thousands of files may share it. No clock, no I/O."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Consumers:
    """Who requires a token, for builds of what length in seconds."""

    builds: dict[Hashable, float] = field(default_factory=dict)
    former: set[Hashable] | None = None
    """Consumers that may still publish this token although they no longer require it."""
    longest_build: float = 0
    """The longest build of all consumers; of the last one after it has gone."""
    gone_since: float | None = None
    """When the last one went, in POSIX seconds; None while there is one."""

    def add(self, consumer: Hashable, build: float) -> bool:
        """Take in a consumer, or another build of one; true if the longest build may be another."""
        if self.former is not None:
            self.former.discard(consumer)
            self.former = self.former or None
        before = self.builds.get(consumer)
        if before == build:
            return False
        first = not self.builds
        self.builds[consumer] = build
        if not first and build <= self.longest_build and before != self.longest_build:
            return False
        self.longest_build = max(self.builds.values())
        return True

    def remove(self, consumer: Hashable) -> bool:
        """Drop a consumer; true if it was the last one, or if the longest build may be another.

        Nearly always all have the same build: the first look finds another consumer with it.
        """
        before = self.builds.pop(consumer, None)
        builds = self.builds.values()
        if not builds:
            return True
        if before != self.longest_build or self.longest_build in builds:
            return False
        self.longest_build = max(builds)
        return True

    def add_former(self, consumer: Hashable) -> None:
        """The consumer still publishes the token, and requires another one or none."""
        if self.former is None:
            self.former = set()
        self.former.add(consumer)

    def builds_of(self, tenant_of: Callable[[Hashable], Hashable]) -> dict[Hashable, float]:
        """The longest build of each tenant; 0 if all of its consumers require another token."""
        longest: dict[Hashable, float] = {tenant_of(each): 0.0 for each in self.former or ()}
        for consumer, build in self.builds.items():
            tenant = tenant_of(consumer)
            longest[tenant] = max(build, longest.get(tenant, 0.0))
        return longest

    def all(self) -> frozenset[Hashable]:
        """Everyone who has to learn of a change."""
        return frozenset(self.builds).union(self.former or ())
