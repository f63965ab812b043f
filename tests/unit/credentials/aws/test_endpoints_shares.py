"""Lookups of repository URLs by several tenants, of which some have thousands."""

import asyncio
from collections.abc import AsyncIterator, Hashable

import pytest
import pytest_asyncio

from artifact_index.credentials.calls import MOST_IN_FLIGHT
from support.endpoint_world import EndpointWorld, url_of, want
from support.token_world import DENIED, EPOCH, digest_of

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

MANY = 2000


def tenant_of(consumer: Hashable) -> Hashable:
    return str(consumer).partition("/")[0]


@pytest_asyncio.fixture
async def world() -> AsyncIterator[EndpointWorld]:
    world = EndpointWorld(tenant_of)
    yield world
    await world.urls.close()


async def test_a_lookup_does_not_wait_for_the_thousands_of_another_tenant(
    world: EndpointWorld,
) -> None:
    world.urls.require("many/a", [want(url_of(number)) for number in range(MANY)])
    await asyncio.sleep(1)
    wanted = url_of(MANY)
    world.urls.require("few/a", [want(wanted)])
    await asyncio.sleep(2 * world.latency)
    assert world.state(wanted).url is not None


async def test_a_url_of_several_tenants_is_looked_up_in_the_first_turn_of_any(
    world: EndpointWorld,
) -> None:
    world.urls.require("many/a", [want(url_of(number)) for number in range(MANY)])
    shared = url_of(MANY - 1)
    await asyncio.sleep(1)
    world.urls.require("few/a", [want(shared)])
    await asyncio.sleep(2 * world.latency)
    assert world.state(shared).url is not None
    assert [digest for _, digest in world.asked].count(digest_of(shared)) == 1


async def test_lookups_that_fail_wait_behind_first_ones_and_patience_counts_from_the_start(
    world: EndpointWorld,
) -> None:
    world.failure = DENIED
    world.urls.require("hostile/a", [want(url_of(number)) for number in range(MANY)])
    await asyncio.sleep(MANY / 16 + 60)
    world.failure = None
    began = len(world.asked)
    first = [url_of(MANY + number) for number in range(8)]
    required_at = world.now()
    world.urls.require("good/a", [want(url) for url in first])
    await asyncio.sleep(0.1)
    assert world.state(first[-1]).pending_since == required_at
    await asyncio.sleep(4 * world.latency)
    assert all(world.state(url).url for url in first)
    assert len(world.asked) - began <= 24


async def test_a_refresh_request_takes_a_failed_lookup_out_of_the_line_of_the_failed(
    world: EndpointWorld,
) -> None:
    world.failure = DENIED
    world.urls.require("a/a", [want(url_of(number)) for number in range(MANY)])
    await asyncio.sleep(MANY / 16 + 60)
    world.failure = None
    mended = url_of(MANY - 1)
    world.urls.require("a/b", [want(mended, fresh_after=int(world.now()))])
    await asyncio.sleep(3 * world.latency)
    assert world.state(mended).url is not None


async def test_regions_by_the_thousand_take_no_more_than_one_tenants_share(
    world: EndpointWorld,
) -> None:
    made_up = [url_of(0, f"region-{number}") for number in range(MANY)]
    world.hanging = {digest_of(url) for url in made_up}
    world.urls.require("hostile/a", [want(url) for url in made_up])
    await asyncio.sleep(1)
    assert len(world.asked) == MOST_IN_FLIGHT
    world.urls.require("good/a", [want(url_of(1))])
    await asyncio.sleep(2 * world.latency)
    assert world.state(url_of(1)).url is not None
    assert world.asked[-1][0] <= EPOCH + 1.1


async def test_nothing_is_kept_of_regions_without_lookups(world: EndpointWorld) -> None:
    for number in range(100):
        world.urls.require("a/a", [want(url_of(each, f"region-{number}")) for each in range(6)])
        await asyncio.sleep(number % 3)
    world.urls.release("a/a")
    await asyncio.sleep(10)
    assert not world.urls._queues and not world.urls._in_flight
