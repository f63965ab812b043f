"""Namespaces that come and go under one name."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from artifact_index.kube.errors import ApiError
from support.cluster_world import BUILDS, ClusterWorld, serving

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


@pytest.fixture
async def world() -> AsyncIterator[ClusterWorld]:
    """Two namespaces and one index for them."""
    async with serving("a", "b") as world:
        yield world


async def test_a_namespace_created_again_and_again_has_its_secret_each_time(
    world: ClusterWorld,
) -> None:
    await world.start()
    for _ in range(10):
        world.drop_namespace("a")
        await asyncio.sleep(1)
        world.namespace("a", BUILDS)
        await asyncio.sleep(1)
        assert world.served() == {"a": "minted-1", "b": "minted-1"}


@pytest.mark.parametrize(
    "answer",
    [
        ApiError(404, "NotFound", 'namespaces "a" not found'),
        ApiError(403, "Forbidden", "unable to create new content in namespace a because it is "
                 "being terminated"),
    ],
    ids=["not found", "terminating"],
)  # fmt: skip
async def test_an_api_server_may_not_have_heard_of_a_new_namespace(
    world: ClusterWorld, answer: ApiError
) -> None:
    await world.start()
    late = [answer] * 2
    world.port.refuse = lambda verb, plural, _: (
        late.pop() if late and (verb, plural) == ("create", "secrets") else None
    )
    world.drop_namespace("a")
    world.namespace("a", BUILDS)
    await asyncio.sleep(5)
    assert world.served() == {"a": "minted-1", "b": "minted-1"}
    assert world.ready() == ("True", "Available") and late == []


async def test_a_namespace_whose_end_is_not_yet_known_is_tried_rarely(world: ClusterWorld) -> None:
    await world.start()
    writes = []

    def latency() -> float:
        writes.append(world.now)
        return 0.0

    world.port.latency = latency
    metadata = world.port.objects["namespaces", "", "a"]["metadata"]
    metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"  # no event has come
    world.port.remove("secrets", "a", "uv-config")
    await asyncio.sleep(60)
    assert 0 < len(writes) < 15
    world.drop_namespace("a")
    await asyncio.sleep(200)
    assert world.status()["namespaces"] == {"selected": 1, "written": 1, "failing": 0}
    assert world.ready() == ("True", "Available")


async def test_a_secret_whose_end_is_told_after_the_namespace_is_there_again_hides_nothing(
    world: ClusterWorld,
) -> None:
    """The watches of two kinds are not ordered."""
    operator = await world.start()
    gone = world.port.objects.pop(("secrets", "a", "uv-config"))
    world.end_namespace("a")
    await asyncio.sleep(2)
    assert world.status()["namespaces"] == {"selected": 1, "written": 1, "failing": 0}
    world.port.remove("namespaces", "", "a")
    world.namespace("a", BUILDS)
    await asyncio.sleep(0.2)
    version = world.port.objects["namespaces", "", "a"]["metadata"]["resourceVersion"]
    gone["metadata"]["resourceVersion"] = version
    operator.feed.watched("secrets", "DELETED", gone)
    await asyncio.sleep(5)
    assert world.served() == {"a": "minted-1", "b": "minted-1"}
    assert world.status()["namespaces"] == {"selected": 2, "written": 2, "failing": 0}
