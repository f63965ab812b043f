"""Whatever becomes of requests and answers, at no moment may two replicas write."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.lease_server import HANGS, LeaseServer, Line, Replica, Trouble
from support.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit


def run(life: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(life)


troubles = st.one_of(
    st.just(Trouble()),
    st.builds(Trouble, delay=st.floats(0, 12)),
    st.builds(Trouble, delay=st.floats(0, 3), lost=st.just(True)),
    st.builds(Trouble, status=st.sampled_from([0, 401, 403, 409, 422, 500, 502])),
    st.builds(Trouble, status=st.just(429), retry_after=st.sampled_from([None, 1.0, 12.0])),
    st.just(HANGS),
)
outages = st.lists(st.tuples(st.floats(0, 30), st.floats(1, 25), troubles), max_size=4)
"""How long all is well, how long it is not then, and what becomes of requests meanwhile."""


def trouble_of(outages: list[tuple[float, float, Trouble]]) -> Callable[[], Trouble]:
    """What becomes of a request that is sent now."""
    periods, at = [], 1.0
    for well, ill, trouble in outages:
        periods.append((at + well, at + well + ill, trouble))
        at += well + ill

    def now() -> Trouble:
        time = asyncio.get_running_loop().time()
        return next((each for begin, end, each in periods if begin <= time < end), Trouble())

    return now


@settings(max_examples=40, deadline=None)
@given(
    fates=st.lists(outages, min_size=2, max_size=3),
    late=st.lists(st.sampled_from([0.0, 0.1, 3.0, 20.0]), min_size=3, max_size=3),
    deaf=st.lists(st.booleans(), min_size=3, max_size=3),
    kills=st.lists(st.floats(1, 90), max_size=2),
)
def test_at_no_moment_two_gates_are_open(
    fates: list[list[tuple[float, float, Trouble]]],
    late: list[float],
    deaf: list[bool],
    kills: list[float],
) -> None:
    async def life() -> None:
        server, loop = LeaseServer(), asyncio.get_running_loop()
        replicas = []
        for number, fate in enumerate(fates):
            line = Line(server, f"r{number}", trouble_of(fate), late[number], deaf[number])
            replicas.append(Replica(line))
        wrong: list[str] = []

        def opened(number: int) -> None:
            now = loop.time()
            for other, replica in enumerate(replicas):
                # What the other one has sent last must be over: it may take until its grace.
                silent_since = replica.gate.last_open()
                if other != number and now < silent_since + replica.gate.grace - 1e-6:
                    wrong.append(f"{now}: {number} leads, and {other} until {silent_since}")

        def begin(number: int) -> None:
            replicas[number].gate.on_open = lambda: opened(number)
            replicas[number].start()

        for number in range(len(replicas)):
            begin(number)

        for at in sorted(kills):
            await asyncio.sleep(max(0.0, at - loop.time()))
            for number, each in enumerate(replicas):
                if each.gate.open:
                    await each.kill()
                    # A dead process sends nothing.
                    replicas[number] = Replica(Line(server, f"again{number}-{at}"))
                    begin(number)
        await asyncio.sleep(200)
        assert wrong == []
        assert not any(each.task.done() for each in replicas)
        # In the end somebody leads.
        assert sum(each.gate.open for each in replicas) == 1
        for each in replicas:
            await each.kill()

    run(life())
