"""A simulated life of the operator: the real parts between clouds, an API server and readers.

Three clocks: the loop's virtual time is the truth, by which the clouds let tokens die; the
operator's clock is off by up to `e` and is set now and then; readers see an output up to P late.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from types import SimpleNamespace

import pytest

from artifact_index import app
from artifact_index.settings import Settings
from support.misfortunes import EPOCH, Kind, trouble
from support.operating import operating
from support.readers import Readers, SlowPort

NAMESPACE = "builders"
SETTINGS = Settings(
    namespaces=(NAMESPACE,), operator_namespace=NAMESPACE, relist_interval=86_400.0, workers=2
)


class Simulation(ABC):
    """The operator's own wiring on a fake clock. A subclass gives the clouds and the API server."""

    def __init__(
        self,
        kinds: dict[str, Kind],
        seconds: float,
        seed: int,
        patch: pytest.MonkeyPatch,
        settings: Settings = SETTINGS,
    ) -> None:
        self.kinds = kinds
        self.rng = random.Random(seed)
        self.trouble = trouble(self.rng, seconds)
        self.readers = Readers(kinds, self.expiry_of)
        self._settings = settings
        self._seconds = seconds
        self._offset = 0.0
        patch.setattr(app, "time", SimpleNamespace(time=self.now))

    # What a subclass gives

    @abstractmethod
    def expiry_of(self, token: str) -> float:
        """When a token dies, in seconds of the truth."""

    @abstractmethod
    def truth(self) -> float:
        """Seconds of the loop's time, from any thread."""

    @abstractmethod
    async def port(self) -> SlowPort:
        """The API server; asked for once, on the loop."""

    @abstractmethod
    async def fail(self) -> None:
        """Let the clouds fail when their time comes; cancelled at the end."""

    @property
    @abstractmethod
    def mints(self) -> tuple[int, int]:
        """How many tokens there were, and how many attempts at them."""

    # The life

    def now(self) -> float:
        """The operator's clock, in POSIX seconds."""
        return EPOCH + self.truth() + self._offset

    async def run(self) -> None:
        """Live through it."""
        loop = asyncio.get_running_loop()
        port = await self.port()
        besides = [asyncio.create_task(self._step_clock()), asyncio.create_task(self.fail())]
        for down, up in [*self.trouble.restarts, (self._seconds, self._seconds)]:
            await self.operate(port, until=down)
            await asyncio.sleep(up - down)
        for task in besides:
            task.cancel()
        await asyncio.gather(*besides, return_exceptions=True)
        self.writes = port.writes.total()
        await port.close()
        self.readers.close(loop.time())

    async def operate(self, port: SlowPort, *, until: float, key: bytes = b"key") -> None:
        """Run one process, with this signing key, until a time of the truth."""
        async with operating(self._settings, port, key):
            await asyncio.sleep(until - asyncio.get_running_loop().time())

    async def _step_clock(self) -> None:
        loop = asyncio.get_running_loop()
        for at, offset in self.trouble.steps:
            await asyncio.sleep(at - loop.time())
            self._offset = offset

    def summary(self) -> str:
        """Least slack, mints and writes, as one line."""
        minted, attempts = self.mints
        return (
            f"least slack {self.readers.least_slack:.0f} s, {minted} mints in "
            f"{attempts} attempts, {self.writes} writes, "
            f"{len(self.trouble.outages)} outages, {len(self.trouble.throttles)} throttles, "
            f"{len(self.trouble.restarts)} restarts, {len(self.trouble.steps)} clock steps"
        )


def assert_kept(life: Simulation, end: float) -> None:
    """No reader saw a credential die, and the promise stands just where it can be kept."""
    assert life.readers.seen.keys() == life.kinds.keys()
    assert life.readers.broken == []
    assert life.readers.least_slack >= 0
    for name, kind in life.kinds.items():
        assert life.readers.promised(name, end) is bool(kind.promised), (name, kind)
