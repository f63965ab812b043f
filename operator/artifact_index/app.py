"""Wiring: one process, its parts, their start in order and their end."""

import asyncio
import contextlib
import logging
import os
import random
import signal
import time
from collections.abc import Coroutine, Hashable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from artifact_index import __version__
from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.threads import CloudThreads
from artifact_index.credentials.tokens.issuing import Limits
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.health import Health, LoopLag, serve_health
from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.metrics.counters import Counters
from artifact_index.metrics.exposition import Exposition
from artifact_index.metrics.live import Snapshot
from artifact_index.reconcile.apply.writer import OutputWriter
from artifact_index.reconcile.cache.cache import Cache, Key, options_key
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.feed import Feed
from artifact_index.reconcile.cache.relist import Relister
from artifact_index.reconcile.cache.source_cache import SourceCache
from artifact_index.reconcile.controller import Reconciler
from artifact_index.reconcile.queue.workqueue import DEBOUNCE, WorkQueue
from artifact_index.reconcile.queue.write_limiter import WriteLimiter
from artifact_index.reconcile.resolve.gather import Gatherer
from artifact_index.reconcile.state.priority import priority_of
from artifact_index.reconcile.state.restore import restore
from artifact_index.reconcile.state.state import State
from artifact_index.reconcile.status.writer import StatusWriter
from artifact_index.runtime import freeze_startup_objects, limit_malloc_arenas
from artifact_index.service_account_tokens import ServiceAccountTokens
from artifact_index.settings import Settings
from artifact_index.signing_key import load_signing_key
from artifact_index.watching import kopf_adapter as handlers
from artifact_index.wiring import margins_of, policy_of, providers_of

_FIRST_ANSWERS: Final = 10.0
"""Seconds that the clouds may take to answer before changes are watched all the same."""

_FIRST_WAVE: Final = 30.0
"""Seconds that the first wave of writes may take: twelve thousand of them on two cores."""

_SECOND_LISTING: Final = 5.0
"""Seconds from the start of the watches to a listing that finds what vanished before them, where
there is nothing that they would list themselves."""

_MORE_ANSWERS: Final = 0.25
"""Seconds in which the clouds' answers to one IndexOptions are gathered into one pass."""

_EXIT_TIMEOUT: Final = 0.5
"""Seconds that the parts have to end. kopf takes longer where it is still finding the API's
resources: it tries again what its own end has cut off."""

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT, or until a part of it dies (then it raises).

    Raises ConnectError, ApiError or SigningKeyError where it cannot even start.
    """
    limit_malloc_arenas()
    if settings.kubeconfig:
        # kopf's own login reads it from there, too.
        os.environ["KUBECONFIG"] = settings.kubeconfig
    kubeconfig = Path(settings.kubeconfig) if settings.kubeconfig else None
    counters = Counters(__version__)
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig), meter=counters)
    try:
        key = await load_signing_key(api, settings.operator_namespace)
        await Operator(settings, api, key, counters).run()
    finally:
        await api.close()


class Operator:
    """All parts of one process, wired."""

    def __init__(
        self, settings: Settings, api: KubeApi, signing_key: bytes, counters: Counters
    ) -> None:
        self.settings = settings
        self._rng = random.Random()  # noqa: S311 - jitter, not cryptography
        self._stopping = asyncio.Event()
        self._page_sizes = api.page_sizes
        margins = margins_of(settings)
        digester = Digester(signing_key)
        self._pool = CloudThreads(providers_of(settings).issue, threads=settings.cloud_threads)
        self.cache = Cache()
        self.state = State()
        priority = priority_of(self.state, margins)
        self.queue = WorkQueue(priority=priority, rng=self._rng)
        issue = ServiceAccountTokens(api, self._pool.issue).issue
        self.tokens = TokenManager(
            issue,
            margins=margins,
            now=time.time,
            rng=self._rng,
            meter=counters,
            limits=Limits(per_second=settings.mints_per_second),
        )
        self.endpoints = Endpoints(issue, now=time.time, rng=self._rng, meter=counters)
        self.tokens.on_change = self.endpoints.on_change = self._credentials_changed
        self.sources = SourceCache(
            api=api,
            cache=self.cache,
            reread=settings.source_reread_interval,
            on_change=lambda keys: self._enqueue(keys, 0),
            rng=self._rng,
        )
        self.observer = Feed(
            cache=self.cache,
            forget_polled=self.sources.forget,
            digester=digester,
            enqueue=lambda keys: self._enqueue(keys, DEBOUNCE),
        )
        self.relister = Relister(
            api=api,
            feed=self.observer,
            namespaces=settings.namespaces,
            interval=settings.relist_interval,
            enqueue=lambda keys: self._enqueue(keys, 0),
            rng=self._rng,
        )
        self.restore = partial(
            restore, state=self.state, tokens=self.tokens, endpoints=self.endpoints
        )
        gatherer = Gatherer(
            cache=self.cache,
            sources=self.sources,
            tokens=self.tokens,
            endpoints=self.endpoints,
            state=self.state,
            digester=digester,
            policy=policy_of(settings),
            margins=margins,
            patience=settings.mint_patience,
            now=time.time,
        )
        budget = WriteLimiter(settings.writes_per_second, settings.write_burst)
        self.reconciler = Reconciler(
            cache=self.cache,
            queue=self.queue,
            gatherer=gatherer,
            output_writer=OutputWriter(
                api=api, cache=self.cache, digester=digester, budget=budget, priority=priority
            ),
            status_writer=StatusWriter(api=api, cache=self.cache, budget=budget),
            tokens=self.tokens,
            endpoints=self.endpoints,
            state=self.state,
            digester=digester,
            margins=margins,
            now=time.time,
            meter=counters,
        )
        self.lag = LoopLag(meter=counters)
        self.exposition = Exposition(counters, self._snapshot)
        self.health = Health(
            lag=self.lag,
            listing_age=self.relister.age,
            oldest_listing=max(60.0, 3 * settings.relist_interval),
        )

    async def run(self) -> None:
        """Start the parts in order, and end them all when one ends or a signal comes."""
        freeze_startup_objects()
        self._claim_signals()
        host, port = self.settings.health_host, self.settings.health_port
        async with serve_health(self.health, self.exposition.scrape, host, port) as bound:
            logger.info("health endpoints on port %d", bound)
            self._start("event-loop watchdog", self.lag.run())
            try:
                await self._until_stopped(self._serve())
            finally:
                await self._stop()

    async def _serve(self) -> None:
        await self.relister.prime(self.restore)
        logger.info(
            "listed %d ArtifactIndex, %d IndexOptions, %d outputs, %d labelled source Secrets",
            len(self.cache.indexes), len(self.cache.options),
            len(self.cache.outputs), len(self.cache.sources),
        )  # fmt: skip
        self._start("token manager", self.tokens.run())
        self._start("source reader", self.sources.run())
        self._enqueue(self.cache.all_keys(), 0)
        for number in range(self.settings.workers):
            self._start(f"worker {number}", self.reconciler.work())
        await self._first_wave()
        self._start("watches", self._watch())
        self._start("relist", self.relister.run(_SECOND_LISTING))
        await asyncio.wait(self.health.tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        for name, task in self.health.tasks.items():
            if task.done():
                task.result()
                raise RuntimeError(f"{name} has ended")

    async def _first_wave(self) -> None:
        """Wait for it: watching beside it would slow both.

        What vanishes before the watches begin is found by the second listing.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_WAVE):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_FIRST_ANSWERS):
                        await self.queue.settled()
                        while await self.tokens.settled() or await self.endpoints.settled():
                            await self.queue.settled()
                # A cloud that does not answer is not waited for, and writes under way are.
                await self.queue.settled()

    async def _watch(self) -> None:
        await handlers.watch(
            handlers.Memo(self.observer, self.relister.watch_began),
            namespaces=self.settings.namespaces,
            patience=self.settings.watch_patience,
            page=self._page_sizes.for_all(),
            stop=self._stopping,
            # kopf has just taken the signals, to end its own parts only.
            spawned=self._claim_signals,
        )

    def _claim_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)

    async def _until_stopped(self, serving: Coroutine[Any, Any, None]) -> None:
        serve = asyncio.create_task(serving, name="serve")
        stop = asyncio.create_task(self._stopping.wait(), name="stop")
        await asyncio.wait({serve, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if self._stopping.is_set():
            logger.info("stopping")
            serve.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serve

    async def _stop(self) -> None:
        """End every part; what does not end in time is left to the end of the process."""
        self._stopping.set()
        asyncio.get_running_loop().set_exception_handler(_pass_over_watches)
        logger.info("event loop lag over the last minute: %s", self.lag)
        self._pool.close()
        watches = self.health.tasks.pop("watches", None)
        others = list(self.health.tasks.values())
        for task in others:
            task.cancel()
        await self.tokens.close()
        await self.endpoints.close()
        ending = [*others, *([watches] if watches else [])]
        if ending:
            await asyncio.wait(ending, timeout=_EXIT_TIMEOUT)
        if watches is not None:
            watches.cancel()

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            indexes=self.cache.indexes.objects(),
            options=self.cache.options.objects(),
            outputs=self.cache.outputs.objects(),
            logins=self.tokens.held_tokens(),
            secret_names=self.sources.names_by_uid(),
            queue_depth=self.queue.depth,
            queue_age=self.queue.oldest_age,
            by_object=self.settings.object_metrics,
        )

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.health.tasks[name] = asyncio.create_task(work, name=name)

    def _enqueue(self, keys: Iterable[Key], delay: float) -> None:
        for key in keys:
            self.queue.add(key, delay)

    def _credentials_changed(self, consumers: frozenset[Hashable]) -> None:
        for ref in consumers:
            if self.cache.options.get(ref) is not None:  # type: ignore[arg-type]
                # The last of several answers is worth a pass at once, and each one before is not;
                # least of all where the last pass could only wait for them.
                awaits = self.tokens.awaits(ref) or self.endpoints.awaits(ref)
                if awaits and ref in self.state.waiting:
                    continue
                delay = _MORE_ANSWERS if awaits else 0
                self.queue.add(options_key(ref), delay)  # type: ignore[arg-type]


def _pass_over_watches(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """At the end, kopf's watches cannot be closed in the middle of an event; nothing is lost."""
    if "asyncgen" not in context:
        loop.default_exception_handler(context)
