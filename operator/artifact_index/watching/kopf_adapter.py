"""What kopf delivers: four kinds, by the low-level event handler alone.

Every other kind of kopf handler writes to the objects: change handlers annotate them (and copy a
Secret's data into the annotation), timers and daemons add finalizers, indexes start in quadratic
time. `on.event` writes nothing.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import kopf

from artifact_index.api.constants import (
    ARTIFACT_INDEX_PLURAL,
    GROUP,
    INDEX_OPTIONS_PLURAL,
    VERSION,
)
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.errors import ApiError, with_remedy
from artifact_index.reconcile.cache.feed import Feed
from artifact_index.reconcile.cache.relist import CONFIG_MAP_SELECTOR, SECRET_SELECTOR
from artifact_index.watching.kopf_state import NoDiffBase, NoMemories, NoProgress

_LONGEST_BACKOFF: Final = 60.0


_NO_FINALIZER: Final = f"{GROUP}/no finalizer of ours"
"""kopf takes its finalizer off every object that carries it; the API server refuses this name."""


class Memo:
    """Carries the observer into the handlers; kopf copies a memo for each object, and this not.

    `watch_began` is called for each object of a list with which kopf begins a watch, at the start
    or after a gap: nobody reports what vanished meanwhile.
    """

    def __init__(self, observer: Feed, watch_began: Callable[[], None]) -> None:
        self.observer = observer
        self.watch_began = watch_began

    def deliver(self, observe: Callable[[str | None, Any], None], event: Any) -> None:
        """Hand an event of kopf to a method of the observer."""
        if event["type"] is None:
            self.watch_began()
        observe(event["type"], event["object"])

    def __copy__(self) -> "Memo":
        return self


async def artifact_index_seen(event: Any, memo: Memo, **_: Any) -> None:
    """An ArtifactIndex was listed, or it changed."""
    memo.deliver(memo.observer.artifact_index, event)


async def index_options_seen(event: Any, memo: Memo, **_: Any) -> None:
    """An IndexOptions was listed, or it changed."""
    memo.deliver(memo.observer.index_options, event)


async def secret_seen(event: Any, memo: Memo, **_: Any) -> None:
    """A Secret with our label was listed, or it changed, or it lost the label."""
    memo.deliver(memo.observer.secret, event)


async def config_map_seen(event: Any, memo: Memo, **_: Any) -> None:
    """A ConfigMap with our label was listed, or it changed, or it lost the label."""
    memo.deliver(memo.observer.config_map, event)


async def watch(
    memo: Memo,
    *,
    namespaces: tuple[str, ...],
    patience: float,
    page: int,
    stop: asyncio.Event,
    spawned: Callable[[], None],
) -> None:
    """Deliver changes in these namespaces (none: in all) until `stop` is set.

    `patience`: seconds for which a watch that is refused, or finds nobody, is tried again. Raises
    ApiError where the API server refused it for longer. `page`: objects in each page of the
    listing with which a watch begins. `spawned` is called once kopf's tasks are
    there, and before they run: it takes the signals last, and awaits nothing after it.
    """
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry(),
        settings=settings(patience, page),
        memories=NoMemories(),
        memo=memo,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
        standalone=True,
    )
    spawned()
    try:
        await kopf.run_tasks(tasks, ignored=ours)
    except Exception as error:
        refused = _refusal(error)
        if refused is None:
            raise
        raise refused from None


def _refusal(error: Exception) -> ApiError | None:
    # kopf passes the answer on in errors whose classes are no part of its API.
    status, message = getattr(error, "status", None), getattr(error, "message", None)
    if not isinstance(status, int) or not isinstance(message, str):
        return None
    return ApiError(status, "Refused", with_remedy(status, message))


async def login(**_kwargs: Any) -> kopf.ConnectionInfo:
    """Log in as our own client does, and again after each 401.

    kopf's own ways know neither login programs nor token files, which managed clusters use.
    """
    configuration = await load_configuration()
    scheme, _, token = (configuration.api_key.get("BearerToken") or "").partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )


def registry() -> kopf.OperatorRegistry:
    """A registry of its own, so that two operators in one process do not meet."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(login)
    kopf.on.event(GROUP, VERSION, ARTIFACT_INDEX_PLURAL, registry=handlers)(artifact_index_seen)
    kopf.on.event(GROUP, VERSION, INDEX_OPTIONS_PLURAL, registry=handlers)(index_options_seen)
    kopf.on.event("", "v1", "secrets", registry=handlers)(secret_seen)
    kopf.on.event("", "v1", "configmaps", registry=handlers)(config_map_seen)
    return handlers


def settings(watch_patience: float, page: int) -> kopf.OperatorSettings:
    """kopf's settings for an operator that only watches.

    `watch_patience`: seconds for which a watch that is refused, or finds nobody, is tried again.
    `page`: objects in each page of the listing with which a watch begins.
    """
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.persistence.finalizer = _NO_FINALIZER
    chosen.persistence.diffbase_storage = NoDiffBase()
    chosen.persistence.progress_storage = NoProgress()
    chosen.watching.chunk_size = page
    chosen.watching.connect_timeout = 10
    chosen.watching.label_selectors["v1", "secrets"] = SECRET_SELECTOR
    chosen.watching.label_selectors["v1", "configmaps"] = CONFIG_MAP_SELECTOR
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 10
    chosen.networking.error_backoffs = Backoffs(watch_patience)
    # An idle worker keeps the last body of its object, and a listing makes one worker for each:
    # with the default of 5 s that is the high-water mark of a start.
    chosen.queueing.idle_timeout = 0.02
    chosen.process.ultimate_exiting_timeout = 25
    return chosen


class Backoffs:
    """Waits between the tries of one request of kopf: growing, with jitter, `patience` s in all.

    What failed then goes on to end the process, and it is started again: an API server that is
    away looks no different from permissions that were taken back.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience

    def __iter__(self) -> Iterator[float]:
        spent, previous, delay = 0.0, 1.0, 1.0
        while spent < self._patience:
            wait = min(delay * random.uniform(0.8, 1.2), self._patience - spent)  # noqa: S311
            yield wait
            spent += wait
            previous, delay = delay, min(_LONGEST_BACKOFF, previous + delay)
