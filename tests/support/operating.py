"""The operator's own wiring, without a process around it: for lives on a virtual clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from artifact_index import app
from artifact_index.kube.port import KubePort
from artifact_index.metrics.counters import Counters
from artifact_index.settings import Settings


@asynccontextmanager
async def operating(settings: Settings, port: KubePort, key: bytes) -> AsyncIterator[app.Operator]:
    """One life of it: primed, with token manager and workers, without signals, watches and health.

    `key` signs its outputs. Whoever wants more of its parts to run starts them.
    """
    operator = app.Operator(settings, port, key, Counters("1.0"))  # type: ignore[arg-type]
    await operator.relister.prime(operator.restore)
    running = [
        asyncio.create_task(operator.tokens.run()),
        *(asyncio.create_task(operator.reconciler.work()) for _ in range(settings.workers)),
    ]
    for each in operator.cache.all_keys():
        operator.queue.add(each, 0)
    try:
        yield operator
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await operator.tokens.close()
        await operator.endpoints.close()
