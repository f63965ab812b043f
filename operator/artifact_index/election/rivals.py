"""Finds out whether other installations that serve our namespaces still run, by their Leases."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from artifact_index.election.candidate import Record
from artifact_index.election.client import LEASES, record_in
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.reconcile.cache.writers import Writers

_LOOK_EVERY: Final = 2.0
"""Seconds between two looks at the cache; the API server is asked only while there is a rival."""

_ENDED_FOR: Final = 10.0
"""Seconds until the Lease of an installation that has ended is read again."""

_UNREADABLE_FOR: Final = 60.0
"""Seconds until a Lease that cannot be read is tried again."""

_SKEW: Final = 60.0
"""Seconds by which our clock may be ahead of the holder's; beyond, a living one counts as ended
until it renews its Lease."""

_AT_ONCE: Final = 20
"""Leases that one look reads at most: outputs may name any number."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    """A Lease of another installation, and by when it has run out unless it changes."""

    record: Record | None = None
    runs_out_at: float = 0.0
    next_at: float = 0.0


class Rivals:
    """Looks after the Leases of the installations that outputs name.

    One that is released, deleted, or not renewed for its duration has ended, and its namespaces
    are ours until it is renewed again. `on_change` gets the namespaces that come or go so. One
    that cannot be read counts as before, at first as alive. `lease` is ours, in seconds; `wall` is
    the clock in POSIX seconds.
    """

    def __init__(
        self,
        api: KubePort,
        writers: Writers,
        lease: float,
        *,
        on_change: Callable[[list[str]], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._writers = writers
        self._lease = lease
        self._on_change = on_change
        self._wall = wall
        self._seen: dict[str, _Seen] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY)

    async def look(self) -> None:
        """Read the Lease of each installation that holds one of our namespaces, or has held it."""
        writers = self._writers
        self._seen = {each: seen for each, seen in self._seen.items() if each in writers.named}
        for writer, seen in list(islice(self._due(), _AT_ONCE)):
            had_ended = writer in writers.ended
            has_ended = await self._has_ended(writer, seen, had_ended)
            if has_ended == had_ended:
                continue
            runs = "does not run any more" if has_ended else "runs again"
            logger.info("installation %s %s", writer, runs)
            before = writers.rivals().get(writer, [])
            writers.set_ended(writer, has_ended)
            self._on_change(before or writers.rivals().get(writer, []))

    def _due(self) -> Iterator[tuple[str, _Seen]]:
        now, rivals = asyncio.get_running_loop().time(), self._writers.rivals()
        for writer in (*rivals, *self._writers.ended):
            if writer not in self._seen:
                logger.warning(
                    "installation %s serves %s; this one, %s, stands still there",
                    writer, ", ".join(rivals.get(writer, ())), self._writers.own,
                )  # fmt: skip
                self._seen[writer] = _Seen()
            if self._seen[writer].next_at <= now:
                yield writer, self._seen[writer]

    async def _has_ended(self, writer: str, seen: _Seen, had_ended: bool) -> bool:
        now = asyncio.get_running_loop().time()
        namespace, _, name = writer.partition("/")
        try:
            record = record_in(await self._api.get(LEASES, namespace, name))
        except ApiError as error:
            seen.next_at = now + (_ENDED_FOR if error.not_found else _UNREADABLE_FOR)
            # Without an election a process needs no right to read the Lease of its own name.
            unread = error.forbidden and writer == self._writers.lease
            if error.not_found or unread:
                seen.record = None
                return True
            return had_ended
        if seen.record is None or seen.record.spec != record.spec:
            lasts = max(record.duration, self._lease)
            renewed_at = record.renewed_at if seen.record is None else None
            # Each new process would wait for a Lease that an installation has left behind.
            is_old = renewed_at is not None and renewed_at + lasts + _SKEW < self._wall()
            seen.runs_out_at = now if is_old else now + lasts
            seen.record = record
        has_ended = not record.holder or seen.runs_out_at <= now
        seen.next_at = now + _ENDED_FOR if has_ended else now
        return has_ended
