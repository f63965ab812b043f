"""Tokens that are restored after a restart, and tokens that no consumer requires any more."""

import asyncio

import pytest
from pydantic import SecretStr

from artifact_index.credentials.requests import Requirement
from artifact_index.credentials.tokens import released
from support.token_world import (
    CANARY,
    DENIED,
    EPOCH,
    GOOGLE,
    HOUR,
    TokenWorld,
    digest_of,
    token_made,
    token_of,
    want,
)

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


# After a restart


async def test_a_restart_with_seeds_mints_nothing_and_computes_the_same_times(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want(build=1200)])
    await asyncio.sleep(100)
    before = world.state()
    await world.restart()
    seed = before.token
    assert seed is not None
    world.manager.restore(digest_of(GOOGLE), seed)
    world.manager.require("a", [want(build=1200)])
    assert world.state() == before
    await world.until(before.refresh_at)
    assert len(world.asked) == 1
    await asyncio.sleep(1)
    assert len(world.asked) == 2
    assert world.held() != seed


async def test_a_seed_past_its_refresh_is_served_while_it_is_refreshed(world: TokenWorld) -> None:
    seed = token_made(3000)
    world.manager.restore(digest_of(GOOGLE), seed)
    world.manager.require("a", [want()])
    assert world.held() == seed
    assert world.servable()
    await asyncio.sleep(1)
    assert world.held() != seed
    assert len(world.asked) == 1


async def test_the_newest_of_several_seeds_is_held_and_dead_ones_are_ignored(
    world: TokenWorld,
) -> None:
    newest = token_made(10, value="newest")
    for seed in (token_made(50), newest, token_made(99), token_made(2 * HOUR)):
        world.manager.restore(digest_of(GOOGLE), seed)
    assert world.held() == newest
    world.manager.restore("dead", token_made(2 * HOUR))
    assert world.manager.state_of("dead") is None


async def test_a_seed_never_replaces_a_newer_mint(world: TokenWorld) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    minted = world.held()
    world.manager.restore(digest_of(GOOGLE), token_made(100))
    assert world.held() == minted


async def test_a_seed_that_overtakes_a_mint_does_not_make_the_source_a_repeating_one(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(0.1)
    world.manager.restore(digest_of(GOOGLE), seed := token_made(-10))
    await asyncio.sleep(1)
    state = world.state()
    assert (state.token, state.repeats, state.guaranteed) == (seed, False, True)
    assert state.next_attempt_at == state.refresh_at


async def test_whoever_serves_a_seed_is_told_of_its_withdrawal(world: TokenWorld) -> None:
    world.manager.restore("old login", token_made(3000), consumer="a")
    await asyncio.sleep(700)
    assert world.reported == [
        (EPOCH + 445, frozenset("a")),
        (EPOCH + 600, frozenset("a")),
    ]


# Tokens that no consumer requires any more


async def test_a_mint_for_a_login_that_nobody_wants_any_more_is_kept_but_not_refreshed(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want()])
    world.manager.release("a")
    await asyncio.sleep(1)
    assert world.servable()
    assert world.reported == []
    await asyncio.sleep(3400)
    assert len(world.asked) == 1


async def test_the_old_login_is_served_while_its_successor_cannot_be_minted(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want(token_of("old"))])
    await asyncio.sleep(1)
    world.failure = DENIED
    world.manager.require("a", [want(token_of("new"))])
    await asyncio.sleep(3000)
    assert world.servable(token_of("old"))
    await world.until(world.state(token_of("old")).withdraw_at)
    await asyncio.sleep(1)
    assert world.reported[-1] == (EPOCH + HOUR - 155, frozenset("a"))
    await asyncio.sleep(10)
    assert world.manager.state_of(digest_of(token_of("old"))) is None


async def test_a_login_wanted_again_past_its_refresh_is_refreshed_at_once(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    first = world.held()
    world.manager.release("a")
    await asyncio.sleep(3000)
    world.manager.require("b", [want()])
    assert world.held() == first
    await asyncio.sleep(1)
    assert world.held() != first


async def test_a_material_is_not_kept_for_a_login_that_nobody_wants(world: TokenWorld) -> None:
    world.manager.require(
        "a", [Requirement(digest_of(GOOGLE), GOOGLE, {"key_json": SecretStr(CANARY)})]
    )
    await asyncio.sleep(1)
    world.manager.release("a")
    entry = world.manager._entries[digest_of(GOOGLE)]
    assert entry.requirement is None


async def test_formerly_wanted_logins_are_bounded_in_number(
    world: TokenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(released, "LEAST_KEPT", 5)
    for n in range(40):
        world.manager.require("a", [want(token_of(f"d{n}"))])
        await asyncio.sleep(1)
    assert len(world.manager._entries) == 6
    assert world.manager.state_of(digest_of(token_of("d38"))) is not None
    assert world.manager.state_of(digest_of(token_of("d33"))) is None


async def test_of_released_tokens_as_many_are_kept_as_are_required(
    world: TokenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(released, "LEAST_KEPT", 5)
    before = [token_of(f"d{n}") for n in range(12)]
    after = [token_of(f"e{n}") for n in range(12)]
    world.manager.require("a", [want(request) for request in before])
    await asyncio.sleep(5)
    world.manager.require("a", [want(request) for request in after])
    await asyncio.sleep(5)
    held = [request for request in before if world.manager.state_of(digest_of(request)) is not None]
    assert held == before
    assert all(world.state(request).token for request in after)
