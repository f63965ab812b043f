"""The login of the watches, which kopf repeats after each 401."""

import asyncio
import itertools

import kopf
import pytest

from artifact_index.watching import kopf_adapter

pytestmark = [pytest.mark.unit, pytest.mark.looptime]

PATIENCE = 60.0


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each session was opened."""
    opened: list[float] = []

    async def open_session() -> None:
        opened.append(asyncio.get_running_loop().time())

    monkeypatch.setattr(kopf_adapter, "_session", open_session)
    return opened


async def test_a_login_that_is_refused_is_repeated_ever_more_seldom_and_then_given_up(
    sessions: list[float],
) -> None:
    login = kopf_adapter.login_within(PATIENCE)
    with pytest.raises(kopf.PermanentError):
        for _ in range(100):
            await login()
    assert sessions[0] == 0
    assert sessions[-1] == pytest.approx(PATIENCE)
    waits = [later - before for before, later in itertools.pairwise(sessions)]
    assert len(waits) < 15 and waits[0] < 2 < max(waits)


async def test_a_login_that_has_lasted_is_renewed_at_once(sessions: list[float]) -> None:
    login = kopf_adapter.login_within(PATIENCE)
    for _ in range(30):
        await login()
        await asyncio.sleep(3600)
    assert sessions == pytest.approx([3600 * number for number in range(30)], abs=1)
