"""Long computations leave the event loop to others."""

import asyncio
import threading
import time

import pytest

from artifact_index import runtime
from artifact_index.runtime import Turns, beside_the_loop

pytestmark = pytest.mark.unit


async def test_a_computation_beside_the_loop_does_not_hold_it() -> None:
    went_on = threading.Event()
    asyncio.get_running_loop().call_later(0.01, went_on.set)
    assert await beside_the_loop(lambda: went_on.wait(20))


async def test_an_error_beside_the_loop_is_that_of_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        await beside_the_loop(lambda: 1 / 0)


async def test_a_computation_that_has_not_begun_is_dropped_with_its_caller() -> None:
    go_on, ran = threading.Event(), threading.Event()
    first = asyncio.ensure_future(beside_the_loop(lambda: go_on.wait(20)))
    second = asyncio.ensure_future(beside_the_loop(ran.set))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go_on.set()
    assert await first
    assert await beside_the_loop(lambda: True)  # whatever came before has ended
    assert not ran.is_set()


@pytest.mark.parametrize(("longest", "rounds"), [(0.0, 5), (60.0, 0)])
async def test_others_get_a_turn_when_the_loop_was_held_for_long(
    longest: float, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_LONGEST_TURN", longest)
    turns, others = Turns(), 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(5):
        time.sleep(0.001)  # noqa: ASYNC251 - a step
        await turns.leave()
    task.cancel()
    assert others == rounds
