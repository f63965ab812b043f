"""Copies of objects that no watch covers: read by name at first use, and re-read periodically."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from artifact_index.reconcile.cache.objects import ObjectRef

FIRST_MISS: Final = 1.0
LONGEST_MISS: Final = 30.0

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _PolledEntry(Generic[Answer]):
    answer: Answer
    due: float
    misses: int = 0


class PolledCache(Generic[Answer]):
    """The last answer for each object that is in use.

    An object costs one GET every `reread` seconds, however many use it. After a miss it is read
    again after 1 s, then less often, up to every 30 s. `fetch` raises what the first reader gets;
    `is_miss` is True for an answer without the object. A failed re-read keeps the last answer.
    """

    def __init__(
        self,
        *,
        fetch: Callable[[ObjectRef], Awaitable[Answer]],
        is_miss: Callable[[Answer], bool],
        reread: float,
        rng: random.Random,
    ) -> None:
        self._fetch = fetch
        self._is_miss = is_miss
        self._reread = reread
        self._rng = rng
        self._entries: dict[ObjectRef, _PolledEntry[Answer]] = {}
        self._reads: dict[ObjectRef, asyncio.Task[Answer]] = {}

    def __contains__(self, ref: ObjectRef) -> bool:
        return ref in self._entries

    def last_answer(self, ref: ObjectRef) -> Answer | None:
        """The last answer; None before the first. Reads nothing."""
        entry = self._entries.get(ref)
        return None if entry is None else entry.answer

    def forget(self, ref: ObjectRef) -> None:
        """Invalidate the copy: the next reader waits for a GET."""
        self._entries.pop(ref, None)

    def keep_only(self, used: Iterable[ObjectRef]) -> None:
        """Forget every object that is not in use."""
        for ref in self._entries.keys() - set(used):
            del self._entries[ref]

    def due(self) -> list[tuple[ObjectRef, Answer]]:
        """The objects that are to be re-read now, with their last answers."""
        now = asyncio.get_running_loop().time()
        return [(ref, entry.answer) for ref, entry in self._entries.items() if entry.due <= now]

    def put_off(self, ref: ObjectRef) -> None:
        """Postpone the next re-read of an object that cannot be read at the moment."""
        if (entry := self._entries.get(ref)) is not None:
            entry.due = asyncio.get_running_loop().time() + LONGEST_MISS

    async def read(self, ref: ObjectRef) -> Answer:
        """The last answer; the first reader waits for the GET. Raises what `fetch` raises."""
        if (entry := self._entries.get(ref)) is not None:
            return entry.answer
        if ref not in self._reads:
            self._reads[ref] = asyncio.create_task(self.read_again(ref))
            self._reads[ref].add_done_callback(lambda _: self._reads.pop(ref, None))
        return await asyncio.shield(self._reads[ref])

    async def read_again(self, ref: ObjectRef) -> Answer:
        """A new answer. Raises what `fetch` raises."""
        before = self._entries.get(ref)
        now = asyncio.get_running_loop().time()
        answer = await self._fetch(ref)
        if self._is_miss(answer):
            misses = before.misses + 1 if before else 1
            wait = min(LONGEST_MISS, FIRST_MISS * 2 ** min(misses - 1, 8))
            self._entries[ref] = _PolledEntry(answer, now + wait, misses)
        else:
            wait = self._reread * self._rng.uniform(0.9, 1.0)
            self._entries[ref] = _PolledEntry(answer, now + wait)
        return answer
