"""The cached objects of one kind: which version is newer, and what a sweep finds deleted."""

from typing import NamedTuple

import pytest

from artifact_index.reconcile.cache.kind_cache import KindCache

pytestmark = pytest.mark.unit


class Seen(NamedTuple):
    uid: str
    resource_version: int


@pytest.fixture
def objects() -> KindCache[str, Seen]:
    return KindCache()


@pytest.mark.parametrize(
    ("version", "newer"), [(4, False), (5, False), (6, True)], ids=["older", "echo", "newer"]
)
@pytest.mark.parametrize("uid", ["same", "other"])
@pytest.mark.parametrize("listed", [False, True])
def test_only_a_newer_version_is_taken(
    objects: KindCache[str, Seen], listed: bool, uid: str, version: int, newer: bool
) -> None:
    # Versions rise across a deletion and a new object of the same name, too.
    objects.put("a", Seen("same", 5))
    later = Seen(uid, version)
    assert objects.put("a", later, listed=listed) is newer
    assert objects.get("a") == (later if newer else Seen("same", 5))


@pytest.mark.parametrize(
    ("version", "newer"), [(4, False), (5, False), (6, True)], ids=["older", "echo", "newer"]
)
def test_a_body_need_not_be_parsed_to_know_whether_it_is_newer(
    objects: KindCache[str, Seen], version: int, newer: bool
) -> None:
    assert objects.is_newer("a", version)
    objects.put("a", Seen("same", 5))
    assert objects.is_newer("a", version) is newer


def test_a_sweep_spares_an_object_that_an_event_has_named(
    objects: KindCache[str, Seen],
) -> None:
    for name in ("by an event", "by a list"):
        objects.put(name, Seen("x", 5))
    objects.begin_sweep()
    objects.mark_seen("by an event")
    assert not objects.is_newer("by an event", 5)
    assert not objects.is_newer("by a list", 5)
    assert objects.end_sweep(set()) == ["by a list"]


def test_the_deletion_of_an_earlier_object_leaves_its_successor(
    objects: KindCache[str, Seen],
) -> None:
    objects.put("a", Seen("new", 7))
    assert objects.remove("a", "old") is None
    assert objects.remove("a", "new") == Seen("new", 7)
    assert objects.remove("a", "new") is None
    assert list(objects) == [] and len(objects) == 0


def test_a_deletion_without_uid_removes_what_is_there(objects: KindCache[str, Seen]) -> None:
    objects.put("a", Seen("x", 1))
    assert objects.remove("a") == Seen("x", 1)


def test_an_answer_older_than_a_deletion_brings_nothing_back(objects: KindCache[str, Seen]) -> None:
    objects.put("a", Seen("x", 5))
    objects.remove("a", "x", 9)
    # The answer to a write of ours, overtaken by the event of the deletion.
    assert objects.put("a", Seen("x", 7)) is False
    assert objects.get("a") is None
    # A Secret that left the label is "deleted" at the version at which it is then read by name.
    assert objects.put("a", Seen("x", 9)) is True
    objects.remove("a", "x", 9)
    assert objects.put("a", Seen("successor", 11)) is True


def test_deletions_are_remembered_over_one_sweep_and_then_forgotten(
    objects: KindCache[str, Seen],
) -> None:
    objects.put("a", Seen("x", 5))
    objects.remove("a", "x", 9)
    for _ in range(2):
        assert objects.put("a", Seen("x", 7)) is False
        objects.begin_sweep()
        objects.end_sweep(set())
    assert objects.put("a", Seen("x", 7)) is True


def test_a_sweep_finds_what_the_list_does_not_hold(objects: KindCache[str, Seen]) -> None:
    for ref in "abc":
        objects.put(ref, Seen(ref, 1))
    objects.begin_sweep()
    objects.put("b", Seen("b", 1), listed=True)
    assert objects.end_sweep({"b"}) == ["a", "c"]


def test_a_sweep_spares_what_an_event_brought_meanwhile(objects: KindCache[str, Seen]) -> None:
    objects.put("old", Seen("old", 1))
    objects.begin_sweep()
    objects.put("new", Seen("new", 9))
    objects.put("old", Seen("old", 1))  # even if it is not newer
    assert objects.end_sweep(set()) == []


def test_a_list_does_not_bring_back_what_an_event_removed_meanwhile(
    objects: KindCache[str, Seen],
) -> None:
    objects.put("a", Seen("a", 1))
    objects.begin_sweep()
    objects.remove("a", "a")
    assert not objects.put("a", Seen("a", 1), listed=True)
    assert objects.end_sweep({"a"}) == [] and objects.get("a") is None


def test_a_list_may_update_what_an_event_touched_meanwhile(objects: KindCache[str, Seen]) -> None:
    objects.begin_sweep()
    objects.put("a", Seen("a", 1))
    assert objects.put("a", Seen("a", 2), listed=True)


def test_what_was_touched_in_one_sweep_is_no_matter_in_the_next(
    objects: KindCache[str, Seen],
) -> None:
    objects.begin_sweep()
    objects.put("a", Seen("a", 1))
    objects.remove("b")
    objects.end_sweep({"a"})
    objects.begin_sweep()
    assert objects.put("b", Seen("b", 1), listed=True)
    assert objects.end_sweep({"b"}) == ["a"]


def test_outside_a_sweep_a_listed_object_is_taken(objects: KindCache[str, Seen]) -> None:
    objects.put("a", Seen("a", 1))
    objects.remove("a")
    assert objects.put("a", Seen("a", 1), listed=True)
