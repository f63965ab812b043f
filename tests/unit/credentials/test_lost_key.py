"""The signing key is lost: nothing that the outputs say of themselves is believed any more."""

import asyncio
import random

import pytest

from support.misfortunes import Kind
from support.month import Month
from support.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit

LOGINS = 1000
CONVERGED, END = 300, 600


def test_a_thousand_logins_are_minted_anew_within_the_rate_and_the_most_urgent_first() -> None:
    rng = random.Random(5)
    lives = {f"login-{number:04}": 60 * rng.randint(60, 700) for number in range(LOGINS)}
    kinds = {name: Kind(life, 600, promised=True) for name, life in lives.items()}
    month = Month(kinds, END, seed=1)

    async def scene() -> int:
        port = await month.port()
        await month.operate(port, until=CONVERGED)
        before = port.writes.total()
        await month.operate(port, until=END, key=b"another")
        return port.writes.total() - before

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        writes = runner.run(scene())

    again = [(at, name) for at, name in month.cloud.begun if at >= CONVERGED]
    times = [at for at, _ in again]
    assert sorted(name for _, name in again) == sorted(kinds), "each login is minted once"
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[10:], strict=False))
    assert times[-1] - CONVERGED < LOGINS / 10 + 5
    # Ten begin before the others are known; then it goes by what the statuses tell of the end.
    order = [lives[name] for _, name in again[10:]]
    late = [abs(place - life) for place, life in zip(sorted(order), order, strict=True)]
    assert max(late) <= 120, "the first mints took some seconds, by which their ends differ"
    # An output and its status for each login, and the index's own status.
    assert writes <= 3.2 * LOGINS
    assert month.readers.broken == []
