"""What kopf calls never raises: kopf would log the text of the error."""

from types import SimpleNamespace
from typing import Any

import pytest

from artifact_index.watching.kopf_adapter import Memo, seen
from support.reconcile_builders import CANARY

pytestmark = pytest.mark.unit


async def test_an_error_at_an_event_is_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Spoiled:
        def watched(self, *_: object) -> None:
            raise ValueError(CANARY)

    feed: Any = Spoiled()
    event = {"type": "MODIFIED", "object": {"data": {"key": CANARY}}}
    await seen(event, Memo(feed, lambda: None), SimpleNamespace(plural="secrets"))
    assert "an event of secrets waits" in caplog.text and "ValueError at" in caplog.text
    assert CANARY not in caplog.text
