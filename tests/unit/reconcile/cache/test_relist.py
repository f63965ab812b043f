"""The listing of everything beside what else the process has to do."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

import pytest

from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT
from artifact_index.kube.port import ListPage, Object
from artifact_index.kube.resources import Resource
from artifact_index.reconcile.cache.cache import Cache, Key
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.feed import FedObject, Feed
from artifact_index.reconcile.cache.objects import ObjectRef, OutputObject
from artifact_index.reconcile.cache.relist import Relister
from support.memory_port import MemoryPort
from support.reconcile_builders import body_of, secret_body

pytestmark = pytest.mark.unit


class LaboriousDigester(Digester):
    """Takes as long for an output as reading up a large one does."""

    def output(self, ref: tuple[str, str, str], data: Mapping[str, str], checkpoint: str) -> str:
        until = time.monotonic() + 0.005
        while time.monotonic() < until:
            pass
        return super().output(ref, data, checkpoint)


def outputs_listed_by(digester: Digester, count: int) -> tuple[Relister, Cache, Feed]:
    port, cache = MemoryPort(), Cache()
    for number in range(count):
        labels = {ROLE_LABEL: ROLE_OUTPUT}
        port.put("secrets", secret_body(f"uv-{number}", {"uv.toml": ""}, labels=labels))
    feed = Feed(
        cache=cache,
        forget_polled=lambda ref: None,
        digester=digester,
        enqueue=lambda keys: None,
        status_edited=lambda keys: None,
    )
    return Relister(port, feed, (), 600, lambda keys: None, random.Random(1)), cache, feed


async def test_a_page_of_large_outputs_leaves_turns_to_others() -> None:
    relister, cache, _ = outputs_listed_by(LaboriousDigester(b"key"), 40)
    seen = set[int]()

    async def look() -> None:
        while True:
            seen.add(len(cache.outputs))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await relister.prime()
    looking.cancel()
    assert len(cache.outputs) == 40
    # 200 ms of work, and a turn for others after each 5 ms or so.
    assert len(seen) >= 8


@pytest.mark.parametrize("later", [False, True])
async def test_an_object_that_cannot_be_restored_stops_no_other(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    relister, cache, feed = outputs_listed_by(Digester(b"key"), 3)
    handed_on: list[ObjectRef] = []

    async def fail() -> None:
        raise ValueError("canary-3f7a")

    def restore(_: str, new: FedObject, body: Object) -> Awaitable[None] | None:
        assert isinstance(new, OutputObject) and body["metadata"]["uid"] == new.uid
        handed_on.append(ObjectRef(new.ref.namespace, new.ref.name))
        if not later:
            raise ValueError("canary-3f7a")
        return fail()

    feed.on_new = restore
    await relister.prime()
    assert len(handed_on) == len(cache.outputs) == 3
    assert caplog.text.count("cannot be restored") == 3
    assert "ValueError at" in caplog.text and "canary-3f7a" not in caplog.text


async def test_what_a_relist_finds_does_not_wait_for_the_secrets() -> None:
    """Five hundred Secrets of 1 MB take seconds to list."""

    class Port(MemoryPort):
        def list(self, resource: Resource, **how: Any) -> AsyncIterator[ListPage]:
            enqueued_before[resource.plural] = len(enqueued)
            return super().list(resource, **how)

    enqueued, enqueued_before = set[Key](), dict[str, int]()
    port, cache = Port(), Cache()
    port.put("indexoptions", body_of("uv-config", {}))
    feed = Feed(
        cache=cache,
        forget_polled=lambda ref: None,
        digester=Digester(b"key"),
        enqueue=lambda keys: None,
        status_edited=lambda keys: None,
    )
    relister = Relister(port, feed, (), 600, enqueued.update, random.Random(1))
    task = asyncio.create_task(relister.run(0))
    async with asyncio.timeout(10):
        while "configmaps" not in enqueued_before:  # noqa: ASYNC110 - it lists until then
            await asyncio.sleep(0)
    task.cancel()
    assert (enqueued_before["indexoptions"], enqueued_before["secrets"]) == (0, 1)
