"""What kopf would keep of each object, in it or beside it, and none of our handlers needs."""

from typing import Any

import kopf

# kopf takes a container of this class in `spawn_tasks` and does not export it.
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory


class NoMemories(ResourceMemories):
    """Nothing is remembered between two events of an object.

    kopf's own remember timers, daemons and failures, which `on.event` has none of, and the memo,
    which is one for all: 1.4 KiB for each object.
    """

    async def recall(self, raw_body: Any, **options: Any) -> ResourceMemory:
        """One for this event only."""
        return await super().recall(raw_body, **{**options, "ephemeral": True})


class NoDiffBase(kopf.DiffBaseStorage):
    """No last state is kept in the objects, since no handler asks for differences.

    kopf's own would copy each object once more, and would give up on an object whose annotation of
    that purpose, which anybody may write, is no JSON.
    """

    def build(self, **_: Any) -> Any:
        """Nothing of the object is compared."""
        return {}

    def fetch(self, **_: Any) -> None:
        """Nothing was kept."""

    def store(self, **_: Any) -> None:
        """Keep nothing."""


class NoProgress(kopf.ProgressStorage):
    """No progress of handlers is kept in the objects: ours have none."""

    def fetch(self, **_: Any) -> None:
        """Nothing was kept."""

    def store(self, **_: Any) -> None:
        """Keep nothing."""

    def purge(self, **_: Any) -> None:
        """There is nothing to take away."""

    def touch(self, **_: Any) -> None:
        """Never touch an object."""

    def clear(self, *, essence: Any) -> Any:
        """There is nothing of it in the compared state."""
        return essence
