"""A simulated life of the operator: its own parts between clouds, an API server and readers.

There are three clocks. The loop's virtual time is the truth: by it the clouds let tokens expire.
The operator's clock is off by up to `e` and is corrected now and then. Readers see an output up to
P seconds late.
"""

import asyncio
import random
from abc import ABC, abstractmethod

from artifact_index.credentials.calls import Issue
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.settings import Settings
from artifact_index.wiring import env_of
from support.misfortunes import EPOCH, Kind, trouble
from support.operating import operating
from support.readers import Readers, SlowPort

NAMESPACE = "builders"
SETTINGS = Settings(
    namespaces=(NAMESPACE,), operator_namespace=NAMESPACE, relist_interval=86_400.0, workers=2
)


class Simulation(ABC):
    """The operator, wired as the product is, on a fake clock; a subclass adds what is around it."""

    def __init__(
        self, kinds: dict[str, Kind], seconds: float, seed: int, settings: Settings = SETTINGS
    ) -> None:
        self.kinds = kinds
        self.rng = random.Random(seed)
        self.jitter = random.Random(seed)
        """The operator's own."""
        self.trouble = trouble(self.rng, seconds)
        self.readers = Readers(kinds, self.expiry_of)
        self._settings = settings
        self._seconds = seconds
        self._offset = 0.0

    # What a subclass provides

    @abstractmethod
    def expiry_of(self, token: str) -> float:
        """When a token expires, in seconds of the truth."""

    @abstractmethod
    def truth(self) -> float:
        """Seconds of the loop's time, from any thread."""

    @abstractmethod
    async def port(self) -> SlowPort:
        """The API server; called once, on the loop."""

    @abstractmethod
    def providers(self) -> Issue:
        """The clouds; called on the loop, once for each process."""

    @abstractmethod
    async def fail(self) -> None:
        """Let the clouds fail at their times; cancelled at the end."""

    @property
    @abstractmethod
    def mints(self) -> tuple[int, int]:
        """The numbers of tokens issued and of attempts."""

    # The life

    def now(self) -> float:
        """The operator's clock, in POSIX seconds."""
        return EPOCH + self.truth() + self._offset

    async def run(self) -> None:
        """Run the whole life."""
        loop = asyncio.get_running_loop()
        port = await self.port()
        surroundings = [asyncio.create_task(self._step_clock()), asyncio.create_task(self.fail())]
        for down, up in [*self.trouble.restarts, (self._seconds, self._seconds)]:
            await self.operate(port, until=down)
            await asyncio.sleep(up - down)
        for task in surroundings:
            task.cancel()
        await asyncio.gather(*surroundings, return_exceptions=True)
        self.writes = port.writes.total()
        await port.close()
        self.readers.close(loop.time())

    async def operate(self, port: SlowPort, *, until: float, key: bytes = b"key") -> None:
        """Run one process with this signing key until a time of the truth."""
        env = env_of(self._settings, Digester(key), clock=self.now, rng=self.jitter)
        async with operating(self._settings, port, self.providers(), env):
            await asyncio.sleep(until - asyncio.get_running_loop().time())

    async def _step_clock(self) -> None:
        loop = asyncio.get_running_loop()
        for at, offset in self.trouble.steps:
            await asyncio.sleep(at - loop.time())
            self._offset = offset

    def summary(self) -> str:
        """One line with the least slack, the mints and the writes."""
        minted, attempts = self.mints
        return (
            f"least slack {self.readers.least_slack:.0f} s, {minted} mints in "
            f"{attempts} attempts, {self.writes} writes, "
            f"{len(self.trouble.outages)} outages, {len(self.trouble.throttles)} throttles, "
            f"{len(self.trouble.restarts)} restarts, {len(self.trouble.steps)} clock steps"
        )


def assert_kept(life: Simulation, end: float) -> None:
    """No reader saw a credential expire, and builds are promised exactly where that can be kept."""
    assert life.readers.seen.keys() == life.kinds.keys()
    assert life.readers.broken == []
    assert life.readers.least_slack >= 0
    for name, kind in life.kinds.items():
        assert life.readers.promised(name, end) is bool(kind.promised), (name, kind)
