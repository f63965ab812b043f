"""Who leads, from when until when: every way in which a Lease changes hands, in virtual time."""

import asyncio
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest

from artifact_index.election.candidate import Record, new_identity
from artifact_index.settings import Settings
from support.lease_server import EPOCH, HANGS, LeaseServer, Line, Replica, Trouble

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(done: Any, seconds: float = 120.0) -> float:
    """Wait; returns when it was."""
    deadline = now() + seconds
    while not done():
        assert now() < deadline, "it does not come"
        await asyncio.sleep(0.01)
    return now()


async def pair(server: LeaseServer) -> tuple[Replica, Replica]:
    """The leader, and a standby that knows it."""
    leader, standby = Replica(Line(server, "a")), Replica(Line(server, "b"))
    leader.start()
    await until(lambda: leader.gate.open)
    standby.start()
    await until(lambda: standby.elector.first_answer.is_set())
    await asyncio.sleep(5)
    assert leader.elector.leads and not standby.elector.leads
    return leader, standby


def held(holder: str, **more: Any) -> dict[str, Any]:
    """A Lease as client-go writes it."""
    return {
        "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3,
        "acquireTime": "2026-11-29T01:02:03.000004Z", "renewTime": "2026-11-29T07:02:03.000004Z",
        **more,
    }  # fmt: skip


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


async def test_a_killed_leader_is_followed_after_the_lease_and_not_before(
    server: LeaseServer,
) -> None:
    leader, standby = await pair(server)
    renewed = max(at for at, who, verb in server.requests if who == "a" and verb == "update")
    await leader.kill()
    taken = await until(lambda: standby.gate.open)
    assert renewed + 15 <= taken < renewed + 15.5
    assert server.spec["leaseTransitions"] == 1
    assert server.spec["holderIdentity"] == "b"


async def test_who_was_cut_off_for_long_follows_in_time_once_its_watch_is_back(
    server: LeaseServer,
) -> None:
    old, leader = await pair(server)
    old.line.trouble, old.line.deaf = lambda: HANGS, True
    await until(lambda: leader.gate.open)
    await asyncio.sleep(120)
    old.line.trouble, old.line.deaf = Trouble, False
    await asyncio.sleep(3)
    renewed = max(at for at, who, verb in server.requests if who == "b" and verb == "update")
    await leader.kill()
    assert await until(lambda: old.gate.open) < renewed + 15.5


async def test_a_watch_that_always_ends_at_once_is_begun_twice_a_second(
    server: LeaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, standby = await pair(server)
    begun: list[float] = []

    async def shows_one() -> AsyncIterator[Record | None]:
        begun.append(now())
        assert len(begun) < 100, "the loop is held"
        yield standby.candidate.record

    monkeypatch.setattr(standby.line, "changes", shows_one)
    restarted = Replica(standby.line)
    await standby.kill()
    restarted.start()
    await asyncio.sleep(10)
    assert 15 <= len(begun) <= 25
    await restarted.kill()


async def test_a_stopped_leader_hands_over_at_once(
    server: LeaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    leader, standby = await pair(server)
    caplog.set_level(logging.INFO, "artifact_index.election.elector")
    begun = now()
    await leader.stop()
    assert leader.worked == [[pytest.approx(0, abs=1), begun]]
    assert await until(lambda: standby.gate.open) - begun < 0.2
    events = [vars(record)["artifact_index"]["event"] for record in caplog.records]
    assert events == ["LeaseReleased", "LeaseWon"]


async def test_who_does_not_stop_working_releases_nothing(server: LeaseServer) -> None:
    leader, standby = await pair(server)
    leader.stubborn = True
    leader.worked.clear()
    begun = now()
    await leader.stop()
    assert server.spec["holderIdentity"] == "a"
    assert not leader.gate.open
    assert await until(lambda: standby.gate.open) - begun > 11


async def test_work_that_does_not_end_after_a_loss_ends_the_process(server: LeaseServer) -> None:
    leader, _ = await pair(server)
    leader.stubborn = True
    server.put(held("somebody"))
    await asyncio.sleep(6)
    with pytest.raises(RuntimeError, match="does not end"):
        await leader.task


async def test_work_that_fails_ends_the_process(server: LeaseServer) -> None:
    replica = Replica(Line(server, "a"))

    async def fail() -> None:
        raise LookupError

    replica.elector._lead = fail
    with pytest.raises(LookupError):
        await replica.start()
    await replica.elector.end(0.5)
    assert server.spec["holderIdentity"] == ""


TROUBLES = {
    "errors": Trouble(status=500), "throttled": Trouble(status=429, retry_after=3.0),
    "html": Trouble(status=502), "conflicts": Trouble(status=409), "login": Trouble(status=401),
    "hangs": HANGS, "lost answers": Trouble(lost=True), "slow": Trouble(delay=7.0),
    "unreachable": Trouble(status=0), "asked to wait": Trouble(status=429, retry_after=60.0),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_a_leader_that_cannot_renew_is_silent_before_another_one_follows(
    server: LeaseServer, trouble: Trouble
) -> None:
    leader, standby = await pair(server)
    renewed = max(at for at, who, verb in server.requests if who == "a" and verb == "update")
    leader.line.trouble = lambda: trouble
    closed = await until(lambda: not leader.gate.open)
    opened = await until(lambda: standby.gate.open)
    assert closed <= renewed + 10.02
    # A lost answer has renewed the Lease all the same.
    assert opened - closed >= leader.gate.grace
    assert not leader.elector.leads and leader.task.done() is False
    # It goes back to standing by, and follows the other one.
    leader.line.trouble = Trouble
    await asyncio.sleep(40)
    await standby.stop()
    await until(lambda: leader.gate.open, 40)


async def test_a_short_outage_changes_nothing(server: LeaseServer) -> None:
    leader, standby = await pair(server)
    leader.line.trouble = standby.line.trouble = lambda: Trouble(status=0)
    await asyncio.sleep(6)
    leader.line.trouble = standby.line.trouble = Trouble
    await asyncio.sleep(30)
    assert leader.worked == [[pytest.approx(0, abs=1)]] and not standby.worked


@pytest.mark.parametrize("status", [403, 422, 500, 0])
async def test_a_refused_candidate_asks_less_and_less(server: LeaseServer, status: int) -> None:
    replica = Replica(Line(server, "a", lambda: Trouble(status=status)))
    replica.start()
    await asyncio.sleep(600)
    assert len(server.requests) < 45
    assert replica.elector.state() == "standby, nobody leads"


async def test_a_process_that_was_stopped_writes_nothing_when_it_goes_on(
    server: LeaseServer,
) -> None:
    leader, standby = await pair(server)
    leader.gate.clock = lambda: now() + 22.0  # its timers stood still
    assert not leader.gate.open
    # Nobody took the Lease meanwhile: it may lead again, once it has renewed it.
    await until(lambda: len(leader.worked) == 2, 3)
    assert leader.candidate.lost_by == "it could not be renewed for 10 s"
    assert leader.gate.open and not standby.worked


async def test_what_somebody_else_holds_is_not_written(server: LeaseServer) -> None:
    leader, _ = await pair(server)
    server.put(held("somebody"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not leader.gate.open
    await until(lambda: not leader.elector.leads, 0.1)
    assert leader.candidate.lost_by == "somebody holds it"


async def test_an_emptied_lease_is_an_order_to_hand_over(server: LeaseServer) -> None:
    leader, standby = await pair(server)
    server.put({})
    await until(lambda: not leader.gate.open, 0.1)
    await until(lambda: standby.gate.open or leader.gate.open, 1)
    assert leader.gate.open is not standby.gate.open


@pytest.mark.parametrize("deaf", [False, True])
async def test_the_leader_makes_a_deleted_lease_again(server: LeaseServer, deaf: bool) -> None:
    leader, standby = await pair(server)
    leader.line.deaf = deaf
    server.delete()
    await asyncio.sleep(60)
    assert leader.worked == [[pytest.approx(0, abs=1)]] and not standby.worked
    assert server.spec["holderIdentity"] == "a"


@pytest.mark.parametrize(
    ("spec", "waits"),
    [
        (held("gone"), 15.0),
        (held("gone", leaseDurationSeconds=60), 60.0),
        (held("gone", leaseDurationSeconds=5), 15.0),
        (held("gone", renewTime="2030-01-01T00:00:00.000000Z"), 15.0),
        ({"holderIdentity": "gone"}, 15.0),
        (held("", leaseDurationSeconds=1), 0.0),
        ({}, 0.0),
    ],
    ids=["dead", "long", "short", "future", "bare", "released", "empty"],
)
async def test_a_lease_of_another_kind_of_client(
    server: LeaseServer, spec: dict[str, Any], waits: float
) -> None:
    server.put(spec, labels={"kept": "yes"})
    replica = Replica(Line(server, "a"))
    replica.start()
    assert waits <= await until(lambda: replica.gate.open) <= waits + 0.1
    assert (server.body or {})["metadata"]["labels"] == {"kept": "yes"}
    assert server.spec["leaseTransitions"] == spec.get("leaseTransitions", 0) + 1


async def test_a_living_holder_is_never_followed_however_stale_the_watch(
    server: LeaseServer,
) -> None:
    server.put(held("alive"))
    replica = Replica(Line(server, "a", deaf=True))
    replica.start()
    for number in range(200):
        await asyncio.sleep(2)
        server.put(held("alive", renewTime=str(number)), **(server.body or {})["metadata"])
        assert not replica.gate.open
    assert len(server.requests) < 3 * 400 / 15


async def test_who_makes_the_lease_over_outputs_waits_for_a_leader_that_may_have_lost_it(
    server: LeaseServer,
) -> None:
    replica = Replica(Line(server, "a"), in_use=True)
    replica.start()
    await asyncio.sleep(1)
    assert server.spec["holderIdentity"] == "a" and not replica.worked
    assert 10 <= await until(lambda: replica.gate.open) <= 12.1


async def test_a_lost_answer_to_the_creation_shortens_no_wait(server: LeaseServer) -> None:
    troubles = iter([Trouble(), Trouble(lost=True)])  # of the read, and of the creation
    replica = Replica(Line(server, "a", lambda: next(troubles, Trouble())), in_use=True)
    replica.start()
    await until(lambda: server.body is not None)
    created = now()
    assert created + 10 <= await until(lambda: replica.gate.open)


async def test_a_late_answer_makes_nobody_lead_who_has_lost_the_lease_since(
    server: LeaseServer,
) -> None:
    leader, _ = await pair(server)
    leader.line.trouble = lambda: Trouble(delay=2.4)
    before = server.spec["renewTime"]
    await until(lambda: server.spec["renewTime"] != before)
    server.put(held("somebody"))  # while the answer to the renewal is under way
    opened: list[float] = []
    await until(lambda: not leader.gate.open, 0.1)
    leader.gate.on_open = lambda: opened.append(now())
    await asyncio.sleep(10)
    assert opened == []


@pytest.fixture
def elsewhere() -> Iterator[None]:
    os.environ["TZ"] = "Asia/Kolkata"
    time.tzset()
    yield
    del os.environ["TZ"]
    time.tzset()


async def test_times_are_utc_with_six_digits(server: LeaseServer, elsewhere: None) -> None:
    Replica(Line(server, "a")).start()
    await until(lambda: server.body is not None)
    assert EPOCH == 1_796_000_000
    assert server.spec["renewTime"] == server.spec["acquireTime"] == "2026-11-30T00:53:20.000000Z"
    await asyncio.sleep(2)
    assert server.spec["renewTime"] == "2026-11-30T00:53:22.000000Z"
    assert server.spec["acquireTime"] == "2026-11-30T00:53:20.000000Z"


async def test_what_an_hour_costs(server: LeaseServer) -> None:
    await pair(server)
    server.requests.clear()
    await asyncio.sleep(3600)
    assert {verb for _, _, verb in server.requests} == {"update"}
    assert {who for _, who, _ in server.requests} == {"a"}
    assert len(server.requests) == pytest.approx(1800, abs=2)


async def test_a_leader_whose_loop_is_stuck_is_unhealthy(server: LeaseServer) -> None:
    leader, standby = await pair(server)
    assert leader.elector.stuck() is None and standby.elector.stuck() is None
    leader.gate.clock = lambda: now() + 26.0
    assert "still leads" in str(leader.elector.stuck())
    assert leader.elector.state() == "leader" and standby.elector.state() == "standby, a leads"


async def test_of_many_that_start_at_once_one_leads(server: LeaseServer) -> None:
    replicas = [Replica(Line(server, f"r{number}")) for number in range(5)]
    for replica in replicas:
        replica.start()
    await asyncio.sleep(30)
    assert sum(replica.gate.open for replica in replicas) == 1
    assert len([1 for at, _, _ in server.requests if at < 1]) <= 15


async def test_an_edit_again_and_again_makes_no_storm(server: LeaseServer) -> None:
    leader, _ = await pair(server)
    server.requests.clear()
    for _ in range(1000):
        metadata = (server.body or {})["metadata"]
        server.put(server.spec, **{**metadata, "annotations": {"at": str(now())}})
        await asyncio.sleep(0.01)
    assert len(server.requests) < 60
    assert leader.elector.leads


def test_installations_with_one_scope_share_a_lease() -> None:
    def lease(*namespaces: str) -> str:
        return Settings(namespaces=namespaces, operator_namespace="home").installation

    assert lease() == "home/artifact-index-operator"
    assert lease("b", "a", "b") == lease("a", "b") == "home/artifact-index-operator-1eb7c54d52"
    assert lease("a") != lease("b")
    assert new_identity() != new_identity()


async def test_the_deadline_counts_from_before_the_renewal_was_sent(server: LeaseServer) -> None:
    slow = Trouble(delay=2.0)
    replica = Replica(Line(server, "a", lambda: slow))
    replica.start()
    await until(lambda: replica.gate.open)
    sent = next(at for at, _, verb in server.requests if verb == "create")
    assert replica.gate.closes_at == sent + 10
    assert math.isclose(replica.timing.grace, 4.0)
    with suppress(asyncio.CancelledError):
        await replica.kill()
