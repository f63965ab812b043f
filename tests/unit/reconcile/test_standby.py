"""What a standby takes over from the leader's writes, and what it does when its turn comes."""

import copy
from collections.abc import Iterable

import pytest

from artifact_index.reconcile.cache.cache import Key
from support.engine import GAR, OPTIONS, WITHDRAWAL, Engine, publish_token
from support.memory_port import MemoryPort
from support.reconcile_builders import HOUR, NAMESPACE, NOW, source

pytestmark = pytest.mark.unit

OUTPUT = ("secrets", NAMESPACE, "uv-config")


async def follow(engine: Engine, plurals: Iterable[str] = ()) -> None:
    """Deliver what the API server holds, as watches do; perhaps of some kinds only."""
    for (plural, _, _), body in list(engine.port.objects.items()):
        if not plurals or plural in plurals:
            rest = engine.operator.feed.watched(plural, "MODIFIED", copy.deepcopy(body))
            if rest is not None:
                await rest


async def standby_of(leader: Engine) -> Engine:
    engine = Engine(leader.port)
    await engine.operator.prime()
    return engine


async def lead(engine: Engine) -> list[tuple[str, str]]:
    """Let it work on everything; returns its writes."""
    engine.operator.take_over()
    writes = engine.record_writes()
    await engine.settle(*engine.cache.all_keys())
    engine.port.refuse = lambda *_: None
    return writes


def token_in(port: MemoryPort) -> str:
    urls = "".join(Engine(port).entries().values())
    return next(word for word in ("minted-1", "minted-2", "minted-3") if word in urls)


async def refreshed(leader: Engine) -> None:
    """Let time pass until the token is due, and be replaced."""
    await pass_time(leader, leader.time + 11.5 * HOUR)


async def pass_time(engine: Engine, until: float) -> None:
    """Let a leader do what is due by then."""
    engine.time = until
    engine.operator.tokens._process_due(until)
    engine.operator.tokens._issuer.begin(until)
    await engine.settle()


async def test_a_takeover_over_a_converged_cluster_costs_nothing() -> None:
    leader = Engine()
    await publish_token(leader)
    standby = await standby_of(leader)
    leader.index("more")
    await refreshed(leader)
    await leader.settle(*leader.cache.all_keys())
    assert token_in(leader.port) == "minted-2"
    await follow(standby)
    standby.time = leader.time
    assert await lead(standby) == []
    assert standby.mints == 0 and leader.mints == 2


async def test_two_replicas_take_turns_and_no_token_is_minted_twice() -> None:
    first = Engine()
    await publish_token(first)
    second = await standby_of(first)
    for leader, other in ((first, second), (second, first)) * 2:
        await refreshed(leader)
        await leader.operator.stand_by()
        other.time = leader.time
        await follow(other)
        assert await lead(other) == []
    assert (first.mints, second.mints) == (3, 2)


@pytest.mark.parametrize("gap", [-60, 0, 5, 15])
async def test_a_token_that_is_due_in_the_gap_is_refreshed_in_time_and_once(gap: float) -> None:
    """`gap` is for how many seconds it has been due when the standby gets its turn."""
    leader = Engine()
    await publish_token(leader)
    standby = await standby_of(leader)
    await standby.operator.stand_by()
    standby.mints = 1  # so that its token has another name
    (held,) = leader.operator.tokens.held_tokens()
    assert held.planned_at is not None
    standby.time = held.planned_at + gap
    writes = await lead(standby)
    if gap < 0:
        assert writes == [] and standby.mints == 1
        await pass_time(standby, held.planned_at)
    assert token_in(standby.port) == "minted-2" and standby.mints == 2
    assert standby.time < NOW + WITHDRAWAL
    assert await lead(standby) == [] and standby.mints == 2


async def test_a_requested_token_stays_published_although_the_last_one_would_end_later() -> None:
    leader = Engine()
    await publish_token(leader)
    standby = await standby_of(leader)
    leader.time = standby.time = leader.time + 60
    leader.life = HOUR
    leader.index("gar", GAR, refresh_requested=leader.time)
    await leader.settle()
    assert token_in(leader.port) == "minted-2"
    await follow(standby)
    assert await lead(standby) == [] and standby.mints == 0
    restarted = await standby_of(leader)
    restarted.time = leader.time
    assert await lead(restarted) == [] and restarted.mints == 0


async def test_a_standby_requests_nothing_however_late_it_gets() -> None:
    leader = Engine()
    await publish_token(leader)
    await leader.operator.stand_by()
    leader.time += 20 * HOUR
    leader.operator.tokens._process_due(leader.time)
    leader.operator.tokens._issuer.begin(leader.time)
    assert not await leader.operator.clouds_settled()
    assert leader.mints == 1


async def test_what_no_output_holds_any_more_is_forgotten() -> None:
    leader = Engine()
    leader.index("a", {**source("anonymous"), "name": "a"})
    await publish_token(leader)
    standby = await standby_of(leader)
    published = standby.operator.state.published[OPTIONS.ref]
    assert len(published) == 2
    leader.drop_index("a")
    await leader.settle()
    await follow(standby, ["secrets", "indexoptions"])
    assert len(standby.operator.state.published[OPTIONS.ref]) == 1


async def test_a_standby_keeps_neither_keys_nor_what_was_deleted() -> None:
    leader = Engine()
    await publish_token(leader)
    standby = await standby_of(leader)
    standby.controller.stand_by()
    await follow(standby)
    state, histories = standby.operator.state, standby.operator.histories
    assert state.published[OPTIONS.ref] and state.names[OPTIONS.ref]
    index = standby.cache.indexes.objects()[0]
    histories.get_or_add(index.ref, index.uid).was_failing = True
    for plural, name in (("indexoptions", "uv-config"), ("artifactindexes", "gar")):
        body = leader.port.objects[plural, NAMESPACE, name]
        standby.operator.feed.watched(plural, "DELETED", copy.deepcopy(body))
    assert OPTIONS.ref not in state.published and OPTIONS.ref not in state.names
    assert len(histories) == 0
    assert len(standby.queue) == 0


async def test_an_output_that_the_last_leader_wrote_late_keeps_its_newer_token() -> None:
    leader = Engine()
    await publish_token(leader)
    standby = await standby_of(leader)
    leader.time = standby.time = leader.time + HOUR
    leader.index("gar", GAR, refresh_requested=leader.time)
    await leader.settle()  # the events of all this are late
    standby.index("more", {**source("anonymous"), "name": "more"})
    await lead(standby)
    # It has planned the older token, and a stale resourceVersion was answered with 409.
    assert token_in(leader.port) == "minted-2"
    await follow(standby, ["secrets"])
    await standby.settle()
    assert token_in(leader.port) == "minted-2"
    assert "more" in standby.entries()
    assert standby.mints == 0


async def test_what_somebody_else_changed_meanwhile_is_put_right_at_once() -> None:
    engine = Engine()
    await publish_token(engine)
    body = copy.deepcopy(engine.port.objects[OUTPUT])
    body["data"]["uv.toml"] = ""
    engine.port.put("secrets", body)
    engine.index("more", {**source("anonymous"), "name": "more"})
    await engine.settle()
    assert "more" in engine.entries()
    assert engine.ready()[:2] == ("True", "Available")


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
async def test_an_output_that_leaves_the_spec_goes_although_its_version_is_stale(
    policy: str,
) -> None:
    engine = Engine()
    spec = {"deletionPolicy": policy, "outputs": [{"kind": "Secret", "name": "s"}]}
    await publish_token(engine, spec)
    body = copy.deepcopy(engine.port.objects["secrets", NAMESPACE, "s"])
    body["metadata"]["annotations"]["team"] = "a"
    engine.port.put("secrets", body)
    engine.options({"deletionPolicy": policy, "outputs": [{"kind": "Secret", "name": "t"}]})
    await engine.settle()
    assert engine.output_names() == {"t"}


async def test_pending_statuses_and_queues_of_a_former_leader_do_nothing() -> None:
    leader = Engine()
    leader.secret("gcp-key")
    leader.index("gar", GAR)
    leader.options()
    leader.latency = lambda _: 30.0
    leader.queue.add_after(OPTIONS, 0)
    key = await leader.queue.get()
    await leader.controller.reconcile(key)
    leader.queue.done(key)
    await leader.operator.stand_by()
    writes = leader.record_writes()
    await leader.controller.reconcile(Key("IndexOptionsStatus", OPTIONS.ref))
    assert writes == [] and leader.mints == 0
    assert leader.operator.tokens.held_tokens() == []
