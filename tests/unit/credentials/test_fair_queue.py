"""Turns: tenants one after the other, urgency within a tenant, and repeats behind all others."""

import random
from collections import Counter

import pytest

from artifact_index.credentials.fair_queue import REPEATS_EVERY, FairQueue, Rank, Turn

pytestmark = pytest.mark.unit


def keys(queue: FairQueue, count: int) -> list[str]:
    turns = [queue.pop() for _ in range(count)]
    return [turn.key for turn in turns if turn is not None]


def rank_of(repeats: bool) -> Rank:
    return Rank.REPEAT if repeats else Rank.FIRST


def test_a_tenant_with_few_keys_does_not_wait_behind_one_with_many() -> None:
    queue = FairQueue()
    for number in range(1000):
        queue.add(f"many-{number}", 0, ["many"])
    for number in range(3):
        queue.add(f"few-{number}", 100, ["few"])
    assert [key.split("-")[0] for key in keys(queue, 8)] == [
        "many", "few", "many", "few", "many", "few", "many", "many"
    ]  # fmt: skip
    queue.add("new", 100, ["newcomer"])
    assert "new" in keys(queue, 2)


def test_urgency_decides_within_a_tenant_and_then_the_order() -> None:
    queue = FairQueue()
    for key, priority in (("late", 9.0), ("a", 5.0), ("b", 5.0), ("now", 1.0)):
        queue.add(key, priority, ["x"])
    assert keys(queue, 4) == ["now", "a", "b", "late"]


def test_a_key_of_several_tenants_goes_once_with_the_first_turn_of_any() -> None:
    queue = FairQueue()
    for number in range(100):
        queue.add(f"many-{number}", 0, ["many"])
    queue.add("shared", 50, ["many"])
    queue.add("shared", 0, ["many", "other"])
    assert [queue.pop(), queue.pop()] == [Turn("many-0", "many"), Turn("shared", "other")]
    assert "shared" not in queue
    assert "shared" not in keys(queue, 1000)
    assert len(queue) == 0 and queue.pop() is None


def test_repeats_wait_for_all_others_but_for_each_fifth_turn() -> None:
    queue = FairQueue()
    for number in range(100):
        queue.add(f"repeat-{number}", 0, ["refused"], Rank.REPEAT)
        queue.add(f"live-{number}", 1000, ["good"])
    taken = [key.split("-")[0] for key in keys(queue, 50)]
    assert taken.count("repeat") == 50 // REPEATS_EVERY
    assert taken[:4] == ["live"] * 4
    assert len(keys(queue, 1000)) == 150


def test_every_second_turn_goes_to_a_tenant_with_something_to_lose() -> None:
    queue = FairQueue()
    for number in range(1000):
        queue.add(f"first-{number}", 0, [f"tenant-{number}"])
    for number in range(10):
        queue.add(f"live-{number}", 1000, ["good"], Rank.LIVE)
    assert sum(key.startswith("live") for key in keys(queue, 20)) == 10
    assert len(keys(queue, 2000)) == 990


def test_repeats_of_a_few_are_not_starved_by_the_first_attempts_of_many() -> None:
    queue = FairQueue()
    queue.add("mended", 0, ["good"], Rank.REPEAT)
    for number in range(1000):
        queue.add(f"repeat-{number}", 0, ["hostile"], Rank.REPEAT)
        queue.add(f"first-{number}", 0, ["hostile"])
    assert "mended" in keys(queue, 2 * REPEATS_EVERY)


def test_only_tenants_that_may_go_get_a_turn_and_nobody_loses_a_place() -> None:
    queue = FairQueue()
    queue.add("a", 0, ["full"])
    queue.add("b", 0, ["free"])
    assert queue.pop(lambda tenant: tenant == "free") == Turn("b", "free")
    assert queue.pop(lambda tenant: tenant == "free") is None
    assert queue.pop() == Turn("a", "full")


def test_a_key_queued_again_keeps_its_place_and_a_discarded_one_has_none() -> None:
    queue = FairQueue()
    queue.add("a", 5, ["x"])
    queue.add("b", 6, ["x"])
    queue.add("b", 0, ["x"])
    queue.discard("a")
    queue.discard("unknown")
    assert len(queue) == 1
    queue.add("a", 7, ["x"])
    assert keys(queue, 3) == ["b", "a"]


def test_keys_that_come_and_go_leave_nothing_behind() -> None:
    queue = FairQueue()
    queue.add("stays", 0, ["x"])
    for number in range(20_000):
        queue.add(f"key-{number}", 0, [f"tenant-{number}", "x"], rank_of(number % 2 == 0))
        queue.discard(f"key-{number}")
    lines = [*queue._first._heaps.values(), *queue._repeats._heaps.values()]
    assert sum(map(len, lines)) < 300
    assert keys(queue, 2) == ["stays"]


@pytest.mark.parametrize("seed", range(5))
def test_every_key_goes_once_whatever_is_added_and_discarded(seed: int) -> None:
    rng, queue = random.Random(seed), FairQueue()
    waiting: set[str] = set()
    gone: Counter[str] = Counter()
    for number in range(3000):
        if rng.random() < 0.6:
            key = f"key-{number}"
            tenants = rng.sample(range(8), rng.randint(1, 3))
            queue.add(key, rng.random(), tenants, rank_of(rng.random() < 0.3))
            waiting.add(key)
        elif waiting and rng.random() < 0.3:
            key = rng.choice(sorted(waiting))
            queue.discard(key)
            waiting.discard(key)
        elif (turn := queue.pop()) is not None:
            gone[turn.key] += 1
            waiting.remove(turn.key)
        assert len(queue) == len(waiting)
    gone.update(keys(queue, len(waiting)))
    assert max(gone.values()) == 1
    assert len(queue) == 0
