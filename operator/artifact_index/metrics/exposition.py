"""Answers scrapes."""

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from artifact_index.metrics.counters import Counters
from artifact_index.metrics.live import LiveState, Snapshot


class Exposition:
    """Everything that can be scraped: the counters, and gauges of the current state."""

    def __init__(self, counters: Counters, snapshot: Callable[[], Snapshot]) -> None:
        self._counters = counters
        self._snapshot = snapshot
        self._one_at_a_time = asyncio.Lock()

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """Body and content type, as the Accept header asks for: OpenMetrics, or plain text.

        Writing thousands of series takes a while, so a thread does it. One scrape runs at a time,
        so that any number of them occupies one thread.
        """
        encode, content_type = choose_encoder(accept)
        async with self._one_at_a_time:
            scrape = _Scrape(self._counters, LiveState(self._snapshot()))
            return await asyncio.to_thread(encode, scrape), content_type


class _Scrape:
    """A collector of both."""

    def __init__(self, counters: Counters, live: LiveState) -> None:
        self._counters = counters
        self._live = live

    def collect(self) -> Iterator[Metric]:
        yield from self._live.collect()
        yield from self._counters.registry.collect()
