"""The write limiter, in virtual time: the rate, the burst, the order by priority."""

import asyncio
import contextlib

import pytest

from artifact_index.reconcile.queue.write_limiter import EVENT, OUTPUT, STATUS, WriteLimiter

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


class Writers:
    """Tasks that each make one write; `wrote` has their names and times in order."""

    def __init__(self, limiter: WriteLimiter) -> None:
        self.limiter = limiter
        self.wrote: list[tuple[str, float]] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def output(self, name: str, priority: float = 0.0, *, namespace: str = "ns") -> None:
        self.tasks[name] = asyncio.create_task(self._output(name, priority, namespace))

    def status(self, name: str) -> None:
        self.tasks[name] = asyncio.create_task(self._status(name))

    def event(self, name: str) -> None:
        self.tasks[name] = asyncio.create_task(self._event(name))

    async def all(self) -> list[str]:
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return [name for name, _ in self.wrote]

    async def _output(self, name: str, priority: float, namespace: str) -> None:
        await self.limiter.wait(OUTPUT, namespace, priority)
        self._note(name)

    async def _status(self, name: str) -> None:
        await self.limiter.wait(STATUS, "ns")
        self._note(name)

    async def _event(self, name: str) -> None:
        await self.limiter.wait(EVENT, "ns")
        self._note(name)

    def _note(self, name: str) -> None:
        self.wrote.append((name, asyncio.get_running_loop().time()))


async def test_a_burst_is_written_at_once_and_the_rest_at_the_rate() -> None:
    writers = Writers(WriteLimiter(10, 5))
    for number in range(25):
        writers.status(str(number))
    await writers.all()

    begun = writers.wrote[0][1]
    times = [at - begun for _, at in writers.wrote]
    assert times[:5] == pytest.approx([0] * 5)
    assert times[5:] == pytest.approx([0.1 * number for number in range(1, 21)], abs=0.01)


async def test_a_pause_accumulates_no_more_than_the_burst() -> None:
    writers = Writers(WriteLimiter(10, 3))
    writers.status("first")
    await writers.all()
    await asyncio.sleep(60)
    for number in range(6):
        writers.status(str(number))
    await writers.all()

    begun = writers.wrote[1][1]
    assert [at - begun < 0.05 for _, at in writers.wrote[1:]] == [True] * 3 + [False] * 3


async def test_outputs_go_first_by_priority_then_statuses_then_events() -> None:
    writers = Writers(WriteLimiter(1, 1))
    writers.status("in front")
    await asyncio.sleep(0)
    writers.event("event")
    writers.status("status")
    writers.output("for ever", float("inf"))
    writers.output("later", 200)
    writers.output("soon", 100)

    assert await writers.all() == ["in front", "soon", "later", "for ever", "status", "event"]


async def test_an_output_waits_for_one_token_however_many_statuses_wait() -> None:
    writers = Writers(WriteLimiter(10, 1))
    for number in range(50):
        writers.status(str(number))
    await asyncio.sleep(1.05)
    before = len(writers.wrote)
    writers.output("urgent")
    names = await writers.all()

    assert names.index("urgent") == before


async def test_a_cancelled_write_uses_no_token() -> None:
    writers = Writers(WriteLimiter(10, 1))
    for name in "abc":
        writers.status(name)
    await asyncio.sleep(0.01)
    writers.tasks["b"].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writers.tasks["b"]

    assert await writers.all() == ["a", "c"]
    assert writers.wrote[1][1] - writers.wrote[0][1] == pytest.approx(0.1, abs=0.01)


async def test_without_a_rate_nothing_waits() -> None:
    writers = Writers(WriteLimiter(0, 1))
    begun = asyncio.get_running_loop().time()
    for number in range(1000):
        writers.status(str(number))
    await writers.all()

    assert asyncio.get_running_loop().time() == pytest.approx(begun, abs=0.01)
