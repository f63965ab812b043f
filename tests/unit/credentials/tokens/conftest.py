"""A token manager with its cloud, for the tests of its rules."""

from collections.abc import AsyncIterator

import pytest_asyncio

from artifact_index.credentials.tokens.freshness import Margins
from support.token_world import TokenWorld


@pytest_asyncio.fixture
async def world() -> AsyncIterator[TokenWorld]:
    world = TokenWorld(Margins())
    yield world
    await world.stop()
