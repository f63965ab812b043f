"""Listing everything: before the first write, and periodically as mark and sweep.

Watches lose deletions: nothing reports what was deleted during a gap that ended in 410.
"""

import asyncio
import logging
import math
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from artifact_index.kube.errors import ApiError, without_definition
from artifact_index.kube.port import KubePort, Object
from artifact_index.kube.resources import Resource
from artifact_index.logs import log_exception
from artifact_index.reconcile.cache.cache import Key
from artifact_index.reconcile.cache.feed import FedObject, Feed, OnNew
from artifact_index.reconcile.cache.objects import ObjectRef, ref_uid_version
from artifact_index.runtime import Turns

_RETRY: Final = 15.0
"""Seconds until a failed relist starts again."""

_AFTER_GAP: Final = 1.0
"""Seconds from the last watch that began anew to the relist that it causes."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Relister:
    """Lists the custom resources and the labelled Secrets and ConfigMaps, page by page.

    `interval` is in seconds; no `namespaces` means all of them. `enqueue` gets the keys that a
    relist concerns, kind by kind. `primed_at` is the version of each collection, by its
    path, that the first listing showed.
    """

    _api: KubePort
    _feed: Feed
    _namespaces: tuple[str, ...]
    _interval: float
    _enqueue: Callable[[set[Key]], None]
    _rng: random.Random
    _last_success: float | None = field(default=None, init=False)
    _last_gap: float = field(default=math.inf, init=False)
    primed_at: dict[str, str] = field(default_factory=dict, init=False)

    def age(self) -> float | None:
        """Seconds since the last complete listing; None before the first."""
        if self._last_success is None:
            return None
        return asyncio.get_running_loop().time() - self._last_success

    def watch_began(self) -> None:
        """A watch began anew: relist soon, to find what was deleted before it."""
        self._last_gap = asyncio.get_running_loop().time()

    async def prime(self) -> None:
        """List everything for the first time.

        Enqueues nothing: nothing may be written before the listing is complete. Raises ApiError.
        """
        async for _ in self._list_each():
            pass

    async def run(self, first_delay: float) -> None:
        """Relist after `first_delay` seconds and then at every interval, forever."""
        delay = first_delay
        while True:
            await self._until_due(delay)
            try:
                # Custom resources come first, and do not wait for Secrets, which may be large.
                async for concerned in self._list_each():
                    self._enqueue(concerned)
                delay = self._interval * self._rng.uniform(0.9, 1.1)
            except ApiError as error:
                logger.warning("cannot list everything again: %s", error)
                delay = min(_RETRY, self._interval)

    async def _until_due(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        while True:
            left = min(due, self._last_gap + _AFTER_GAP) - loop.time()
            if left <= 0:
                break
            await asyncio.sleep(min(left, _AFTER_GAP))
        self._last_gap = math.inf

    async def _list_each(self) -> AsyncIterator[set[Key]]:
        """The keys that each kind concerns, once it has been listed."""
        for resource, selector in self._feed.kinds:
            try:
                concerned = await self._list(resource, selector)
            except ApiError as error:
                if not (resource.custom and error.not_found):
                    raise
                raise without_definition(resource) from None
            yield concerned
        self._last_success = asyncio.get_running_loop().time()

    async def _list(self, resource: Resource, selector: str | None) -> set[Key]:
        """Feed the cache all objects of a kind, then sweep those that are gone."""
        concerned: set[Key] = set()
        listed: set[ObjectRef] = set()
        self._feed.begin_sweep(resource.plural)
        for namespace in self._namespaces or (None,):
            in_namespace: set[ObjectRef] = set()
            pages = self._api.list(resource, namespace=namespace, label_selector=selector)
            async for page in pages:
                if page.first:
                    in_namespace.clear()
                    path = resource.collection_path(namespace)
                    self.primed_at.setdefault(path, page.resource_version)
                turns = Turns()
                for body in page.items:
                    ref, keys, new = self._feed.listed(resource.plural, body)
                    in_namespace.add(ref)
                    concerned |= keys
                    if new is not None and self._feed.on_new is not None:
                        await _hand_on(self._feed.on_new, resource.plural, new, body)
                    await turns.leave()
                # The next page may be as large: this one is not held beside it.
                del page
            listed |= in_namespace
        return concerned | self._feed.end_sweep(resource.plural, listed)


async def _hand_on(on_new: OnNew, plural: str, new: FedObject, body: Object) -> None:
    try:
        rest = on_new(plural, new, body)
        if rest is not None:
            await rest
    except Exception as error:
        # One object that fails must not end the listing.
        ref = ref_uid_version(body)[0]
        log_exception(logger, error, "%s %s/%s cannot be restored", plural, *ref)
