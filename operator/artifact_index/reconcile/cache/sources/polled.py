"""Copies of objects that no watch covers: read by name at first use, and re-read periodically."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.sources.base import RefusedServiceAccount, SourceSecret

FIRST_MISS: Final = 1.0
LONGEST_MISS: Final = 30.0

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _PolledEntry(Generic[Answer]):
    answer: Answer
    due: float
    misses: int = 0


@dataclass(eq=False)
class PolledCache(Generic[Answer]):
    """The last answer for each object of a kind that is in use.

    An object costs one GET every `reread` seconds, however many use it. After a miss it is read
    again after 1 s, then less often, up to every 30 s. `fetch` raises ApiError, which the first
    reader gets. `on_change` gets each object whose re-read has changed it. `replace` gets the
    old answer and the new one, None if it is forgotten, and returns what is kept of the new one.
    """

    _kind: str
    _fetch: Callable[[ObjectRef], Awaitable[Answer]]
    _on_change: Callable[[ObjectRef], None]
    _reread: float
    _rng: random.Random
    _replace: Callable[[ObjectRef, Answer | None, Answer | None], Answer]
    _entries: dict[ObjectRef, _PolledEntry[Answer]] = field(default_factory=dict, init=False)
    _reads: dict[ObjectRef, asyncio.Task[Answer]] = field(default_factory=dict, init=False)

    def last_answer(self, ref: ObjectRef) -> Answer | None:
        """The last answer; None before the first. Reads nothing."""
        entry = self._entries.get(ref)
        return None if entry is None else entry.answer

    def forget(self, ref: ObjectRef) -> None:
        """Invalidate the copy: the next reader waits for a GET."""
        if (entry := self._entries.pop(ref, None)) is not None:
            self._replace(ref, entry.answer, None)

    def keep_only(self, used: Iterable[ObjectRef]) -> None:
        """Forget every object that is not in use."""
        for ref in self._entries.keys() - set(used):
            self.forget(ref)

    def due(self) -> list[ObjectRef]:
        """The objects that are to be re-read now."""
        now = asyncio.get_running_loop().time()
        return [ref for ref, entry in self._entries.items() if entry.due <= now]

    async def read(
        self,
        ref: ObjectRef,
        *,
        again: bool = False,
        usable: Callable[[Answer], bool] = lambda _: True,
    ) -> Answer:
        """The last answer if it is `usable`, or with `again` a new one. Raises ApiError.

        The first reader waits for it.
        """
        if again:
            await self.read_again(ref)
        if (entry := self._entries.get(ref)) is not None and usable(entry.answer):
            return entry.answer
        if ref not in self._reads:
            self._reads[ref] = asyncio.create_task(self._get(ref))
            self._reads[ref].add_done_callback(lambda _: self._reads.pop(ref, None))
        return await asyncio.shield(self._reads[ref])

    async def read_again(self, ref: ObjectRef) -> None:
        """Renew the last answer if there is one, and report a change.

        A failed GET leaves it for 30 s more: an object that cannot be read has not been deleted.
        """
        if (entry := self._entries.get(ref)) is None:
            return
        try:
            answer = await self._get(ref)
        except ApiError as error:
            logger.warning("cannot read %s %s/%s again: %s", self._kind, *ref, error)
            entry.due = asyncio.get_running_loop().time() + LONGEST_MISS
            return
        if not _is_same(entry.answer, answer):
            self._on_change(ref)

    async def _get(self, ref: ObjectRef) -> Answer:
        now = asyncio.get_running_loop().time()
        answer = await self._fetch(ref)
        old = self._entries.get(ref)
        kept = self._replace(ref, old.answer if old else None, answer)
        if answer is None or isinstance(answer, RefusedServiceAccount):
            misses = old.misses + 1 if old else 1
            wait = min(LONGEST_MISS, FIRST_MISS * 2 ** min(misses - 1, 8))
            self._entries[ref] = _PolledEntry(kept, now + wait, misses)
        else:
            wait = self._reread * self._rng.uniform(0.9, 1.0)
            self._entries[ref] = _PolledEntry(kept, now + wait)
        return answer


def _is_same(before: object, now: object) -> bool:
    """True if nothing differs that a source may use."""
    if isinstance(before, SourceSecret) and isinstance(now, SourceSecret):
        if before.is_version_of(now):
            return True
        now = replace(now, resource_version=before.resource_version)
    return before == now
