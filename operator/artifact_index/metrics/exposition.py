"""Answers scrapes."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from artifact_index.metrics.counters import Counters
from artifact_index.metrics.live import Snapshot, live_metrics


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
            scrape = _Scrape(self._counters, self._snapshot())
            return await asyncio.to_thread(encode, scrape), content_type


@dataclass(frozen=True, slots=True)
class _Scrape:
    """A collector of both."""

    counters: Counters
    snapshot: Snapshot

    def collect(self) -> Iterator[Metric]:
        yield from live_metrics(self.snapshot)
        yield from self.counters.registry.collect()
