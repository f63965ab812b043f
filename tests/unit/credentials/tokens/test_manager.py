"""The token manager: sharing, refreshing ahead, clocks and the end."""

import asyncio

import pytest

from artifact_index.credentials.tokens.freshness import Margins
from support.token_world import (
    DENIED,
    DOWN,
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


# One call for each login


async def test_consumers_of_one_login_share_one_mint_and_are_told_together(
    world: TokenWorld,
) -> None:
    for consumer in range(200):
        world.manager.require(consumer, [want()])
    await asyncio.sleep(1)
    assert len(world.asked) == 1
    assert [consumers for _, consumers in world.reported] == [frozenset(range(200))]


async def test_a_login_wanted_again_while_it_is_minted_is_minted_once(world: TokenWorld) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(0.1)
    world.manager.require("a", [want(build=60)])
    world.manager.release("a")
    world.manager.require("b", [want()])
    await asyncio.sleep(5)
    assert len(world.asked) == 1


async def test_different_logins_are_minted_apart_and_at_once(world: TokenWorld) -> None:
    world.manager.require("a", [want(GOOGLE), want(token_of("x")), want(token_of("y"))])
    await asyncio.sleep(0.3)
    assert len({digest for _, digest in world.asked}) == 3
    assert world.held(token_of("x")).value != world.held(token_of("y")).value


async def test_a_state_says_that_the_first_outcome_is_awaited(world: TokenWorld) -> None:
    world.manager.require("a", [want()])
    state = world.state()
    assert (state.pending_since, state.token, state.error) == (EPOCH, None, None)
    assert not state.servable(world.now())
    await asyncio.sleep(1)
    assert world.state().pending_since is None
    assert world.state().next_attempt_at == world.state().refresh_at


async def test_an_unknown_login_has_no_state(world: TokenWorld) -> None:
    assert world.manager.state_of("unheard of") is None


async def test_a_consumer_awaits_until_all_its_logins_were_answered(world: TokenWorld) -> None:
    world.hanging = {digest_of(token_of("slow"))}
    world.manager.require("a", [want(GOOGLE), want(token_of("slow"))])
    world.manager.require("b", [want(GOOGLE)])
    assert world.manager.awaits("a") and world.manager.awaits("b")
    await asyncio.sleep(1)
    assert world.manager.awaits("a") and not world.manager.awaits("b")
    assert not world.manager.awaits("nobody")


async def test_a_consumer_that_is_told_within_its_demand_can_be_asked_for(
    world: TokenWorld,
) -> None:
    """The clock was set forward: the withdrawal of one login is told before the next is known."""
    asked: list[bool] = []
    world.manager.on_change = lambda consumers: asked.extend(map(world.manager.awaits, consumers))
    world.manager.restore(digest_of(GOOGLE), token_made(HOUR - 160))
    world.clock_error = 10
    world.manager.require("a", [want(GOOGLE), want(token_of("slow"))])
    assert asked == [True]
    await asyncio.sleep(1)
    assert asked[-1] is False


async def test_settled_waits_for_the_mints_that_are_under_way(world: TokenWorld) -> None:
    assert not await world.manager.settled()
    world.manager.require("a", [want(GOOGLE)])
    assert await world.manager.settled()
    assert world.state().pending_since is None
    assert not await world.manager.settled()


# Refreshing ahead


async def test_a_token_is_replaced_at_its_refresh_time_and_all_consumers_are_told(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want(build=1800)])
    world.manager.require("b", [want(build=600)])
    await asyncio.sleep(1)
    first, refresh_at = world.held(), world.state().refresh_at
    assert world.margin() == 2680
    await world.until(refresh_at)
    await asyncio.sleep(1)
    assert world.held().expires_at > first.expires_at  # type: ignore[operator]
    assert [moment for moment, _ in world.asked] == [EPOCH, refresh_at]
    assert [consumers for _, consumers in world.reported] == [frozenset("ab")] * 2


async def test_the_longest_build_of_all_consumers_decides_the_schedule(world: TokenWorld) -> None:
    world.manager.require("a", [want(build=600)])
    await asyncio.sleep(1)
    relaxed = world.state().refresh_at
    world.manager.require("b", [want(build=1800), want(build=60)])
    strict = world.state().refresh_at
    world.manager.release("b")
    assert strict is not None
    assert relaxed is not None
    assert relaxed - strict >= 1000
    assert world.state().refresh_at == relaxed


async def test_a_longer_build_that_makes_the_refresh_overdue_refreshes_now(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want(build=0)])
    await asyncio.sleep(2000)
    assert len(world.asked) == 1
    world.manager.require("a", [want(build=1800)])
    await asyncio.sleep(1)
    assert len(world.asked) == 2


async def test_a_grant_that_never_expires_is_minted_once(world: TokenWorld) -> None:
    world.life = None
    world.manager.require("a", [want()])
    await asyncio.sleep(24 * HOUR)
    assert len(world.asked) == len(world.reported) == 1
    assert world.servable()
    assert world.state().next_attempt_at is None


async def test_a_promise_that_cannot_be_kept_is_reported_with_its_numbers(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want(build=3000)])
    await asyncio.sleep(1)
    state = world.state()
    assert (state.guaranteed, state.longest_build, world.margin()) == (False, 2690, 3880)
    assert state.servable(world.now())


async def test_forty_second_tokens_are_always_servable() -> None:
    world = TokenWorld(Margins(min_refresh_interval=5))
    world.life = 40
    world.manager.require("a", [want(build=600)])
    await asyncio.sleep(1)
    for _ in range(600):
        assert world.servable()
        await asyncio.sleep(1)
    assert 40 <= len(world.asked) <= 50
    await world.stop()


# Clocks and the end


async def test_a_clock_that_jumps_ahead_is_noticed_within_seconds(world: TokenWorld) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    world.failure = DOWN
    world.clock_error = HOUR - 100
    await asyncio.sleep(16)
    assert len(world.asked) > 1
    assert not world.servable()
    assert len(world.reported) >= 2


async def test_a_clock_that_is_set_back_does_not_stretch_the_waits(world: TokenWorld) -> None:
    world.failure = DENIED
    world.manager.require("a", [want()])
    await asyncio.sleep(20)
    world.clock_error = -24 * HOUR
    world.failure = None
    await asyncio.sleep(660)
    assert world.servable()


async def test_a_token_dated_by_a_clock_that_was_ahead_is_replaced(world: TokenWorld) -> None:
    world.clock_error = 24 * HOUR
    world.manager.require("a", [want()])
    await asyncio.sleep(30)
    misdated = world.held()
    world.clock_error = 0
    await asyncio.sleep(16)
    assert world.held() != misdated
    assert world.held().issued_at <= world.now()
    assert len(world.asked) == 2


async def test_after_close_nothing_is_minted_and_a_mint_in_flight_is_given_up(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(0.1)
    await world.manager.close()
    world.manager.require("b", [want(), want(token_of("x"))])
    await asyncio.sleep(2 * HOUR)
    assert len(world.asked) == 1
    assert world.reported == []
    assert not world.runner.done()
