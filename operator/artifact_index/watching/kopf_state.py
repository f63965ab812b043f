"""Replaces what kopf keeps for each object, in it or in memory; our handlers need none of it."""

from typing import Any

import kopf

# `kopf.spawn_tasks` takes a container of this class, but kopf does not export the class.
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory


class NoMemories(ResourceMemories):
    """Remembers nothing between two events of an object.

    kopf's own container remembers timers, daemons and failures, which `on.event` does not have,
    and the memo, which is the same for all objects: 1.4 KiB for each.
    """

    async def recall(self, raw_body: Any, **options: Any) -> ResourceMemory:
        """A memory for this event only."""
        return await super().recall(raw_body, **{**options, "ephemeral": True})


class NoDiffBase(kopf.DiffBaseStorage):
    """Stores no last state in the objects, since no handler asks for differences.

    kopf's own storage would copy each object once more. It would also fail on an object whose
    annotation for that purpose, which anybody may write, is not JSON.
    """

    def build(self, **_: Any) -> Any:
        """An empty essence: nothing is compared."""
        return {}

    def fetch(self, **_: Any) -> None:
        """Nothing was stored."""

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Stores no progress of handlers in the objects: ours have none."""

    def fetch(self, **_: Any) -> None:
        """Nothing was stored."""

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """There is nothing to remove."""

    def touch(self, **_: Any) -> None:
        """Never touch an object."""

    def clear(self, *, essence: Any) -> Any:
        """The essence as it is: it holds no progress."""
        return essence
