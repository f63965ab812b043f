"""The engine: an operator whose queue a test works off itself."""

from collections.abc import AsyncIterator

import pytest

from support.engine import Engine


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """A fresh operator without objects."""
    engine = Engine()
    yield engine
    await engine.operator.close()
