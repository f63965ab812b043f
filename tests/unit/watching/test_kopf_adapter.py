"""What kopf calls: the handler of events, which never raises, and the login of the watches."""

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from artifact_index.watching import kopf_adapter
from artifact_index.watching.kopf_adapter import Memo, seen
from support.reconcile_builders import CANARY

pytestmark = [pytest.mark.unit, pytest.mark.looptime]

PATIENCE = 60.0
STREAMS: Any = None


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each session was opened."""
    opened: list[float] = []

    async def open_session(_: object) -> float:
        opened.append(asyncio.get_running_loop().time())
        return opened[-1]

    monkeypatch.setattr(kopf_adapter, "_session", open_session)
    return opened


async def test_a_login_that_is_refused_is_repeated_ever_more_seldom_and_then_given_up(
    sessions: list[float],
) -> None:
    login = kopf_adapter.login_within(PATIENCE, STREAMS)
    given: list[object] = [await login() for _ in range(100)]
    # kopf takes no session twice.
    assert given == sessions + [sessions[-1]] * (100 - len(sessions))
    assert sessions[0] == 0
    assert sessions[-1] == pytest.approx(PATIENCE)
    waits = [later - before for before, later in itertools.pairwise(sessions)]
    assert len(waits) < 15 and waits[0] < 2 < max(waits)


async def test_a_login_that_has_lasted_is_renewed_at_once(sessions: list[float]) -> None:
    login = kopf_adapter.login_within(PATIENCE, STREAMS)
    for _ in range(30):
        await login()
        await asyncio.sleep(3600)
    assert sessions == pytest.approx([3600 * number for number in range(30)], abs=1)


async def test_an_error_at_an_event_is_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Spoiled:
        def watched(self, *_: object) -> None:
            raise ValueError(CANARY)

    feed: Any = Spoiled()
    event = {"type": "MODIFIED", "object": {"data": {"key": CANARY}}}
    await seen(event, Memo(feed), SimpleNamespace(plural="secrets"))
    assert "an event of secrets waits" in caplog.text and "ValueError at" in caplog.text
    assert CANARY not in caplog.text
