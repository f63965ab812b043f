"""Our own listing of everything: before the first write, and regularly as mark and sweep.

Watches lose deletions: across a gap that ended in 410 nobody reports what vanished meanwhile.
"""

import asyncio
import logging
import math
import random
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final, TypeVar

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT, ROLE_SOURCE
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort, ListPage, Object
from artifact_index.kube.resources import (
    ARTIFACT_INDEXES,
    CONFIG_MAPS,
    INDEX_OPTIONS,
    SECRETS,
    Resource,
)
from artifact_index.reconcile.cache.cache import Cache, Key, owner_name
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.kind_cache import KindCache, Record
from artifact_index.reconcile.cache.objects import (
    ObjectRef,
    OutputObject,
    OutputRef,
    parse_custom_object,
    parse_output,
    parse_source_secret,
    ref_uid_version,
)
from artifact_index.reconcile.state.state import State, take_up

SECRET_SELECTOR: Final = f"{ROLE_LABEL} in ({ROLE_OUTPUT},{ROLE_SOURCE})"
CONFIG_MAP_SELECTOR: Final = f"{ROLE_LABEL}={ROLE_OUTPUT}"

_JITTER: Final = 0.1
_RETRY: Final = 15.0
"""Seconds until a listing that failed is begun again."""

_AFTER_GAP: Final = 1.0
"""Seconds of quiet after a watch began anew until everything is listed."""

_TURN: Final = 0.02
"""Seconds after which others have their turn: a page of large outputs takes many times that."""

Ref = TypeVar("Ref", ObjectRef, OutputRef)
logger = logging.getLogger(__name__)


class Relister:
    """Lists both kinds and the labelled Secrets and ConfigMaps, in pages."""

    def __init__(
        self,
        *,
        api: KubePort,
        cache: Cache,
        state: State,
        tokens: TokenManager,
        digester: Digester,
        namespaces: tuple[str, ...],
        interval: float,
        enqueue: Callable[[Iterable[Key], float], None],
        rng: random.Random,
    ) -> None:
        self._api = api
        self._cache = cache
        self._state = state
        self._tokens = tokens
        self._digester = digester
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)
        self._interval = interval
        self._enqueue = enqueue
        self._rng = rng
        self._last_success: float | None = None
        self._last_gap: float | None = None

    def age(self) -> float | None:
        """Seconds since the last complete listing; None before the first."""
        if self._last_success is None:
            return None
        return asyncio.get_running_loop().time() - self._last_success

    def watch_began(self) -> None:
        """A watch has listed its objects: what vanished before it is found by a listing soon."""
        self._last_gap = asyncio.get_running_loop().time()

    async def prime(self) -> None:
        """The first listing: fill the store and take up the tokens of our own outputs.

        Nothing is enqueued: what has been listed in part must not be written. Raises ApiError.
        """
        await self._list_all(taking_up=True)

    async def run(self, first_delay: float) -> None:
        """List again after `first_delay` seconds and then at every interval, for ever."""
        delay = first_delay
        while True:
            await self._until_due(delay)
            try:
                self._enqueue(await self._list_all(taking_up=False), 0)
                delay = self._interval * self._rng.uniform(1 - _JITTER, 1 + _JITTER)
            except ApiError as error:
                logger.warning("cannot list everything again: %s", error)
                delay = min(_RETRY, self._interval)

    async def _until_due(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        while True:
            gap = math.inf if self._last_gap is None else self._last_gap + _AFTER_GAP
            left = min(due, gap) - loop.time()
            if left <= 0:
                break
            await asyncio.sleep(min(left, _AFTER_GAP))
        self._last_gap = None

    async def _list_all(self, *, taking_up: bool) -> set[Key]:
        concerned = await self._list_custom_resources()
        concerned |= await self._list_secrets(taking_up=taking_up)
        concerned |= await self._list_config_maps(taking_up=taking_up)
        self._last_success = asyncio.get_running_loop().time()
        return concerned

    async def _list_custom_resources(self) -> set[Key]:
        cache, concerned = self._cache, set[Key]()

        def index(body: Object) -> ObjectRef:
            ref, _, version = ref_uid_version(body)
            known = cache.indexes.get(ref)
            if cache.indexes.is_newer(ref, version, listed=True):
                record = parse_custom_object(ArtifactIndexSpec, body, known)
                concerned.update(cache.put_index(record, listed=True))
            return known.ref if known else ref

        def options(body: Object) -> ObjectRef:
            ref, _, version = ref_uid_version(body)
            if cache.options.is_newer(ref, version, listed=True):
                record = parse_custom_object(IndexOptionsSpec, body, cache.options.get(ref))
                concerned.update(cache.put_options(record, listed=True))
            return ref

        for ref in await self._sweep(cache.indexes, ARTIFACT_INDEXES, None, index):
            concerned |= cache.drop_index(ref)
        for ref in await self._sweep(cache.options, INDEX_OPTIONS, None, options):
            concerned |= cache.drop_options(ref) | {Key("IndexOptions", ref)}
        return concerned

    async def _list_secrets(self, *, taking_up: bool) -> set[Key]:
        cache, concerned = self._cache, set[Key]()
        listed_sources: set[ObjectRef] = set()

        def secret(body: Object) -> OutputRef | None:
            if body["metadata"]["labels"][ROLE_LABEL] == ROLE_OUTPUT:
                return self._output("Secret", body, concerned, taking_up=taking_up)
            ref, _, version = ref_uid_version(body)
            if cache.sources.is_newer(ref, version, listed=True):
                concerned.update(cache.put_source(ref, parse_source_secret(body), listed=True))
            listed_sources.add(ref)
            return None

        cache.sources.begin_sweep()
        gone = await self._sweep(cache.outputs, SECRETS, SECRET_SELECTOR, secret)
        for source in cache.sources.end_sweep(listed_sources):
            concerned |= cache.drop_source(source)
        for ref in gone:
            if ref.kind == "Secret":
                concerned |= cache.drop_output(ref)
        return concerned

    async def _list_config_maps(self, *, taking_up: bool) -> set[Key]:
        concerned: set[Key] = set()

        def config_map(body: Object) -> OutputRef:
            return self._output("ConfigMap", body, concerned, taking_up=taking_up)

        gone = await self._sweep(self._cache.outputs, CONFIG_MAPS, CONFIG_MAP_SELECTOR, config_map)
        for ref in gone:
            if ref.kind == "ConfigMap":
                concerned |= self._cache.drop_output(ref)
        return concerned

    def _output(
        self, kind: str, body: Object, concerned: set[Key], *, taking_up: bool
    ) -> OutputRef:
        place, _, version = ref_uid_version(body)
        ref = OutputRef(kind, *place)
        if self._cache.outputs.is_newer(ref, version, listed=True):
            record = parse_output(kind, body, self._digester)
            concerned.update(self._cache.put_output(record, listed=True))
            if taking_up:
                self._take_up(record, body)
        return ref

    def _take_up(self, record: OutputObject, body: dict[str, Any]) -> None:
        owner = owner_name(record)
        if owner is not None:
            take_up(
                record,
                body.get("data") or {},
                owner=ObjectRef(record.ref.namespace, owner),
                state=self._state,
                tokens=self._tokens,
            )

    async def _sweep(
        self,
        table: KindCache[Ref, Record],
        resource: Resource,
        selector: str | None,
        observe: Callable[[Object], Ref | None],
    ) -> list[Ref]:
        """List a kind; what the list no longer holds, and no event touched, is returned."""
        table.begin_sweep()
        clock = asyncio.get_running_loop().time
        listed: set[Ref] = set()
        for namespace in self._namespaces:
            begun: set[Ref] = set()
            async for page in self._pages(resource, namespace, selector):
                if page.first:
                    begun.clear()
                held_since = clock()
                for body in page.items:
                    if not body["metadata"].get("deletionTimestamp") and (ref := observe(body)):
                        begun.add(ref)
                    if clock() - held_since > _TURN:
                        await asyncio.sleep(0)
                        held_since = clock()
            listed |= begun
        return table.end_sweep(listed)

    async def _pages(
        self, resource: Resource, namespace: str | None, selector: str | None
    ) -> AsyncIterator[ListPage]:
        try:
            async for page in self._api.list(
                resource, namespace=namespace, label_selector=selector
            ):
                yield page
        except ApiError as error:
            if not (resource.custom and error.not_found):
                raise
            raise ApiError(
                error.status,
                "NotFound",
                f"there is no CustomResourceDefinition {resource.plural}.{resource.group}; install "
                "both with `artifact-index crds | kubectl apply -f -`",
            ) from None
