"""Workers and writes are shared by namespace, in virtual time."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from artifact_index.reconcile.cache.cache import Key, index_key, options_key
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.queue.namespace_queue import NamespaceQueue
from artifact_index.reconcile.queue.workqueue import WorkQueue
from artifact_index.reconcile.queue.write_limiter import OUTPUT, WriteLimiter

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

WORKERS = 16
SLOW_WRITE = 20.0
"""Seconds for a write that a policy webhook holds up; the client would wait for 30."""


def key(namespace: str, name: object = "uv-config") -> Key:
    return options_key(ObjectRef(namespace, str(name)))


def queue_of(
    priorities: dict[str, float] | None = None, workers: int | None = WORKERS
) -> WorkQueue:
    """A queue in which a key's priority follows from its name."""
    known = priorities or {}
    return WorkQueue(
        priority=lambda key: known.get(key.ref.name, 0.0), rng=random.Random(1), workers=workers
    )


async def idle(queue: WorkQueue) -> None:
    """Wait until no key is ready and no worker has one."""
    while not queue.idle:  # noqa: ASYNC110 - the queue has no event for that
        await asyncio.sleep(0.125)


async def take(queue: WorkQueue, count: int) -> list[Key]:
    """Take keys as one worker does, and finish each before the next."""
    taken = []
    for _ in range(count):
        taken.append(await queue.get())
        queue.done(taken[-1])
    return taken


def items(turns: NamespaceQueue[str]) -> list[str]:
    return list(iter(turns.pop, None))


def test_namespaces_take_turns_and_priority_decides_within_each() -> None:
    turns: NamespaceQueue[str] = NamespaceQueue()
    for name, priority in (("a3", 3.0), ("a1", 1.0), ("a2", 2.0)):
        turns.push("a", 0, priority, name)
    for name, priority in (("b9", 9.0), ("b8", 8.0)):
        turns.push("b", 0, priority, name)
    assert items(turns) == ["a1", "b8", "a2", "b9", "a3"]
    assert not turns


def test_with_one_item_in_each_namespace_the_most_urgent_of_all_goes_first() -> None:
    turns: NamespaceQueue[str] = NamespaceQueue()
    priorities = [5.0, 1.0, float("inf"), 3.0]
    for number, priority in enumerate(priorities):
        turns.push(f"ns{number}", 0, priority, str(priority))
    assert items(turns) == ["1.0", "3.0", "5.0", "inf"]


def test_a_lower_rank_goes_first_whose_turn_it_ever_is() -> None:
    turns: NamespaceQueue[str] = NamespaceQueue()
    turns.push("a", 1, 0.0, "status of a")
    turns.push("b", 1, 0.0, "status of b")
    for number in range(3):
        turns.push("a", 0, 0.0, f"output {number}")
    assert items(turns)[:3] == ["output 0", "output 1", "output 2"]


def test_statuses_that_waited_for_outputs_take_turns_as_well() -> None:
    turns: NamespaceQueue[str] = NamespaceQueue()
    for number in range(3):
        turns.push("waiting", 1, 0.0, f"status {number}")
    for number in range(100):
        turns.push("busy", 0, 0.0, f"output {number}")
    for _ in range(100):
        turns.pop()
    turns.push("new", 1, 0.0, "new")
    assert "new" in items(turns)[:2]


def test_a_namespace_that_comes_back_at_once_does_not_overtake_the_others() -> None:
    """A file that is enqueued again whenever it is done, and always the most urgent."""
    turns: NamespaceQueue[str] = NamespaceQueue()
    for number in range(3):
        turns.push(f"ns{number}", 0, 10.0, f"other {number}")
    turns.push("busy", 0, 0.0, "busy")
    order: list[str] = []
    while len(order) < 4:
        item = turns.pop()
        assert item is not None
        order.append(item)
        if item == "busy":
            turns.push("busy", 0, 0.0, "busy")
    assert order == ["busy", "other 0", "other 1", "other 2"]


@pytest.mark.parametrize("seed", range(20))
def test_every_item_comes_once_and_no_namespace_gets_ahead(seed: int) -> None:
    rng = random.Random(seed)
    turns: NamespaceQueue[tuple[str, int]] = NamespaceQueue()
    waiting: Counter[str] = Counter()
    numbers, pushed, popped = itertools.count(), set(), set()
    served: Counter[str] = Counter()  # since the namespaces that wait have been the same
    for _ in range(2_000):
        if rng.random() < 0.5:
            namespace = rng.choice("abcde")
            item = namespace, next(numbers)
            if not waiting[namespace]:
                served.clear()
            waiting[namespace] += 1
            pushed.add(item)
            turns.push(namespace, 0, rng.random(), item)
        elif (found := turns.pop(lambda namespace: namespace != "e")) is not None:
            assert found not in popped
            popped.add(found)
            waiting[found[0]] -= 1
            served[found[0]] += 1
            others = [served[name] for name in "abcd" if waiting[name] and name != found[0]]
            assert served[found[0]] - min(others, default=served[found[0]]) <= 2
            if not waiting[found[0]]:
                served.clear()
    while (found := turns.pop()) is not None:
        popped.add(found)
    assert popped == pushed
    assert not turns._turn_of and not turns._firsts, "nothing is kept of namespaces that are gone"


async def test_a_new_file_does_not_wait_behind_a_thousand_of_another_tenant() -> None:
    queue = queue_of({str(number): float(number) for number in range(1_000)})
    for number in range(1_000):
        queue.add_after(key("hostile", number), 0)
    await take(queue, 100)
    queue.add_after(key("good"), 0)
    assert key("good") in await take(queue, 2)


async def test_an_urgent_file_goes_before_the_others_of_its_turn() -> None:
    """One file in each namespace, as most clusters have it: the order is as by priority alone."""
    names = {str(number): float(number) for number in range(100)}
    queue = queue_of(names)
    numbers = random.Random(3).sample(range(100), 100)
    for number in numbers:
        queue.add_after(key(f"ns{number}", number), 0)
    assert [int(item.ref.name) for item in await take(queue, 100)] == list(range(100))


async def working(queue: WorkQueue, slow: Sequence[str], done: list[tuple[float, Key]]) -> None:
    """A worker; keys of slow namespaces take it long."""
    while True:
        key = await queue.get()
        await asyncio.sleep(SLOW_WRITE if key.ref.namespace in slow else 0.002)
        done.append((asyncio.get_running_loop().time(), key))
        queue.done(key)


@pytest.mark.parametrize("slow", [1, 2, 4], ids=lambda count: f"{count} slow namespaces")
async def test_slow_namespaces_leave_workers_for_the_others(slow: int) -> None:
    queue, done = queue_of(), list[tuple[float, Key]]()
    names = [f"slow{number}" for number in range(slow)]
    workers = [asyncio.create_task(working(queue, names, done)) for _ in range(WORKERS)]
    for name, number in itertools.product(names, range(100)):
        queue.add_after(key(name, number), 0)
    await asyncio.sleep(1)
    begun = asyncio.get_running_loop().time()
    for number in range(10):
        queue.add_after(key("good", number), 0)
    await asyncio.sleep(1)

    at = [time for time, item in done if item.ref.namespace == "good"]
    assert len(at) == 10 and max(at) - begun < 0.5
    for task in workers:
        task.cancel()


async def test_taken_waits_for_no_namespace_whose_reconciles_are_slow() -> None:
    queue, done = queue_of(), list[tuple[float, Key]]()
    workers = [asyncio.create_task(working(queue, ["slow"], done)) for _ in range(WORKERS)]
    for number in range(100):
        queue.add_after(key("slow", number), 0)
    for number in range(10):
        queue.add_after(key("good", number), 0)
    begun = asyncio.get_running_loop().time()
    await queue.taken(but=110)
    assert asyncio.get_running_loop().time() == begun
    await queue.taken()

    assert asyncio.get_running_loop().time() - begun == pytest.approx(1, abs=0.1)
    assert len(done) == 10, "each of the other namespace"
    for task in workers:
        task.cancel()


async def test_a_slow_namespace_goes_on_as_its_workers_come_back() -> None:
    queue, done = queue_of(), list[tuple[float, Key]]()
    workers = [asyncio.create_task(working(queue, ["slow"], done)) for _ in range(WORKERS)]
    for number in range(100):
        queue.add_after(key("slow", number), 0)
    begun = asyncio.get_running_loop().time()
    await idle(queue)

    # Half of the workers, all of the time.
    assert len(done) == 100
    took = asyncio.get_running_loop().time() - begun
    assert took == pytest.approx(SLOW_WRITE * 13, abs=1)
    for task in workers:
        task.cancel()


@pytest.mark.parametrize("workers", [None, 1, 2, 3])
async def test_a_lone_namespace_and_few_workers_serve_everything(workers: int | None) -> None:
    queue, done = queue_of(workers=workers), list[tuple[float, Key]]()
    running = [
        asyncio.create_task(working(queue, ["only"], done)) for _ in range(workers or WORKERS)
    ]
    for number in range(16):
        queue.add_after(key("only", number), 0)
        queue.add_after(index_key(ObjectRef("only", str(number))), 0)
    begun = asyncio.get_running_loop().time()
    await idle(queue)
    took = asyncio.get_running_loop().time() - begun
    assert len(done) == 32
    if workers is None:
        assert took == pytest.approx(2 * SLOW_WRITE, abs=1)
    for task in running:
        task.cancel()


async def test_writes_that_wait_take_turns_by_namespace() -> None:
    limiter, wrote = WriteLimiter(10, 1), list[str]()

    async def write(namespace: str, priority: float) -> None:
        await limiter.wait(OUTPUT, namespace, priority)
        wrote.append(namespace)

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(write("hostile", float(number)))
        await asyncio.sleep(0)
        group.create_task(write("good", float("inf")))
    assert wrote.index("good") <= 2


async def outlasted(slow: Sequence[str], *names: str, work: int = 100) -> float | None:
    """When a namespace of those with so much work has outlasted another by two seconds."""
    queue, done = queue_of(), list[tuple[float, Key]]()
    for name, number in itertools.product(names, range(work)):
        queue.add_after(key(name, number), 0)
    queue.add_after(key("good", 0), 0)
    loop = asyncio.get_running_loop()
    began, told = loop.time(), asyncio.create_task(queue.outlasted(2))
    await asyncio.sleep(1)
    assert not told.done(), "nobody is done"
    workers = [asyncio.create_task(working(queue, slow, done)) for _ in range(WORKERS)]
    queue.add_after(key("late", 0), 30)  # it was not ready then
    await asyncio.wait([told], timeout=60)
    found = loop.time() - began if told.done() else None
    for task in (*workers, told):
        task.cancel()
    return found


async def test_a_namespace_that_is_done_is_told_from_one_that_goes_on() -> None:
    assert await outlasted(["slow"], "slow", "other") == pytest.approx(3, abs=0.2)


async def test_namespaces_that_are_done_together_outlast_nobody() -> None:
    assert await outlasted([], "one", "two") is None


async def test_a_namespace_alone_outlasts_nobody() -> None:
    assert await outlasted(["good"], work=0) is None
