"""The HTTP endpoints /healthz, /readyz and /metrics."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from aiohttp import web

from artifact_index.election.elector import Elector
from artifact_index.instrumentation import UNMEASURED, Meter
from artifact_index.logs import log_loop_error

_LAG_PERIOD: Final = 0.05
"""Seconds between samples: anything that blocks the loop for longer is noticed."""
_LAG_SAMPLES: Final = 1200
_LONGEST_HOLD: Final = 15.0
"""Seconds for which nothing else may run on the event loop before /healthz fails: the loop is
stuck then. Nothing that the operator does takes a tenth of this."""
_PATIENCE: Final = 1.0
"""Seconds for which a probe waits for a busy event loop; the chart's probes wait for 5."""

Answer = TypeVar("Answer")


class ListenError(Exception):
    """The port of the endpoints cannot be used; the message says why and which setting helps."""


@dataclass(slots=True)
class LoopLag:
    """Samples how late the event loop runs timers, over the last minute; in seconds.

    `beat` is when it last ran one, by the monotonic clock; another thread may read it.
    """

    meter: Meter = UNMEASURED
    samples: deque[float] = field(default_factory=lambda: deque(maxlen=_LAG_SAMPLES))
    beat: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_PERIOD
            await asyncio.sleep(_LAG_PERIOD)
            late = loop.time() - due
            self.beat = time.monotonic()
            self.samples.append(late)
            self.meter.loop_lag(late)

    def __str__(self) -> str:
        """Summarize the last minute for the log."""
        ordered = sorted(self.samples) or [0.0]
        p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
        return f"p99 {p99 * 1000:.0f} ms, worst {ordered[-1] * 1000:.0f} ms"


@dataclass(slots=True)
class Health:
    """The state behind /healthz and /readyz.

    `tasks` must keep running. `listing_age` returns the seconds since the last complete relist,
    None before the first; it must not exceed `oldest_listing`. `unserved` returns why the
    API server does not serve the operator now, None if it does. A standby is healthy and ready.
    """

    lag: LoopLag
    listing_age: Callable[[], float | None]
    oldest_listing: float
    unserved: Callable[[], str | None] = lambda: None
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    elector: Elector | None = None

    def trouble(self) -> str | None:
        """Return why the process should be restarted, or None."""
        for name, task in self.tasks.items():
            if task.done():
                return f"{name} has stopped"
        age = self.listing_age()
        if age is not None and age > self.oldest_listing:
            return f"the last complete relist was {age:.0f} s ago"
        return self.elector.stuck() if self.elector is not None else None

    def unready(self) -> str | None:
        """Return why the operator does not work yet, or None."""
        if self.listing_age() is None:
            return "the first listing of all objects is not complete"
        return self.trouble() or self.unserved()

    def good(self) -> str:
        """Return the answer of a sound process; of several replicas it says which one this is."""
        return "ok" if self.elector is None else f"ok: {self.elector.state()}"

    def stuck(self) -> str | None:
        """Return that the event loop is stuck, or None. For another thread, so it asks nothing."""
        held = time.monotonic() - self.lag.beat
        if held <= _LONGEST_HOLD:
            return None
        return f"the event loop is stuck: nothing else has run on it for {held:.0f} s"


Scrape = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Returns body and content type of /metrics for an Accept header."""


@contextlib.asynccontextmanager
async def serve_health(health: Health, scrape: Scrape, host: str, port: int) -> AsyncIterator[int]:
    """Serve the endpoints and yield the port. Health is 200 with `good`, or 503 with the reason.

    A thread with an event loop of its own serves them. It asks the operator's loop; if that is too
    busy to answer in time, it repeats the last answer, unless the loop is stuck.
    """
    operator = asyncio.get_running_loop()
    last: dict[str, str | None] = {"/healthz": None, "/readyz": health.unready()}

    async def ask(path: str) -> str | None:
        return health.unready() if path == "/readyz" else health.trouble()

    async def probe(request: web.Request) -> web.Response:
        path = request.path
        try:
            async with asyncio.timeout(_PATIENCE):
                reason = last[path] = await _on(operator, ask(path))
        except TimeoutError:
            reason = health.stuck() or last[path]
        return web.Response(text=f"{reason or health.good()}\n", status=503 if reason else 200)

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = await _on(operator, _scraped(request.headers.get("Accept", "")))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _scraped(accept: str) -> tuple[bytes, str]:
        return await scrape(accept)

    application = web.Application()
    application.router.add_get("/healthz", probe)
    application.router.add_get("/readyz", probe)
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)

    async def start() -> int:
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            # asyncio puts address and port into strerror, which the message has already; the codes
            # of gaierror are not those of the system.
            if error.errno and not isinstance(error, socket.gaierror):
                why = os.strerror(error.errno)
            else:
                why = error.strerror or str(error)
            raise ListenError(
                f"cannot serve /healthz, /readyz and /metrics on {host}, port {port}: {why}; "
                "choose another port with --health-port, or another address with --health-host"
            ) from None
        bound: int = runner.addresses[0][1]
        return bound

    with _loop_in_a_thread() as endpoints:
        try:
            yield await _on(endpoints, start())
        finally:
            await _on(endpoints, runner.cleanup())


async def _on(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """Await a coroutine that runs on the event loop of another thread."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))


@contextlib.contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a daemon thread until the context ends."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(log_loop_error)
    thread = threading.Thread(target=loop.run_forever, name="health", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
