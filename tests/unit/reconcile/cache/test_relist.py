"""The listing of everything beside what else the process has to do."""

import asyncio
import random
import time
from collections.abc import Mapping

import pytest

from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.feed import Feed
from artifact_index.reconcile.cache.relist import Relister
from support.memory_port import MemoryPort
from support.reconcile_builders import secret_body

pytestmark = pytest.mark.unit


class LaboriousDigester(Digester):
    """Takes as long for an output as reading up a large one does."""

    def output(self, ref: tuple[str, str, str], data: Mapping[str, str], checkpoint: str) -> str:
        until = time.monotonic() + 0.005
        while time.monotonic() < until:
            pass
        return super().output(ref, data, checkpoint)


async def test_a_page_of_large_outputs_leaves_turns_to_others() -> None:
    port, cache = MemoryPort(), Cache()
    for number in range(40):
        labels = {ROLE_LABEL: ROLE_OUTPUT}
        port.put("secrets", secret_body(f"uv-{number}", {"uv.toml": ""}, labels=labels))
    rng, digester = random.Random(1), LaboriousDigester(b"key")
    feed = Feed(
        cache=cache,
        forget_polled=lambda ref: None,
        digester=digester,
        enqueue=lambda keys: None,
        status_edited=lambda keys: None,
    )
    relister = Relister(port, feed, (), 600, lambda keys: None, rng)
    seen = set[int]()

    async def look() -> None:
        while True:
            seen.add(len(cache.outputs))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await relister.prime()
    looking.cancel()
    assert len(cache.outputs) == 40
    # 200 ms of work, and a turn for others after each 20 ms.
    assert len(seen) >= 8
