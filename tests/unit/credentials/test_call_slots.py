"""Slots for cloud calls: shares of tenants, services that time out, and what is remembered."""

import asyncio
from collections import Counter
from collections.abc import Hashable

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.credentials.call_slots import PAUSE, REMEMBERED_FOR, TIMEOUTS, CallSlots, Flow
from artifact_index.credentials.errors import LoginError

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

TOTAL, PER_SERVICE = 16, 4
HANG = 30.0
QUICK = 0.3
NO_ANSWER = LoginError(Reason.CLOUD_UNAVAILABLE, "no answer in time")


class Clouds:
    """Calls by tenants to services, of which some hang."""

    def __init__(self, *hanging: str) -> None:
        self.slots = CallSlots(TOTAL, PER_SERVICE)
        self.hanging = set(hanging)
        self.running: Counter[Flow] = Counter()
        self.most = 0
        self.begun: list[tuple[float, Flow]] = []
        self.failed: list[tuple[float, Flow]] = []
        self.tasks: list[asyncio.Task[float]] = []

    def call(self, tenant: str, service: str) -> asyncio.Task[float]:
        """A call, whose result is the time at which it began."""
        task = asyncio.create_task(self._call(Flow(tenant, service)))
        self.tasks.append(task)
        return task

    async def _call(self, flow: Flow) -> float:
        clock = asyncio.get_running_loop().time
        try:
            await self.slots.take(flow)
        except LoginError:
            self.failed.append((clock(), flow))
            raise
        began = clock()
        self.begun.append((began, flow))
        self.running[flow] += 1
        self.most = max(self.most, self.running.total())
        try:
            if flow.service in self.hanging:
                await asyncio.sleep(HANG)
                self.slots.timed_out(flow, NO_ANSWER)
                raise NO_ANSWER
            await asyncio.sleep(QUICK)
            self.slots.answered(flow)
        finally:
            self.running[flow] -= 1
            self.slots.release(flow)
        return began

    def in_use(self, tenant: Hashable) -> int:
        return sum(count for flow, count in self.running.items() if flow.tenant == tenant)

    def begun_by(self, tenant: str) -> int:
        return sum(flow.tenant == tenant for _, flow in self.begun)

    async def end(self) -> None:
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_all_get_a_place_in_the_end_and_never_too_many_at_once() -> None:
    clouds = Clouds()
    for number in range(200):
        clouds.call(f"t{number % 5}", f"s{number % 7}")
    await clouds.end()
    assert len(clouds.begun) == 200
    assert clouds.most <= TOTAL
    assert clouds.most > TOTAL // 2


async def test_one_tenant_holds_half_of_the_slots_and_three_leave_some_free() -> None:
    clouds = Clouds(*(f"dead-{number}" for number in range(100)))
    for number in range(100):
        clouds.call("hostile", f"dead-{number}")
    await asyncio.sleep(0)
    assert clouds.in_use("hostile") == TOTAL // 2
    for tenant in range(2):
        for number in range(20):
            clouds.call(f"hostile-{tenant}", f"dead-{number}")
    began = await clouds.call("good", "healthy")
    assert began == 0
    assert clouds.most < TOTAL


async def test_a_healthy_region_is_served_at_once_beside_32_that_hang() -> None:
    regions = [f"dead-{number}" for number in range(32)]
    clouds = Clouds(*regions)
    for number in range(512):
        clouds.call("hostile", regions[number % 32])
    waits = []
    for _ in range(300):
        await asyncio.sleep(1)
        asked_at = asyncio.get_running_loop().time()
        waits.append(await clouds.call("good", "eu-west-1") - asked_at)
    assert max(waits) == 0


async def test_regions_that_time_out_keep_at_most_half_of_the_slots_whoever_calls_them() -> None:
    regions = [f"dead-{number}" for number in range(8)]
    clouds = Clouds(*regions)
    for tenant in range(12):
        for region in regions:
            clouds.call(f"t{tenant}", region)
    await asyncio.sleep(2 * HANG + 1)  # in the first round nobody knows them
    for _ in range(10):
        assert sum(clouds.running.values()) <= TOTAL // 2
        await asyncio.sleep(HANG / 3)


async def test_a_flow_is_suspended_after_timeouts_in_a_row_and_then_tried_by_one_call() -> None:
    clouds = Clouds("dead")
    for _ in range(20):
        clouds.call("t", "dead")
    await asyncio.sleep(HANG + 0.1)
    # Four had slots; those that waited fail with them, and know when to come back.
    assert len(clouds.begun) == PER_SERVICE
    assert len(clouds.failed) == 20 - PER_SERVICE
    with pytest.raises(LoginError, match="no answer in time") as caught:
        await clouds.call("t", "dead")
    assert caught.value.retry_after == pytest.approx(PAUSE, abs=0.2)
    assert not caught.value.permanent
    await asyncio.sleep(PAUSE)
    for _ in range(3):
        clouds.call("t", "dead")
    await asyncio.sleep(1)
    assert clouds.in_use("t") == 1
    clouds.hanging.clear()
    await asyncio.sleep(HANG - 1)  # this one still hangs
    await asyncio.sleep(PAUSE)
    again = [clouds.call("t", "dead") for _ in range(8)]
    await asyncio.sleep(4 * QUICK)
    assert all(task.done() for task in again)
    assert not clouds.slots._timeouts


async def test_a_timeout_that_is_followed_by_an_answer_suspends_nothing() -> None:
    clouds = Clouds("flaky")
    for _ in range(TIMEOUTS + 2):
        clouds.hanging.add("flaky")
        await asyncio.gather(clouds.call("t", "flaky"), return_exceptions=True)
        clouds.hanging.clear()
        await clouds.call("t", "flaky")
    assert not clouds.failed


async def test_a_tenant_whose_calls_hang_suspends_no_service_for_others() -> None:
    """Such as by an identity provider of its own that does not answer."""
    slots = CallSlots(TOTAL, PER_SERVICE)
    hostile, good = Flow("hostile", "google"), Flow("good", "google")
    for _ in range(2 * TIMEOUTS):
        slots.timed_out(hostile, NO_ANSWER)
    with pytest.raises(LoginError):
        await slots.take(hostile)
    await slots.take(good)
    slots.release(good)


async def test_tenants_take_turns_for_the_slots_of_one_service() -> None:
    clouds = Clouds()
    for _ in range(100):
        clouds.call("many", "eu-west-1")
    await asyncio.sleep(0)
    asked_at = asyncio.get_running_loop().time()
    began = await clouds.call("few", "eu-west-1")
    assert began - asked_at <= QUICK


async def test_the_services_of_one_tenant_take_turns() -> None:
    clouds = Clouds(*(f"slow-{number}" for number in range(10)))
    for number in range(100):
        clouds.call("t", f"slow-{number % 10}")
    other = clouds.call("t", "fine")
    await asyncio.sleep(2 * HANG + 1)
    assert other.done()


async def test_a_call_that_is_cancelled_gives_its_place_or_its_turn_back() -> None:
    slots = CallSlots(2, 1)
    flow, other = Flow("t", "s"), Flow("u", "s")
    await slots.take(flow)
    waiting = asyncio.create_task(slots.take(other))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not slots._waiting
    handed = asyncio.create_task(slots.take(other))
    await asyncio.sleep(0)
    slots.release(flow)  # the slot is handed out, and its taker is cancelled before it runs
    handed.cancel()
    await asyncio.gather(handed, return_exceptions=True)
    await slots.take(flow)
    slots.release(flow)
    assert slots._free == 2


async def test_one_place_in_all_is_enough() -> None:
    slots = CallSlots(1, 1)
    for number in range(TIMEOUTS - 1):
        await slots.take(Flow("t", "s"))
        slots.timed_out(Flow("t", "s"), NO_ANSWER)
        slots.release(Flow("t", "s"))
        assert slots._free == 1, number


async def test_nothing_is_kept_of_services_that_nobody_calls() -> None:
    clouds = Clouds()
    for number in range(500):
        region = f"region-{number}"
        if number % 2:
            clouds.hanging.add(region)
        clouds.call(f"t{number % 3}", region)
        await asyncio.sleep(1)
    await clouds.end()
    await asyncio.sleep(REMEMBERED_FOR)
    await clouds.call("t", "other")
    slots = clouds.slots
    assert not slots._waiting and not slots._timeouts
    assert not slots._by_tenant and not slots._by_service and not slots._by_flow
    assert slots._free == TOTAL
