"""One kind of observed object: which news is news, and what a sweep finds gone."""

from typing import NamedTuple

import pytest

from artifact_index.reconcile.cache.kind_cache import KindCache

pytestmark = pytest.mark.unit


class Seen(NamedTuple):
    uid: str
    resource_version: int


@pytest.fixture
def table() -> KindCache[str, Seen]:
    return KindCache()


@pytest.mark.parametrize(
    ("version", "news"), [(4, False), (5, False), (6, True)], ids=["older", "echo", "newer"]
)
@pytest.mark.parametrize("uid", ["same", "other"])
@pytest.mark.parametrize("listed", [False, True])
def test_only_a_newer_version_is_news(
    table: KindCache[str, Seen], listed: bool, uid: str, version: int, news: bool
) -> None:
    # Versions rise across a deletion and a new object of the same name, too.
    table.put("a", Seen("same", 5))
    later = Seen(uid, version)
    assert table.put("a", later, listed=listed) is news
    assert table.get("a") == (later if news else Seen("same", 5))


@pytest.mark.parametrize(
    ("version", "news"), [(4, False), (5, False), (6, True)], ids=["older", "echo", "newer"]
)
def test_whether_something_is_news_can_be_asked_before_a_record_is_made(
    table: KindCache[str, Seen], version: int, news: bool
) -> None:
    assert table.is_newer("a", version)
    table.put("a", Seen("same", 5))
    assert table.is_newer("a", version) is news


def test_only_an_event_without_news_keeps_an_object_from_the_sweep(
    table: KindCache[str, Seen],
) -> None:
    for name in ("by an event", "by a list"):
        table.put(name, Seen("x", 5))
    table.begin_sweep()
    table.mark_seen("by an event")
    assert not table.is_newer("by an event", 5)
    assert not table.is_newer("by a list", 5)
    assert table.end_sweep(set()) == ["by a list"]


def test_the_deletion_of_an_earlier_object_leaves_its_successor(
    table: KindCache[str, Seen],
) -> None:
    table.put("a", Seen("new", 7))
    assert table.remove("a", "old") is None
    assert table.remove("a", "new") == Seen("new", 7)
    assert table.remove("a", "new") is None
    assert list(table) == [] and len(table) == 0


def test_a_deletion_without_uid_removes_what_is_there(table: KindCache[str, Seen]) -> None:
    table.put("a", Seen("x", 1))
    assert table.remove("a") == Seen("x", 1)


def test_an_answer_older_than_a_deletion_brings_nothing_back(table: KindCache[str, Seen]) -> None:
    table.put("a", Seen("x", 5))
    table.remove("a", "x", 9)
    # The answer to a write of ours, overtaken by the event of the deletion.
    assert table.put("a", Seen("x", 7)) is False
    assert table.get("a") is None
    # A Secret that left the label is "deleted" at the version at which it is then read by name.
    assert table.put("a", Seen("x", 9)) is True
    table.remove("a", "x", 9)
    assert table.put("a", Seen("successor", 11)) is True


def test_deletions_are_remembered_over_one_sweep_and_then_forgotten(
    table: KindCache[str, Seen],
) -> None:
    table.put("a", Seen("x", 5))
    table.remove("a", "x", 9)
    for _ in range(2):
        assert table.put("a", Seen("x", 7)) is False
        table.begin_sweep()
        table.end_sweep(set())
    assert table.put("a", Seen("x", 7)) is True


def test_a_sweep_finds_what_the_list_does_not_hold(table: KindCache[str, Seen]) -> None:
    for ref in "abc":
        table.put(ref, Seen(ref, 1))
    table.begin_sweep()
    table.put("b", Seen("b", 1), listed=True)
    assert table.end_sweep({"b"}) == ["a", "c"]


def test_a_sweep_spares_what_an_event_brought_meanwhile(table: KindCache[str, Seen]) -> None:
    table.put("old", Seen("old", 1))
    table.begin_sweep()
    table.put("new", Seen("new", 9))
    table.put("old", Seen("old", 1))  # even where it was no news
    assert table.end_sweep(set()) == []


def test_a_list_does_not_bring_back_what_an_event_removed_meanwhile(
    table: KindCache[str, Seen],
) -> None:
    table.put("a", Seen("a", 1))
    table.begin_sweep()
    table.remove("a", "a")
    assert not table.put("a", Seen("a", 1), listed=True)
    assert table.end_sweep({"a"}) == [] and table.get("a") is None


def test_a_list_may_update_what_an_event_touched_meanwhile(table: KindCache[str, Seen]) -> None:
    table.begin_sweep()
    table.put("a", Seen("a", 1))
    assert table.put("a", Seen("a", 2), listed=True)


def test_what_was_touched_in_one_sweep_is_no_matter_in_the_next(
    table: KindCache[str, Seen],
) -> None:
    table.begin_sweep()
    table.put("a", Seen("a", 1))
    table.remove("b")
    table.end_sweep({"a"})
    table.begin_sweep()
    assert table.put("b", Seen("b", 1), listed=True)
    assert table.end_sweep({"b"}) == ["a"]


def test_outside_a_sweep_a_listed_object_is_taken(table: KindCache[str, Seen]) -> None:
    table.put("a", Seen("a", 1))
    table.remove("a")
    assert table.put("a", Seen("a", 1), listed=True)
