"""URLs and the cloud that is asked for them, for the tests of their lookups."""

from collections.abc import AsyncIterator

import pytest_asyncio

from support.endpoint_world import EndpointWorld


@pytest_asyncio.fixture
async def world() -> AsyncIterator[EndpointWorld]:
    world = EndpointWorld()
    yield world
    await world.urls.close()
