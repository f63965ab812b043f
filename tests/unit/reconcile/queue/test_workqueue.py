"""The work queue, in virtual time: one entry per object, in the order of urgency."""

import asyncio
import random

import pytest

from artifact_index.reconcile.cache.cache import Key, index_key, options_key
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.queue.workqueue import DEBOUNCE, WorkQueue

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

A, B, C = (options_key(ObjectRef("ns", name)) for name in "abc")
STATUS = index_key(ObjectRef("ns", "a"))


class Half(random.Random):
    """Jitter in the middle of its range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


@pytest.fixture
async def queue() -> WorkQueue:
    return WorkQueue(priority=lambda key: {A: 3.0, B: 1.0, C: 2.0}.get(key, 0.0), rng=Half())


def now() -> float:
    return asyncio.get_running_loop().time()


async def taken(queue: WorkQueue) -> list[Key]:
    """Everything that is ready now, in order; all of it is done at once."""
    found: list[Key] = []
    while True:
        try:
            async with asyncio.timeout(0.001):
                key = await queue.get()
        except TimeoutError:
            return found
        found.append(key)
        queue.done(key)


async def test_outputs_come_before_statuses_and_the_urgent_ones_first(queue: WorkQueue) -> None:
    for key in (STATUS, A, B, C):
        queue.add(key, 0)
    assert await taken(queue) == [B, C, A, STATUS]


async def test_a_key_is_busy_from_being_ready_until_it_is_done(queue: WorkQueue) -> None:
    queue.add(A, 1)
    assert not queue.is_busy(A)
    queue.add(A, 0)
    assert queue.is_busy(A)
    assert await queue.get() == A and queue.is_busy(A)
    queue.done(A)
    assert not queue.is_busy(A)


async def test_of_equal_urgency_the_first_asked_for_comes_first() -> None:
    queue = WorkQueue(priority=lambda _: 0.0)
    for key in (C, A, B):
        queue.add(key, 0)
    assert await taken(queue) == [C, A, B]


async def test_a_key_stands_in_the_queue_once(queue: WorkQueue) -> None:
    for delay in (0, 0, DEBOUNCE, 0):
        queue.add(A, delay)
    assert len(queue) == 1
    assert await taken(queue) == [A]
    await asyncio.sleep(2 * DEBOUNCE)
    assert await taken(queue) == []


async def test_changes_close_together_are_one_pass(queue: WorkQueue) -> None:
    start = now()
    for _ in range(10):
        queue.add(A)
        await asyncio.sleep(DEBOUNCE / 20)
    assert await queue.get() == A
    # Counted from the first change: a stream of them must not hold the pass up for ever.
    assert now() - start == pytest.approx(DEBOUNCE, abs=1e-6)
    queue.done(A)
    assert await taken(queue) == []


@pytest.mark.parametrize(("first", "second"), [(60, 5), (5, 60), (60, 0)])
async def test_the_sooner_of_two_delays_holds(
    queue: WorkQueue, first: float, second: float
) -> None:
    start = now()
    queue.add(A, first)
    queue.add(A, second)
    assert await queue.get() == A
    assert now() - start == pytest.approx(min(first, second), abs=1e-6)
    queue.done(A)
    await asyncio.sleep(120)
    assert await taken(queue) == []


async def test_a_delay_that_was_overtaken_does_not_hasten_a_later_one(queue: WorkQueue) -> None:
    queue.add(A, 60)
    queue.add(A, 5)
    queue.done(await queue.get())
    start = now()
    queue.add(A, 100)
    assert await queue.get() == A
    assert now() - start == pytest.approx(100, abs=1e-6)


async def test_a_sleeper_wakes_for_what_is_due_sooner(queue: WorkQueue) -> None:
    queue.add(A, 3600)
    start, getter = now(), asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add(B, 2)
    assert await getter == B
    assert now() - start == pytest.approx(3, abs=1e-6)


async def test_a_key_is_never_handed_out_twice_at_a_time(queue: WorkQueue) -> None:
    queue.add(A, 0)
    assert await queue.get() == A
    queue.add(A, 0)
    queue.add(A, 0)
    assert await taken(queue) == []
    assert not queue.idle

    queue.done(A)
    assert await taken(queue) == [A]
    assert await taken(queue) == [] and queue.idle


async def test_a_delay_that_ends_during_the_work_comes_after_it(queue: WorkQueue) -> None:
    queue.add(A, 0)
    await queue.get()
    queue.add(A, 1)
    await asyncio.sleep(2)
    assert await taken(queue) == []
    queue.done(A)
    assert await taken(queue) == [A]


async def test_many_workers_never_share_a_key() -> None:
    queue = WorkQueue(priority=lambda _: 0.0)
    keys = [options_key(ObjectRef("ns", str(n))) for n in range(5)]
    working: set[Key] = set()
    done: list[Key] = []
    rng = random.Random(7)

    def a_while() -> float:
        # Binary fractions: virtual time does not move by less than it can be told apart.
        return rng.randrange(1, 64) / 64

    async def worker() -> None:
        while True:
            key = await queue.get()
            assert key not in working
            working.add(key)
            await asyncio.sleep(a_while())
            working.discard(key)
            done.append(key)
            queue.done(key)

    workers = [asyncio.create_task(worker()) for _ in range(4)]
    for _ in range(200):
        queue.add(rng.choice(keys), rng.choice([0, 0.125, 0.5]))
        await asyncio.sleep(a_while() / 4)
    last = len(done)
    for key in keys:
        queue.add(key, 0)
    async with asyncio.timeout(60):
        await queue.settled()
    assert set(done[last:]) == set(keys)  # whatever was asked for last was worked on afterwards
    for one in workers:
        assert not one.done()
        one.cancel()


async def test_settled_waits_for_what_is_ready_and_not_for_what_is_due_later(
    queue: WorkQueue,
) -> None:
    async def work(key: Key) -> None:
        await asyncio.sleep(5)
        queue.done(key)

    queue.add(A, 0)
    queue.add(B, 3600)
    start = now()
    worker = asyncio.create_task(work(await queue.get()))
    await queue.settled()
    assert now() - start == pytest.approx(5, abs=0.1)
    await worker


async def test_retries_back_off_to_two_minutes(queue: WorkQueue) -> None:
    delays = []
    for _ in range(12):
        delays.append(queue.retry(A))
        assert await queue.get() == A
        queue.done(A)
    assert delays[:4] == [0.375, 0.75, 1.5, 3.0]
    assert delays == sorted(delays) and delays[-1] == 90.0
    assert queue.failures(A) == 12 and queue.failures(B) == 0


@pytest.mark.parametrize("seed", range(5))
async def test_the_wait_is_half_of_its_ceiling_at_least(seed: int) -> None:
    queue = WorkQueue(priority=lambda _: 0.0, rng=random.Random(seed))
    for failures in range(10):
        ceiling = min(120.0, 0.5 * 2**failures)
        assert ceiling / 2 <= queue.retry(A) <= ceiling


async def test_a_success_starts_the_waits_anew(queue: WorkQueue) -> None:
    for _ in range(5):
        queue.retry(A)
    queue.forget_failures(A)
    assert queue.failures(A) == 0
    assert queue.retry(A) == 0.375


async def test_what_the_server_asks_for_is_the_least_wait(queue: WorkQueue) -> None:
    assert queue.retry(A, at_least=30) == 30
    for _ in range(9):
        queue.retry(A)
    assert queue.retry(A, at_least=30) == 90


async def test_news_do_not_wait_for_the_end_of_a_back_off(queue: WorkQueue) -> None:
    for _ in range(9):
        queue.retry(A)
    start = now()
    queue.add(A)
    assert await queue.get() == A
    assert now() - start < 1


async def test_urgency_is_asked_when_the_key_becomes_ready() -> None:
    urgencies = {A: 2.0, B: 1.0}
    queue = WorkQueue(priority=lambda key: urgencies[key])
    queue.add(A, 10)
    queue.add(B, 10)
    urgencies[A] = 0.0
    await asyncio.sleep(11)
    assert await taken(queue) == [A, B]


async def test_the_depth_counts_what_could_be_worked_on_and_the_age_is_that_of_the_oldest(
    queue: WorkQueue,
) -> None:
    assert (queue.depth, queue.oldest_age) == (0, 0)
    queue.add(C, 60)
    assert (queue.depth, queue.oldest_age) == (0, 0)
    queue.add(A, 0)
    await asyncio.sleep(2)
    queue.add(B, 0)
    await asyncio.sleep(1)
    assert queue.depth == 2 and queue.oldest_age == pytest.approx(3)

    assert await queue.get() == B  # the more urgent one, though it is younger
    assert queue.depth == 1 and queue.oldest_age == pytest.approx(3)
    assert await queue.get() == A
    assert (queue.depth, queue.oldest_age) == (0, 0)


async def test_one_pass_over_a_file_begins_in_a_round_of_the_loop(queue: WorkQueue) -> None:
    """Sixteen workers with large files in one round would hold it for a fifth of a second."""
    rounds, begun = 0, []

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    async def take() -> None:
        await queue.get()
        begun.append(rounds)

    counting = asyncio.create_task(count())
    for key in (A, B, C):
        queue.add(key, 0)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(take())
    counting.cancel()
    assert len(set(begun)) == 3
