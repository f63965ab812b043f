"""Objects that no watch shows: read by name when they are first needed, and read again."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from artifact_index.reconcile.cache.objects import ObjectRef

FIRST_MISS: Final = 1.0
LONGEST_MISS: Final = 30.0

Record = TypeVar("Record")


@dataclass(slots=True)
class _PolledEntry(Generic[Record]):
    record: Record
    due: float
    misses: int = 0


class PolledCache(Generic[Record]):
    """The last answer for each object that is in use.

    One costs one GET every `reread` seconds, however many use it; after a miss it is asked for
    again after 1 s, then less often, up to every 30 s. `fetch` raises what the first reader gets;
    `is_miss` says of an answer that the object is not there. A failed re-read keeps the last one.
    """

    def __init__(
        self,
        *,
        fetch: Callable[[ObjectRef], Awaitable[Record]],
        is_miss: Callable[[Record], bool],
        reread: float,
        rng: random.Random,
    ) -> None:
        self._fetch = fetch
        self._is_miss = is_miss
        self._reread = reread
        self._rng = rng
        self._copies: dict[ObjectRef, _PolledEntry[Record]] = {}
        self._reads: dict[ObjectRef, asyncio.Task[Record]] = {}

    def __contains__(self, ref: ObjectRef) -> bool:
        return ref in self._copies

    def known(self, ref: ObjectRef) -> Record | None:
        """The last answer, or None where there is none yet."""
        copy = self._copies.get(ref)
        return None if copy is None else copy.record

    def forget(self, ref: ObjectRef) -> None:
        """Believe nothing about the object."""
        self._copies.pop(ref, None)

    def keep_only(self, used: Iterable[ObjectRef]) -> None:
        """Forget what is not in use."""
        for ref in self._copies.keys() - set(used):
            del self._copies[ref]

    def due(self) -> list[tuple[ObjectRef, Record]]:
        """What is to be read again now, with the last answer."""
        now = asyncio.get_running_loop().time()
        return [(ref, copy.record) for ref, copy in self._copies.items() if copy.due <= now]

    def put_off(self, ref: ObjectRef) -> None:
        """Read it again later: it cannot be read at the moment."""
        if (copy := self._copies.get(ref)) is not None:
            copy.due = asyncio.get_running_loop().time() + LONGEST_MISS

    async def read(self, ref: ObjectRef) -> Record:
        """The last answer; the first reader waits for the GET. Raises what `fetch` raises."""
        if (copy := self._copies.get(ref)) is not None:
            return copy.record
        if ref not in self._reads:
            self._reads[ref] = asyncio.create_task(self.read_again(ref))
            self._reads[ref].add_done_callback(lambda _: self._reads.pop(ref, None))
        return await asyncio.shield(self._reads[ref])

    async def read_again(self, ref: ObjectRef) -> Record:
        """A new answer. Raises what `fetch` raises."""
        before = self._copies.get(ref)
        now = asyncio.get_running_loop().time()
        record = await self._fetch(ref)
        if self._is_miss(record):
            misses = before.misses + 1 if before else 1
            wait = min(LONGEST_MISS, FIRST_MISS * 2 ** min(misses - 1, 8))
            self._copies[ref] = _PolledEntry(record, now + wait, misses)
        else:
            self._copies[ref] = _PolledEntry(
                record, now + self._reread * self._rng.uniform(0.9, 1.0)
            )
        return record
