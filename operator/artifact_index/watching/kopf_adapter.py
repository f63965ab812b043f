"""Watches by kopf: four kinds, all through its low-level event handler.

kopf's other handlers write to the objects: change handlers annotate them (and copy a Secret's data
into the annotation), timers and daemons add finalizers. Its indexes start in quadratic time.
`on.event` writes nothing.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import kopf

from artifact_index.api.constants import GROUP
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.errors import ApiError, with_remedy
from artifact_index.kube.resources import ARTIFACT_INDEXES, CONFIG_MAPS, INDEX_OPTIONS, SECRETS
from artifact_index.logs import log_exception
from artifact_index.reconcile.cache.feed import CONFIG_MAP_SELECTOR, SECRET_SELECTOR, Feed
from artifact_index.watching.kopf_state import NoDiffBase, NoMemories, NoProgress

_LONGEST_BACKOFF: Final = 60.0

logger = logging.getLogger(__name__)

_NO_FINALIZER: Final = f"{GROUP}/no finalizer of ours"
"""kopf removes its finalizer from every object that has it; the API server refuses this name, so
that no object can."""


@dataclass(frozen=True, slots=True)
class Memo:
    """Carries the feed into the handlers. kopf copies the memo for each object; this one is shared.

    kopf begins a watch with a listing, at the start and after a gap. `watch_began` is called for
    each of its objects: no event reports what was deleted before it.
    """

    feed: Feed
    watch_began: Callable[[], None]

    def __copy__(self) -> "Memo":
        return self


async def seen(event: Any, memo: Memo, resource: Any, **_: Any) -> None:
    """An object was listed, or it changed, or it lost the label by which it was selected."""
    try:
        if event["type"] is None:
            memo.watch_began()
        memo.feed.watched(resource.plural, event["type"], event["object"])
    except Exception as error:
        # kopf would log the text of the error, which may quote the object.
        log_exception(logger, error, "an event of %s waits for the next relist", resource.plural)


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

    `patience`: seconds for which a watch that is refused, or reaches no API server, is retried;
    then ApiError is raised if the API server refused it. `page`: objects in each page of the
    listing with which a watch begins. `spawned` is called when kopf's tasks exist but do not run
    yet: kopf has taken the signals by then, and the operator takes them back.
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
        # kopf raises the answer in errors whose classes are not part of its API.
        status, message = getattr(error, "status", None), getattr(error, "message", None)
        if isinstance(status, int) and isinstance(message, str):
            raise ApiError(status, "Refused", with_remedy(status, message)) from None
        raise


async def login(**_kwargs: Any) -> kopf.ConnectionInfo:
    """Log in as our own client does; kopf calls this again after each 401.

    kopf's own logins support neither login programs nor token files, which managed clusters use.
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
    """Our handlers, in a registry of their own: kopf's default one is global to the process."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(login)
    for kind in (ARTIFACT_INDEXES, INDEX_OPTIONS, SECRETS, CONFIG_MAPS):
        kopf.on.event(kind.group, kind.version, kind.plural, registry=handlers)(seen)
    return handlers


def settings(watch_patience: float, page: int) -> kopf.OperatorSettings:
    """kopf's settings for an operator that only watches; `watch` explains both arguments."""
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
    # kopf starts a worker for each listed object, and an idle worker keeps the last body of it:
    # with the default of 5 s, these bodies are the memory peak of a start.
    chosen.queueing.idle_timeout = 0.02
    chosen.process.ultimate_exiting_timeout = 25
    return chosen


class Backoffs:
    """Delays between the attempts of one kopf request: growing, jittered, `patience` s in total.

    A request that fails for longer ends the process, and the kubelet restarts it: from here, an
    API server that is away cannot be told from permissions that were revoked.
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
