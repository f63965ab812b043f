"""The memo gives a value for an equal key only, and holds no more than it may."""

import pytest

from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.resolve.memo import Memo, Place

pytestmark = pytest.mark.unit


def place(name: str) -> Place:
    return Place(ObjectRef("team", name), 1800, True)


def test_a_value_is_given_for_an_equal_key_only() -> None:
    memo: Memo[tuple[int, ...], str] = Memo(size=2)
    memo.put(place("a"), (1, 2), "value")
    assert memo.get(place("a"), (1, 2)) == "value"
    assert memo.get(place("a"), (1, 3)) is None
    assert memo.get(place("b"), (1, 2)) is None
    assert memo.latest(place("a")) == ((1, 2), "value")


def test_a_place_has_one_value() -> None:
    memo: Memo[int, str] = Memo(size=2)
    memo.put(place("a"), 1, "old")
    memo.put(place("a"), 2, "new")
    assert memo.get(place("a"), 1) is None
    assert memo.get(place("a"), 2) == "new"


def test_the_oldest_value_makes_room() -> None:
    memo: Memo[int, str] = Memo(size=2)
    for name in ("a", "b", "a", "c"):
        memo.put(place(name), 1, name)
    assert memo.get(place("b"), 1) is None
    assert memo.get(place("a"), 1) == "a"
    assert memo.get(place("c"), 1) == "c"
