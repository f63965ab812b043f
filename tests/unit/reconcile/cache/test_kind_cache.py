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
def test_a_body_need_not_be_parsed_to_know_whether_it_is_news(
    objects: KindCache[str, Seen], version: int, newer: bool
) -> None:
    assert objects.is_news("a", version)
    objects.put("a", Seen("same", 5))
    assert objects.is_news("a", version) is newer


def test_a_sweep_spares_an_object_that_an_event_has_named(
    objects: KindCache[str, Seen],
) -> None:
    for name in ("by an event", "by a list"):
        objects.put(name, Seen("x", 5))
    objects.begin_sweep()
    objects.mark_seen("by an event", 5)
    assert not objects.is_news("by an event", 5)
    assert not objects.is_news("by a list", 5)
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


# -- etcd restored from a backup: versions went back


def test_a_listing_is_the_truth_about_what_nothing_has_reported_since_it_began(
    objects: KindCache[str, Seen],
) -> None:
    objects.put("changed", Seen("x", 9))
    objects.put("created again", Seen("new", 9))
    objects.begin_sweep()
    for name, old in (("changed", Seen("x", 5)), ("created again", Seen("old", 4))):
        assert objects.is_news(name, old.resource_version, listed=True)
        assert not objects.is_outdated(name, old.resource_version)
        assert objects.put(name, old, listed=True)
        assert objects.get(name) == old
    # The watch goes on from there.
    assert objects.put("changed", Seen("x", 6))
    # The API server check has to learn that versions went back, whoever lists first.
    assert objects.highest_version == 9


def test_a_listing_that_began_before_a_report_is_not_the_truth(
    objects: KindCache[str, Seen],
) -> None:
    objects.put("by an event", Seen("x", 4))
    objects.begin_sweep()
    objects.mark_seen("by an event", 9)
    objects.put("by an event", Seen("x", 9))
    objects.put("by our own write", Seen("x", 9))
    for name in ("by an event", "by our own write"):
        assert objects.is_outdated(name, 5)
        assert not objects.is_news(name, 5, listed=True)
        assert not objects.put(name, Seen("x", 5), listed=True)
        assert objects.get(name) == Seen("x", 9)


def test_a_deletion_that_the_backup_does_not_know_is_undone_by_a_listing(
    objects: KindCache[str, Seen],
) -> None:
    objects.put("a", Seen("x", 5))
    objects.remove("a", "x", 9)
    objects.begin_sweep()
    assert objects.put("a", Seen("x", 5), listed=True)
    assert objects.get("a") == Seen("x", 5)
    assert objects.put("a", Seen("x", 6))


def test_an_event_that_is_older_than_the_cached_version_does_not_hide_it_from_a_listing(
    objects: KindCache[str, Seen],
) -> None:
    objects.put("a", Seen("x", 9))
    objects.begin_sweep()
    objects.mark_seen("a", 6)
    assert not objects.put("a", Seen("x", 6))
    assert objects.put("a", Seen("x", 6), listed=True)
