"""One process of the operator: its parts start in order, and end when a signal comes."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from artifact_index import __version__
from artifact_index.credentials.providers import providers_of
from artifact_index.credentials.threads import CloudThreads
from artifact_index.election.elector import Elector
from artifact_index.health import Health, LoopLag, serve_health
from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.errors import UNREACHABLE, ApiError
from artifact_index.kube.server_check import ServerCheck
from artifact_index.logs import log_event, log_loop_error
from artifact_index.metrics.counters import Counters
from artifact_index.metrics.exposition import Exposition
from artifact_index.metrics.live import Snapshot
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.runtime import freeze_startup_objects, limit_malloc_arenas
from artifact_index.settings import Settings
from artifact_index.signing_key import load_signing_key
from artifact_index.watching import kopf_adapter
from artifact_index.wiring import (
    Operator,
    build,
    described,
    elector_of,
    env_of,
)

_FIRST_ANSWERS: Final = 2.0
"""Seconds for which the first wave waits for answers of the clouds once nothing else is left."""

_FIRST_WAVE: Final = 30.0
"""Seconds for which the watches wait for the first wave: 12,000 writes on two cores."""

_OTHERS_WAVE: Final = 1.0
"""Seconds for which a namespace whose own wave has ended waits for those of the others."""

_FEW: Final = 100
"""Reconciles that answers of the clouds cause, such as refusals, and that watches do not slow."""

_FIRST_LEASE: Final = 2.0
"""Seconds for which the watches wait to know who leads, since a first wave goes before them."""

_SECOND_LISTING: Final = 5.0
"""Seconds from the start of the watches to a relist that finds what was deleted before them."""

_EXIT_TIMEOUT: Final = 0.5
"""Seconds that the parts have to end. kopf takes longer while it still discovers the API's
resources: it repeats the requests that its own shutdown has cut off."""

logger = logging.getLogger(__name__)


class ServerError(Exception):
    """The API server cannot be reached, or refuses what the operator needs."""


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT, or until one of its parts fails (then it raises).

    Raises ConnectError, ListenError or SigningKeyError if it cannot even start, and ServerError for
    what the API server refuses.
    """
    limit_malloc_arenas()
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    if settings.kubeconfig:
        # kopf's own login reads it from there, too.
        os.environ["KUBECONFIG"] = settings.kubeconfig
    kubeconfig = Path(settings.kubeconfig) if settings.kubeconfig else None
    counters = Counters(__version__)
    connection = await load_configuration(kubeconfig=kubeconfig)
    cluster = f"{connection.host} ({connection.origin})"
    log_event(
        logger, logging.INFO, "Started", "the operator starts", version=__version__,
        cluster=cluster, **described(settings),
    )  # fmt: skip
    api = KubeApi(connection, meter=counters)
    try:
        digester = Digester(await load_signing_key(api, settings.operator_namespace))
        threads = CloudThreads(
            providers_of(settings).issue, threads=settings.cloud_threads, gate=api.gate
        )
        operator = build(settings, api, threads.issue, env_of(settings, digester, meter=counters))
        kinds = operator.cache.indexes, operator.cache.options
        check = ServerCheck(
            api,
            next(iter(operator.namespaces), None),
            lambda: max(kind.highest_version for kind in kinds),
        )
        elector = elector_of(settings, connection, api.gate, operator, counters)
        await Process(settings, operator, threads, counters, check, elector=elector).run()
    except ApiError as error:
        if error.not_found:
            raise ServerError(f"{cluster}: {error.message}") from None
        if error.status != UNREACHABLE:
            raise ServerError(f"{cluster} refuses the operator: {error}") from None
        remedy = "check the address and the network, or choose another --kubeconfig"
        raise ServerError(f"{cluster}: {error.message}; {remedy}") from None
    finally:
        await api.close()


def empty_namespaces(operator: Operator) -> list[str]:
    """The namespaces that are served by name and hold no object: perhaps their name is wrong."""
    cache = operator.cache
    known = {ref.namespace for kind in (cache.indexes, cache.options) for ref in kind}
    return [namespace for namespace in operator.namespaces if namespace not in known]


def snapshot_of(
    parts: Operator, settings: Settings, *, ready: bool, now: float, leads: bool = True
) -> Snapshot:
    """What a scrape reads of an operator at this moment; `now` is its clock in POSIX seconds."""
    return Snapshot(
        now=now,
        ready=ready,
        leads=leads,
        indexes=parts.cache.indexes.objects(),
        options=parts.cache.options.objects(),
        outputs=parts.cache.outputs.objects(),
        logins=parts.tokens.held_tokens(),
        secret_names=parts.sources.names_by_uid(),
        queue_depth=parts.controller.queue.depth,
        queue_age=parts.controller.queue.oldest_age,
        by_object=settings.object_metrics,
    )


class Process:
    """The life of one operator: signals, the order of the start, the first wave, the shutdown."""

    def __init__(
        self,
        settings: Settings,
        operator: Operator,
        threads: CloudThreads,
        counters: Counters,
        check: ServerCheck,
        *,
        elector: Elector | None,
    ) -> None:
        self._settings = settings
        self._operator = operator
        self._threads = threads
        self._check = check
        self._elector = elector
        self._stopping = asyncio.Event()
        self._exposition = Exposition(counters, self._snapshot)
        lag = LoopLag(meter=counters)
        self._health = Health(
            lag, operator.relister.age, settings.oldest_listing, lambda: check.problem,
            elector=elector,
        )  # fmt: skip

    async def run(self) -> None:
        """Start the parts in order, and end them all when one of them ends or a signal comes."""
        freeze_startup_objects()
        self._claim_signals()
        host, port = self._settings.health_host, self._settings.health_port
        async with serve_health(self._health, self._exposition.scrape, host, port) as bound:
            logger.info("health endpoints on port %d", bound)
            self._start("event-loop watchdog", self._health.lag.run())
            try:
                await self._until_stopped(self._serve())
            finally:
                await self._stop()

    async def _serve(self) -> None:
        parts = self._operator
        await parts.prime()
        logger.info(
            "listed %d ArtifactIndex, %d IndexOptions, %d outputs, %d labelled source Secrets",
            len(parts.cache.indexes), len(parts.cache.options),
            len(parts.cache.outputs), len(parts.cache.sources),
        )  # fmt: skip
        for namespace in empty_namespaces(parts):
            logger.warning(
                "served namespace %r holds no ArtifactIndex and no IndexOptions; if it does not "
                "exist: kubectl create namespace %s", namespace, namespace,
            )  # fmt: skip
        self._start("token manager", parts.tokens.run())
        self._start("source reader", parts.sources.run())
        self._start("other installations", parts.rivals.run())
        if self._elector is None:
            # The task begins later than the look for what waits in the queue.
            parts.controller.enqueue(parts.cache.all_keys())
            self._start("workers", parts.lead())
        else:
            parts.controller.stand_by()
            self._start("leader election", self._elector.run())
        if await self._leads_at_once():
            await self._first_wave()
        self._start("watches", self._watch())
        self._start("relist", parts.relister.run(_SECOND_LISTING))
        self._start("API server check", self._check.run())
        await asyncio.wait(self._health.tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        for name, task in self._health.tasks.items():
            if task.done():
                task.result()
                raise RuntimeError(f"{name} has ended")

    async def _leads_at_once(self) -> bool:
        if self._elector is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_LEASE):
                    await self._elector.first_answer.wait()
        return self._leads

    @property
    def _leads(self) -> bool:
        return self._elector is None or self._elector.leads

    async def _first_wave(self) -> None:
        """Wait until all objects are reconciled once: watches beside it would slow both.

        Neither a slow namespace nor a slow cloud is waited for, and a namespace that is done waits
        for no other for long. The second listing finds what was deleted before the watches began.
        """
        parts, queue = self._operator, self._operator.controller.queue
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_WAVE) as limit, asyncio.TaskGroup() as beside:
                shortening = beside.create_task(self._wait_less(limit))
                await queue.taken()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_FIRST_ANSWERS):
                        while await parts.clouds_settled():
                            await queue.taken(but=_FEW)
                # A cloud that does not answer is not waited for; what others caused is.
                await queue.taken(but=_FEW)
                shortening.cancel()

    async def _wait_less(self, limit: asyncio.Timeout) -> None:
        """End the first wave where it lasts long for some only: they may have thousands."""
        await self._operator.controller.queue.outlasted(_OTHERS_WAVE)
        limit.reschedule(asyncio.get_running_loop().time())

    async def _watch(self) -> None:
        try:
            await kopf_adapter.watch(
                self._operator.feed,
                namespaces=self._operator.namespaces,
                since=self._operator.relister.primed_at,
                began=self._operator.relister.watch_began,
                patience=self._settings.watch_patience,
                stop=self._stopping,
                # kopf has just taken the signals, to end its own parts only.
                spawned=self._claim_signals,
            )
        except ApiError as error:
            # The answer to a watch does not say which kind or login was refused.
            if (problem := await self._check.problem_of_either_kind()) is not None:
                raise ApiError(error.status, error.reason, problem) from None
            raise

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
        """End every part; what does not end in time ends with the process."""
        self._stopping.set()
        asyncio.get_running_loop().set_exception_handler(_ignore_watches)
        logger.info("event loop lag over the last minute: %s", self._health.lag)
        self._threads.close()
        tasks = self._health.tasks
        for name in tasks.keys() - {"watches"}:
            tasks[name].cancel()
        await self._operator.close()
        if tasks:
            await asyncio.wait(tasks.values(), timeout=_EXIT_TIMEOUT)
        if self._elector is not None:
            await self._elector.end(_EXIT_TIMEOUT)
        if "watches" in tasks:
            tasks["watches"].cancel()

    def _snapshot(self) -> Snapshot:
        ready = self._health.unready() is None
        now, leads = time.time(), self._leads
        return snapshot_of(self._operator, self._settings, ready=ready, now=now, leads=leads)

    def _start(self, name: str, part: Coroutine[Any, Any, None]) -> None:
        self._health.tasks[name] = asyncio.create_task(part, name=name)


def _ignore_watches(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """kopf's watches cannot be closed in the middle of an event; at shutdown nothing is lost."""
    if "asyncgen" not in context:
        log_loop_error(loop, context)
