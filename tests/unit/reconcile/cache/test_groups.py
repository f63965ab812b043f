"""Sets of members by group."""

import pytest

from artifact_index.reconcile.cache.kind_cache import Groups

pytestmark = pytest.mark.unit


def test_a_group_is_dropped_with_its_last_member() -> None:
    groups: Groups[str, int] = Groups()
    for member in (1, 2, 2):
        groups.add("a", member)
    assert groups["a"] == {1, 2} and groups["b"] == set()
    groups.discard("a", 1)
    groups.discard("b", 1)
    assert list(groups) == ["a"]
    groups.discard("a", 2)
    assert list(groups) == []
