"""Watches by kopf: every kind through its low-level event handler.

kopf's other handlers write to the objects: change handlers annotate them (and copy a Secret's data
into the annotation), timers and daemons add finalizers. Its indexes start in quadratic time.
`on.event` writes nothing.
"""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import kopf

from artifact_index.api.constants import GROUP
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.errors import ApiError, with_remedy
from artifact_index.kube.resources import Resource
from artifact_index.logs import log_exception
from artifact_index.reconcile.cache.feed import CONFIG_MAP_SELECTOR, SECRET_SELECTOR, Feed
from artifact_index.watching.kopf_state import NoDiffBase, NoMemories, NoProgress
from artifact_index.watching.streams import LISTED, Answer, Streams

_LONGEST_BACKOFF: Final = 60.0

logger = logging.getLogger(__name__)

_NO_FINALIZER: Final = f"{GROUP}/no finalizer of ours"
"""kopf removes its finalizer from every object that has it; the API server refuses this name, so
that no object can."""


@dataclass(frozen=True, slots=True)
class Memo:
    """Carries the feed into the handlers. kopf copies memos for each object; not this one."""

    feed: Feed

    def __copy__(self) -> "Memo":
        return self


async def seen(event: Any, memo: Memo, resource: Any, **_: Any) -> None:
    """An object changed, or it lost the label by which it was selected."""
    if event["type"] is None:
        # Of the listing that begins a watch, which the operator's own one follows.
        return
    body = event["object"]
    try:
        rest = memo.feed.watched(resource.plural, event["type"], body)
        if rest is not None:
            await rest
    except Exception as error:
        # kopf would log the text of the error, which may quote the object.
        log_exception(logger, error, "an event of %s waits for the next relist", resource.plural)
    # kopf's view of the body refers to itself: the values would wait for the garbage collector.
    for field in ("data", "binaryData", "spec", "status"):
        body.pop(field, None)


async def watch(
    feed: Feed,
    *,
    namespaces: tuple[str, ...],
    since: Mapping[str, str],
    began: Callable[[], None],
    patience: float,
    stop: asyncio.Event,
    spawned: Callable[[], None],
) -> None:
    """Deliver changes in these namespaces (none: in all) until `stop` is set.

    `since` are the versions of the collections, by path, at which the first watches begin if few
    changes were made after them, the operator's own included. Otherwise, and after a gap, they
    begin at the present. `began` is called when a watch begins. `patience`: seconds for which a
    watch that is refused, or reaches no API server, is retried; then ApiError is raised if the API
    server refused it. `spawned` is called when kopf's tasks exist but do not run yet: kopf has
    taken the signals by then, and the operator takes them back.
    """
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry(patience, Streams(feed, since, began), feed.kinds),
        settings=settings(patience),
        memories=NoMemories(),
        memo=Memo(feed),
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
        standalone=True,
    )
    spawned()
    running = asyncio.create_task(kopf.run_tasks(tasks, ignored=ours))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        _end_watchers(ours)
        await running
    except asyncio.CancelledError:
        running.cancel()
        raise
    except Exception as error:
        # kopf raises the answer in errors whose classes are not part of its API.
        refused = isinstance(error, kopf.LoginError)
        status = 401 if refused else getattr(error, "status", None)
        if not isinstance(status, int):
            raise
        message = getattr(error, "message", None) or f"a watch was answered with status {status}"
        raise ApiError(status, "Refused", with_remedy(status, str(message))) from None


def _end_watchers(others: set[asyncio.Task[Any]]) -> None:
    """End kopf's watchers before it closes their session, as it does first when it ends.

    A watcher without a session waits for a login, and ignores that it is cancelled meanwhile.
    """
    for task in asyncio.all_tasks() - others:
        if task.get_name().startswith("watcher for "):
            task.cancel()


def login_within(
    patience: float, streams: Streams
) -> Callable[..., Awaitable[kopf.AiohttpSession]]:
    """The login of the watches, as our own client does it; kopf repeats it after each 401.

    kopf's own logins support neither login programs nor token files, which managed clusters use.
    A login that is refused at once is repeated with growing delays, for `patience` seconds. Then it
    gives the same session again, which kopf takes for an error of its watches.
    """
    logged_in_at, delays = -math.inf, iter(Backoffs(patience))
    session: kopf.AiohttpSession

    async def login(**_: Any) -> kopf.AiohttpSession:
        nonlocal logged_in_at, delays, session
        loop = asyncio.get_running_loop()
        if loop.time() - logged_in_at > _LONGEST_BACKOFF:
            delays = iter(Backoffs(patience))
        elif (delay := next(delays, None)) is not None:
            await asyncio.sleep(delay)
        else:
            return session
        logged_in_at = loop.time()
        session = await _session(streams)
        return session

    return login


async def _session(streams: Streams) -> kopf.AiohttpSession:
    configuration = await load_configuration()
    scheme, _, token = (configuration.api_key.get("BearerToken") or "").partition(" ")
    login = kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=login.as_ssl_context()),
        headers=login.as_http_headers(),
        proxy=configuration.proxy,
        trust_env=False,
        middlewares=(streams,),
        response_class=Answer,
    )
    return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session)


def registry(
    patience: float, streams: Streams, kinds: Iterable[tuple[Resource, str | None]]
) -> kopf.OperatorRegistry:
    """Our handlers, in a registry of their own: kopf's default one is global to the process."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(login_within(patience, streams))
    for kind, _ in kinds:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=handlers)(seen)
    return handlers


def settings(watch_patience: float) -> kopf.OperatorSettings:
    """kopf's settings for an operator that only watches; `watch` explains the argument."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.persistence.finalizer = _NO_FINALIZER
    chosen.persistence.diffbase_storage = NoDiffBase()
    chosen.persistence.progress_storage = NoProgress()
    chosen.watching.chunk_size = LISTED
    chosen.watching.connect_timeout = 10
    chosen.watching.label_selectors["v1", "secrets"] = SECRET_SELECTOR
    chosen.watching.label_selectors["v1", "configmaps"] = CONFIG_MAP_SELECTOR
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 10
    chosen.networking.error_backoffs = Backoffs(watch_patience)
    # An idle worker keeps the last body of its object: with the default of 5 s, these bodies are
    # the memory peak where thousands of objects change.
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
