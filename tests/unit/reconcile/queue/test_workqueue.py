"""The workqueue, in virtual time: one entry per object, back-off, order by priority."""

import asyncio
import random

import pytest

from artifact_index.reconcile.cache.cache import Key, index_key, options_key, outputs_key
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


async def idle(queue: WorkQueue) -> None:
    """Wait until no key is ready and no worker has one."""
    while not queue.idle:  # noqa: ASYNC110 - the queue has no event for that
        await asyncio.sleep(0.125)


async def taken(queue: WorkQueue) -> list[Key]:
    """Take every key that is ready now, in order, and give each back at once."""
    found: list[Key] = []
    while True:
        try:
            async with asyncio.timeout(0.001):
                key = await queue.get()
        except TimeoutError:
            return found
        found.append(key)
        queue.done(key)


async def test_outputs_come_before_statuses_and_go_by_priority(queue: WorkQueue) -> None:
    for key in (STATUS, A, B, C):
        queue.add_after(key, 0)
    assert await taken(queue) == [B, C, A, STATUS]


async def test_a_key_is_busy_from_ready_until_done(queue: WorkQueue) -> None:
    queue.add_after(A, 1)
    assert not queue.is_busy(A)
    queue.add_after(A, 0)
    assert queue.is_busy(A)
    assert await queue.get() == A and queue.is_busy(A)
    queue.done(A)
    assert not queue.is_busy(A)


async def test_keys_of_equal_priority_come_in_the_order_of_addition() -> None:
    queue = WorkQueue(priority=lambda _: 0.0, rng=Half())
    for key in (C, A, B):
        queue.add_after(key, 0)
    assert await taken(queue) == [C, A, B]


async def test_a_key_added_several_times_is_queued_once(queue: WorkQueue) -> None:
    for delay in (0, 0, DEBOUNCE, 0):
        queue.add_after(A, delay)
    assert len(queue) == 1
    assert await taken(queue) == [A]
    await asyncio.sleep(2 * DEBOUNCE)
    assert await taken(queue) == []


async def test_changes_within_the_debounce_are_one_reconcile(queue: WorkQueue) -> None:
    start = now()
    for _ in range(10):
        queue.add_after(A, DEBOUNCE)
        await asyncio.sleep(DEBOUNCE / 20)
    assert await queue.get() == A
    # Counted from the first change: a stream of changes must not postpone the reconcile for ever.
    assert now() - start == pytest.approx(DEBOUNCE, abs=1e-6)
    queue.done(A)
    assert await taken(queue) == []


@pytest.mark.parametrize(("first", "second"), [(60, 5), (5, 60), (60, 0)])
async def test_the_earlier_of_two_deadlines_wins(
    queue: WorkQueue, first: float, second: float
) -> None:
    start = now()
    queue.add_after(A, first)
    queue.add_after(A, second)
    assert await queue.get() == A
    assert now() - start == pytest.approx(min(first, second), abs=1e-6)
    queue.done(A)
    await asyncio.sleep(120)
    assert await taken(queue) == []


async def test_a_superseded_deadline_does_not_advance_a_later_one(queue: WorkQueue) -> None:
    queue.add_after(A, 60)
    queue.add_after(A, 5)
    queue.done(await queue.get())
    start = now()
    queue.add_after(A, 100)
    assert await queue.get() == A
    assert now() - start == pytest.approx(100, abs=1e-6)


async def test_a_waiting_worker_wakes_for_an_earlier_deadline(queue: WorkQueue) -> None:
    queue.add_after(A, 3600)
    start, getter = now(), asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add_after(B, 2)
    assert await getter == B
    assert now() - start == pytest.approx(3, abs=1e-6)


async def test_a_key_added_while_a_worker_has_it_comes_again_when_done(queue: WorkQueue) -> None:
    queue.add_after(A, 0)
    assert await queue.get() == A
    queue.add_after(A, 0)
    queue.add_after(A, 0)
    assert await taken(queue) == []
    assert not queue.idle

    queue.done(A)
    assert await taken(queue) == [A]
    assert await taken(queue) == [] and queue.idle


async def test_a_deadline_during_a_reconcile_takes_effect_after_it(queue: WorkQueue) -> None:
    queue.add_after(A, 0)
    await queue.get()
    queue.add_after(A, 1)
    await asyncio.sleep(2)
    assert await taken(queue) == []
    queue.done(A)
    assert await taken(queue) == [A]


async def test_two_workers_never_have_the_same_key() -> None:
    queue = WorkQueue(priority=lambda _: 0.0, rng=Half())
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
        queue.add_after(rng.choice(keys), rng.choice([0, 0.125, 0.5]))
        await asyncio.sleep(a_while() / 4)
    last = len(done)
    for key in keys:
        queue.add_after(key, 0)
    async with asyncio.timeout(60):
        await idle(queue)
    assert set(done[last:]) == set(keys)  # each was reconciled after it was last added
    for task in workers:
        assert not task.done()
        task.cancel()


async def test_taken_waits_for_ready_keys_but_not_for_delayed_ones(queue: WorkQueue) -> None:
    async def work() -> None:
        for _ in range(2):
            key = await queue.get()
            await asyncio.sleep(0.75)
            queue.done(key)

    queue.add_after(A, 0)
    queue.add_after(STATUS, 0)
    queue.add_after(B, 3600)
    start = now()
    worker = asyncio.create_task(work())
    await queue.taken()
    assert now() - start == pytest.approx(0.75, abs=0.1)
    assert not queue.idle
    await worker


async def test_taken_waits_for_the_namespaces_that_a_key_of_cluster_scope_has_enqueued() -> None:
    queue = WorkQueue(priority=lambda key: 0.0, rng=Half())
    of_cluster = options_key(ObjectRef("", "uv"))
    namespaces = [outputs_key(f"ns-{number}", "uv") for number in range(300)]

    async def work() -> None:
        while True:
            key = await queue.get()
            await asyncio.sleep(0.5 if key == of_cluster else 0.01)
            for each in namespaces if key == of_cluster else ():
                queue.add_after(each, 0)
            queue.done(key)

    queue.add_after(of_cluster, 0)
    start = now()
    worker = asyncio.create_task(work())
    await queue.taken(but=100)
    assert now() - start == pytest.approx(0.5 + 200 * 0.01, abs=0.1)
    worker.cancel()


async def test_the_back_off_grows_to_two_minutes(queue: WorkQueue) -> None:
    delays = []
    for _ in range(12):
        delays.append(queue.add_rate_limited(A))
        assert await queue.get() == A
        queue.done(A)
    assert delays[:4] == [0.375, 0.75, 1.5, 3.0]
    assert delays == sorted(delays) and delays[-1] == 90.0
    assert queue.num_requeues(A) == 12 and queue.num_requeues(B) == 0


@pytest.mark.parametrize("seed", range(5))
async def test_jitter_halves_a_back_off_at_most(seed: int) -> None:
    queue = WorkQueue(priority=lambda _: 0.0, rng=random.Random(seed))
    for failures in range(10):
        ceiling = min(120.0, 0.5 * 2**failures)
        assert ceiling / 2 <= queue.add_rate_limited(A) <= ceiling


async def test_forget_resets_the_back_off(queue: WorkQueue) -> None:
    for _ in range(5):
        queue.add_rate_limited(A)
    queue.forget(A)
    assert queue.num_requeues(A) == 0
    assert queue.add_rate_limited(A) == 0.375


async def test_retry_after_is_a_lower_bound_of_the_back_off(queue: WorkQueue) -> None:
    assert queue.add_rate_limited(A, at_least=30) == 30
    for _ in range(9):
        queue.add_rate_limited(A)
    assert queue.add_rate_limited(A, at_least=30) == 90


async def test_a_change_does_not_wait_for_the_end_of_a_back_off(queue: WorkQueue) -> None:
    for _ in range(9):
        queue.add_rate_limited(A)
    start = now()
    queue.add_after(A, DEBOUNCE)
    assert await queue.get() == A
    assert now() - start < 1


async def test_the_priority_is_computed_when_the_key_becomes_ready() -> None:
    priorities = {A: 2.0, B: 1.0}
    queue = WorkQueue(priority=lambda key: priorities[key], rng=Half())
    queue.add_after(A, 10)
    queue.add_after(B, 10)
    priorities[A] = 0.0
    await asyncio.sleep(11)
    assert await taken(queue) == [A, B]


async def test_depth_counts_ready_keys_and_age_is_that_of_the_oldest(
    queue: WorkQueue,
) -> None:
    assert (queue.depth, queue.oldest_age) == (0, 0)
    queue.add_after(C, 60)
    assert (queue.depth, queue.oldest_age) == (0, 0)
    queue.add_after(A, 0)
    await asyncio.sleep(2)
    queue.add_after(B, 0)
    await asyncio.sleep(1)
    assert queue.depth == 2 and queue.oldest_age == pytest.approx(3)

    assert await queue.get() == B  # by priority, though A is older
    assert queue.depth == 1 and queue.oldest_age == pytest.approx(3)
    assert await queue.get() == A
    assert (queue.depth, queue.oldest_age) == (0, 0)


async def test_one_reconcile_of_options_starts_per_loop_iteration(queue: WorkQueue) -> None:
    """Sixteen workers with large files would block the loop for a fifth of a second."""
    iterations, begun = 0, []

    async def count() -> None:
        nonlocal iterations
        while True:
            iterations += 1
            await asyncio.sleep(0)

    async def take() -> None:
        await queue.get()
        begun.append(iterations)

    counting = asyncio.create_task(count())
    for key in (A, B, C):
        queue.add_after(key, 0)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(take())
    counting.cancel()
    assert len(set(begun)) == 3


async def test_workers_that_end_as_they_get_a_key_leave_it_for_the_next_ones(
    queue: WorkQueue,
) -> None:
    for key in (A, B, C):
        queue.add_after(key, 0)
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)  # each has taken a key, and waits for its turn to begin
    for worker in workers:
        worker.cancel()
    await asyncio.wait(workers)
    assert await taken(queue) == [B, C, A]
    assert queue.idle
