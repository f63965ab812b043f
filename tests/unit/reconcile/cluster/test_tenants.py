"""A tenant's file shares the login of a ClusterIndexOptions: what its requests reach."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from artifact_index.api.constants import REFRESH_REQUESTED_ANNOTATION
from artifact_index.api.timestamps import format_time
from support.cluster_world import BUILDS, SETTLED, ClusterWorld, serving

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

NAMESPACES = ["a", "b", "c"]
MINUTES = 30


@pytest.fixture
async def world() -> AsyncIterator[ClusterWorld]:
    """Three namespaces and one index for them."""
    async with serving(*NAMESPACES) as world:
        yield world


async def test_a_tenants_requests_reach_its_own_files_alone_at_a_bounded_rate(
    world: ClusterWorld,
) -> None:
    world.own("indexoptions", "a", "own", {"clusterIndexSelector": {}})
    await world.start()
    await asyncio.sleep(600)
    world.port.log.clear()
    for _ in range(10 * MINUTES):
        body = world.port.find("indexoptions", "a", "own")
        assert body is not None
        requested = format_time(int(world.now))
        body["metadata"]["annotations"] = {REFRESH_REQUESTED_ANNOTATION: requested}
        world.port.change("indexoptions", body)
        await asyncio.sleep(6)
    assert MINUTES / 2 < world.mints <= 1 + MINUTES + 1
    assert world.served("own")["a"] == f"minted-{world.mints}"
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    touched = {(plural, namespace, name) for _, plural, namespace, name in world.port.log}
    assert touched == {
        ("secrets", "a", "own"),
        ("indexoptions/status", "a", "own"),
    }
    # Whatever is looked at in between, each goes on with its own token.
    world.namespace("d", BUILDS)
    await asyncio.sleep(SETTLED)
    assert world.served() == dict.fromkeys([*NAMESPACES, "d"], "minted-1")
    assert world.served("own")["a"] == f"minted-{world.mints}"
