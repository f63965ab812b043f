"""Source Secrets: labelled ones come from the watch, others are read by name and read again."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import SECRETS
from artifact_index.reconcile.records import ObjectRef, SourceRecord, source_record
from artifact_index.reconcile.store import Key, Store

_FIRST_MISS: Final = 1.0
_LONGEST_MISS: Final = 30.0
_STEP: Final = 1.0
"""Seconds between looks at what is due; so much later than planned a re-read may be."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Copy:
    record: SourceRecord | None
    due: float
    misses: int = 0


class SecretReader:
    """Reads source Secrets of one namespace, and of no other."""

    def __init__(self, sources: "Sources", namespace: str) -> None:
        self._sources = sources
        self._namespace = namespace

    async def read(self, name: str) -> SourceRecord | None:
        """The Secret, or None where it does not exist. Raises ApiError."""
        return await self._sources.read(ObjectRef(self._namespace, name))


class Sources:
    """All source Secrets that are in use.

    A Secret without our label costs one GET every `reread` seconds however many indexes use it;
    after a miss it is asked for again after 1 s, then less often, up to every 30 s.
    """

    def __init__(
        self,
        *,
        api: KubePort,
        store: Store,
        reread: float,
        on_change: Callable[[set[Key]], None],
        rng: random.Random,
    ) -> None:
        self._api = api
        self._store = store
        self._reread = reread
        self._on_change = on_change
        self._rng = rng
        self._copies: dict[ObjectRef, _Copy] = {}
        self._reads: dict[ObjectRef, asyncio.Task[SourceRecord | None]] = {}

    def bound_to(self, namespace: str) -> SecretReader:
        """A reader that cannot leave the namespace."""
        return SecretReader(self, namespace)

    def forget(self, ref: ObjectRef) -> None:
        """Believe nothing about the Secret: it came into the watch or went out of it."""
        self._copies.pop(ref, None)

    async def read(self, ref: ObjectRef) -> SourceRecord | None:
        """The Secret as last seen; the first reader of an unlabelled one waits for the GET."""
        if (labelled := self._store.sources.get(ref)) is not None:
            return labelled
        if (copy := self._copies.get(ref)) is not None:
            return copy.record
        if ref not in self._reads:
            self._reads[ref] = asyncio.create_task(self._get(ref))
            self._reads[ref].add_done_callback(lambda _: self._reads.pop(ref, None))
        return await asyncio.shield(self._reads[ref])

    async def run(self) -> None:
        """Read again what is due, for ever; tell those whose Secret has changed."""
        while True:
            await asyncio.sleep(_STEP)
            now = asyncio.get_running_loop().time()
            used = set(self._store.used_secrets())
            for ref in [ref for ref in self._copies if ref not in used]:
                del self._copies[ref]
            due = [ref for ref, copy in self._copies.items() if copy.due <= now]
            for ref in due:
                await self._read_again(ref)

    async def _read_again(self, ref: ObjectRef) -> None:
        before = self._copies.get(ref)
        if before is None or self._store.sources.get(ref) is not None:
            self._copies.pop(ref, None)
            return
        try:
            record = await self._get(ref)
        except ApiError as error:
            # The last good value stays; a Secret that cannot be read is not a deleted one.
            logger.warning("cannot read Secret %s/%s again: %s", ref.namespace, ref.name, error)
            before.due = asyncio.get_running_loop().time() + _LONGEST_MISS
            return
        if not _same_values(before.record, record):
            self._on_change(self._store.users_of(ref))

    async def _get(self, ref: ObjectRef) -> SourceRecord | None:
        before = self._copies.get(ref)
        now = asyncio.get_running_loop().time()
        try:
            record = source_record(await self._api.get(SECRETS, ref.namespace, ref.name))
        except ApiError as error:
            if not error.not_found:
                raise
            misses = before.misses + 1 if before else 1
            wait = min(_LONGEST_MISS, _FIRST_MISS * 2 ** min(misses - 1, 8))
            self._copies[ref] = _Copy(None, now + wait, misses)
            return None
        jitter = self._rng.uniform(0.9, 1.0)
        self._copies[ref] = _Copy(record, now + self._reread * jitter)
        return record


def _same_values(one: SourceRecord | None, other: SourceRecord | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.uid == other.uid and one.values == other.values and one.binary == other.binary
