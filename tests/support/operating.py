"""The operator as the product wires it, run without a process around it, on a virtual clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from artifact_index.credentials.calls import Issue
from artifact_index.kube.port import KubePort
from artifact_index.reconcile.cache.env import Env
from artifact_index.settings import Settings
from artifact_index.wiring import Operator, build


@asynccontextmanager
async def operating(
    settings: Settings, port: KubePort, issue: Issue, env: Env
) -> AsyncIterator[Operator]:
    """One life of the operator: it lists everything, then runs its token manager, and leads.

    Signals, watches and health endpoints are not there. The caller starts further parts itself.
    """
    operator = build(settings, port, issue, env)
    await operator.prime()
    tasks = [
        asyncio.create_task(operator.tokens.run()),
        asyncio.create_task(operator.lead()),
    ]
    await asyncio.sleep(0)
    try:
        yield operator
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await operator.close()
