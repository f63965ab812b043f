"""The HTTP endpoints /healthz, /readyz and /metrics."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from artifact_index.instrumentation import UNMEASURED, Meter

_LAG_PERIOD: Final = 0.05
"""Seconds between samples: anything that blocks the loop for longer is noticed."""
_LAG_SAMPLES: Final = 1200
_RECENT_SAMPLES: Final = 100
_LONGEST_LAG: Final = 5.0
"""Seconds by which the event loop may be late before /healthz fails."""


@dataclass(slots=True)
class LoopLag:
    """Samples how late the event loop runs timers, over the last minute; in seconds."""

    meter: Meter = UNMEASURED
    samples: deque[float] = field(default_factory=lambda: deque(maxlen=_LAG_SAMPLES))

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_PERIOD
            await asyncio.sleep(_LAG_PERIOD)
            late = loop.time() - due
            self.samples.append(late)
            self.meter.loop_lag(late)

    @property
    def recent(self) -> float:
        """The largest lag of the last 5 seconds."""
        return max(list(self.samples)[-_RECENT_SAMPLES:], default=0.0)

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
    API server does not serve the operator now, None if it does.
    """

    lag: LoopLag
    listing_age: Callable[[], float | None]
    oldest_listing: float
    unserved: Callable[[], str | None] = lambda: None
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def trouble(self) -> str | None:
        """Return why the process should be restarted, or None."""
        for name, task in self.tasks.items():
            if task.done():
                return f"{name} has stopped"
        if self.lag.recent > _LONGEST_LAG:
            return f"the event loop is blocked: a timer ran {self.lag.recent:.1f} s late"
        age = self.listing_age()
        if age is not None and age > self.oldest_listing:
            return f"the last complete relist was {age:.0f} s ago"
        return None

    def unready(self) -> str | None:
        """Return why the operator does not work yet, or None."""
        if self.listing_age() is None:
            return "the first listing of all objects is not complete"
        return self.trouble() or self.unserved()


Scrape = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Returns body and content type of /metrics for an Accept header."""


@contextlib.asynccontextmanager
async def serve_health(health: Health, scrape: Scrape, host: str, port: int) -> AsyncIterator[int]:
    """Serve the endpoints and yield the port. Health is 200 with `ok`, or 503 with the reason."""

    async def probe(request: web.Request) -> web.Response:
        reason = health.unready() if request.path == "/readyz" else health.trouble()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = await scrape(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    application = web.Application()
    application.router.add_get("/healthz", probe)
    application.router.add_get("/readyz", probe)
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
