"""kopf keeps nothing of the objects that it shows us."""

from typing import Any

import pytest

from artifact_index.watching.kopf_state import NoMemories

pytestmark = pytest.mark.unit

BODY: Any = {"metadata": {"uid": "one", "name": "a", "namespace": "builders"}}


async def test_nothing_is_remembered_of_an_object() -> None:
    memories, memo = NoMemories(), object()
    first = await memories.recall(BODY, memobase=memo, noticed_by_listing=True)
    second = await memories.recall(BODY, memobase=memo)
    assert first is not second
    assert first.noticed_by_listing and first.memo is not None
    assert list(memories.iter_all_memories()) == []
    await memories.forget(BODY)
