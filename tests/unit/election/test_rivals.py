"""Which installation a namespace belongs to, and when another one has ended."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT, WRITER_ANNOTATION
from artifact_index.election.client import LEASES
from artifact_index.election.rivals import Rivals
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.objects import OutputRef, parse_output
from support.engine import Engine, publish_token
from support.memory_port import MemoryPort
from support.reconcile_builders import DIGESTER, NAMESPACE, secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime]

OWN, FIRST, SECOND = "b/lease", "a/lease", "c/lease"


def put(cache: Cache, name: str, writer: str, created: str, namespace: str = "shared") -> None:
    body = secret_body(name, {"uv.toml": ""}, labels={ROLE_LABEL: ROLE_OUTPUT})
    annotations = {WRITER_ANNOTATION: writer} if writer else {}
    versions = {"resourceVersion": str(next(_versions)), "creationTimestamp": created}
    body["metadata"] |= {"namespace": namespace, "annotations": annotations, **versions}
    cache.put_output(parse_output("Secret", body, DIGESTER))


_versions = iter(range(1, 1_000))


def test_a_namespace_belongs_to_the_writer_of_its_oldest_output() -> None:
    cache = Cache(OWN, signs=True)
    assert cache.writers.rival_in("shared") is None
    put(cache, "unsigned", "", "2026-11-30T00:00:00Z")
    put(cache, "theirs", SECOND, "2026-11-30T03:00:00Z")
    assert cache.writers.rival_in("shared") == SECOND
    put(cache, "first", FIRST, "2026-11-30T02:00:00Z")
    assert cache.writers.rivals() == {FIRST: ["shared"]}
    put(cache, "ours", OWN, "2026-11-30T01:00:00Z")
    assert cache.writers.rival_in("shared") is None
    cache.drop_output(OutputRef("Secret", "shared", "ours"))
    assert cache.writers.rival_in("shared") == FIRST
    assert cache.writers.rival_in("elsewhere") is None
    # An administrator hands it over.
    put(cache, "first", "", "2026-11-30T02:00:00Z")
    put(cache, "theirs", "", "2026-11-30T03:00:00Z")
    assert cache.writers.rivals() == {}


def test_both_sides_come_to_the_same_answer() -> None:
    caches = {own: Cache(own, signs=True) for own in (OWN, FIRST)}
    for cache in caches.values():
        put(cache, "x", FIRST, "2026-11-30T00:00:00Z")
        put(cache, "y", OWN, "2026-11-30T00:00:00Z")
    assert caches[OWN].writers.rival_in("shared") == FIRST
    assert caches[FIRST].writers.rival_in("shared") is None


class Watched:
    """The rivals of a cache in which one output names the first installation."""

    def __init__(self) -> None:
        self.cache, self.port, self.changes = Cache(OWN, signs=True), MemoryPort(), list[str]()
        put(self.cache, "x", FIRST, "2026-11-30T00:00:00Z")
        self.rivals = Rivals(self.port, self.cache.writers, 15.0, on_change=self.changes.extend)

    def lease(self, **spec: Any) -> None:
        body = {"metadata": {"namespace": "a", "name": "lease"}, "spec": spec}
        self.port.put(LEASES.plural, body)

    @property
    def stands_still(self) -> bool:
        return self.cache.writers.rival_in("shared") is not None


async def test_an_installation_whose_lease_is_gone_holds_nothing() -> None:
    world = Watched()
    await world.rivals.look()
    assert not world.stands_still and world.changes == ["shared"]
    await world.rivals.look()
    assert world.changes == ["shared"]


async def test_a_released_lease_holds_nothing() -> None:
    world = Watched()
    world.lease(holderIdentity="", leaseDurationSeconds=1)
    await world.rivals.look()
    assert not world.stands_still


@pytest.mark.parametrize(("age", "stands_still"), [(60, True), (90, False)])
async def test_a_lease_that_was_left_behind_long_ago_holds_nothing(
    age: float, stands_still: bool
) -> None:
    world = Watched()
    renewed = datetime.fromtimestamp(time.time() - age, UTC).isoformat()
    world.lease(holderIdentity="x", leaseDurationSeconds=15, renewTime=renewed)
    await world.rivals.look()
    assert world.stands_still is stands_still
    renewed = datetime.fromtimestamp(time.time(), UTC).isoformat()
    world.lease(holderIdentity="x", leaseDurationSeconds=15, renewTime=renewed)
    await asyncio.sleep(20)
    await world.rivals.look()
    assert world.stands_still


@pytest.mark.parametrize("renewed", [None, "", "soon", 7, "0001-01-01T00:00:00"])
async def test_a_lease_without_a_time_is_watched_for_its_duration(renewed: object) -> None:
    world = Watched()
    world.lease(holderIdentity="x", leaseDurationSeconds=15, renewTime=renewed)
    await world.rivals.look()
    assert world.stands_still
    await asyncio.sleep(20)
    await world.rivals.look()
    assert not world.stands_still


async def test_a_renewed_lease_holds_the_namespace(caplog: pytest.LogCaptureFixture) -> None:
    world, loop = Watched(), asyncio.get_running_loop()
    task = asyncio.create_task(world.rivals.run())
    for number in range(30):
        world.lease(holderIdentity="x", leaseDurationSeconds=15, renewTime=str(number))
        await asyncio.sleep(5)
        assert world.stands_still
    assert caplog.text.count(f"installation {FIRST} serves shared; this one, {OWN}") == 1
    died = loop.time()
    while world.stands_still:  # noqa: ASYNC110
        await asyncio.sleep(1)
    assert 10 <= loop.time() - died <= 20
    task.cancel()


async def test_a_lease_that_may_not_be_read_holds_the_namespace_until_it_is_handed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    world, asked = Watched(), []

    def refuse(verb: str, plural: str, name: str) -> ApiError | None:
        asked.append(name)
        return ApiError(403, "Forbidden", "no")

    world.port.refuse = refuse
    task = asyncio.create_task(world.rivals.run())
    await asyncio.sleep(600)
    assert world.stands_still and len(asked) <= 11
    put(world.cache, "x", "", "2026-11-30T00:00:00Z")
    assert not world.stands_still and world.changes == []
    task.cancel()


async def test_an_installation_that_runs_again_gets_back_what_it_was_first_in() -> None:
    """Both would write otherwise, where an output still names it: one that nobody rewrites."""
    world = Watched()
    world.lease(holderIdentity="", leaseDurationSeconds=1)
    task = asyncio.create_task(world.rivals.run())
    await asyncio.sleep(1)
    assert not world.stands_still
    world.lease(holderIdentity="x", leaseDurationSeconds=15, renewTime="1")
    await asyncio.sleep(13)
    assert world.stands_still and world.changes == ["shared", "shared"]
    await asyncio.sleep(20)
    assert not world.stands_still
    assert task.cancel()


async def test_what_outputs_name_costs_few_requests_and_no_memory() -> None:
    """A tenant may put any text there, and another one a moment later."""
    world, asked = Watched(), list[str]()

    def note(verb: str, plural: str, name: str) -> ApiError | None:
        asked.append(name)
        return None

    world.port.refuse = note
    task = asyncio.create_task(world.rivals.run())
    for number in range(100):
        put(world.cache, "x", f"a/lease-{number}", "2026-11-30T00:00:00Z")
        await asyncio.sleep(5)
    assert len(asked) <= 200 and len(world.cache.writers.ended) == 1
    assert set(world.changes) == {"shared"}
    for number in range(100):
        put(world.cache, f"x{number}", f"a/lease-{number}", f"2026-11-30T00:00:{number % 60:02}Z")
    asked.clear()
    await asyncio.sleep(60)
    assert len(asked) <= 60 / 2 * 20
    task.cancel()


@pytest.mark.parametrize("text", ["", "lease", "/lease", "a/", "a/b/c", "A/b", "a/b\nc", "../x"])
def test_what_names_no_lease_names_nobody(text: str) -> None:
    cache = Cache(OWN, signs=True)
    put(cache, "x", text, "2026-11-30T00:00:00Z")
    assert cache.writers.rivals() == {} and not cache.writers.named


def test_a_namespace_is_decided_anew_only_where_the_deciding_output_changes() -> None:
    cache = Cache(OWN, signs=True)
    put(cache, "x", FIRST, "2026-11-30T00:00:01Z")
    assert cache.writers.rival_in("shared") == FIRST
    cache.writers._outputs = list  # whoever looks at all outputs now finds none
    put(cache, "y", SECOND, "2026-11-30T00:00:02Z")
    put(cache, "x", FIRST, "2026-11-30T00:00:01Z")
    assert cache.writers.rivals() == {FIRST: ["shared"]}
    put(cache, "z", SECOND, "2026-11-30T00:00:00Z")
    assert cache.writers.rivals() == {SECOND: ["shared"]}
    cache.writers._outputs = cache.outputs.objects
    cache.drop_output(OutputRef("Secret", "shared", "z"))
    assert cache.writers.rivals() == {FIRST: ["shared"]}
    cache.drop_output(OutputRef("Secret", "shared", "x"))
    cache.drop_output(OutputRef("Secret", "shared", "y"))
    assert cache.writers.rivals() == {} and not cache.writers.named


async def test_outputs_that_name_an_ended_installation_cost_a_start_nothing() -> None:
    engine = Engine()
    await publish_token(engine)
    output = engine.port.objects["secrets", NAMESPACE, "uv-config"]
    output["metadata"]["annotations"][WRITER_ANNOTATION] = FIRST
    later = Engine(engine.port)
    writes = later.record_writes()
    await later.operator.prime()
    await later.settle()
    assert writes == []


@pytest.mark.parametrize("status", [200, 403, 404])
async def test_a_process_without_an_election_makes_way_for_the_one_of_its_name(
    status: int,
) -> None:
    """Without one, the chart gives no right to read a Lease: nobody of that name elects then."""
    world = Watched()
    world.cache = Cache(FIRST)
    put(world.cache, "x", FIRST, "2026-11-30T00:00:00Z")
    world.rivals = Rivals(world.port, world.cache.writers, 15.0, on_change=world.changes.extend)
    assert world.stands_still and world.cache.writers.signature == ""
    if status == 200:
        world.lease(holderIdentity="x", leaseDurationSeconds=15)
    elif status == 403:
        world.port.refuse = lambda *_: ApiError(403, "Forbidden", "no")
    await world.rivals.look()
    assert world.stands_still is (status == 200)
