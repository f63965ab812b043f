"""The token manager while clouds fail, hang or hand out the same token again."""

import asyncio
import logging
from collections.abc import Hashable

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import Token
from support.token_world import (
    CANARY,
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


# Failures


async def test_the_last_good_token_is_served_until_its_withdrawal_whatever_fails(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    good = world.state()
    assert good.refresh_at is not None
    world.failure = DENIED
    await world.until(good.withdraw_at)
    assert world.held() == good.token
    assert not world.servable()
    assert not world.state().expired(world.now())
    await asyncio.sleep(200)
    assert world.state().expired(world.now())
    assert world.held().expires_at == EPOCH + HOUR
    assert world.times_told() == [
        EPOCH + 0.25,
        good.refresh_at + 0.25,
        EPOCH + HOUR - 155,
        EPOCH + HOUR,
    ]


async def test_a_failure_is_told_once_and_again_when_its_reason_changes(world: TokenWorld) -> None:
    world.failure = DOWN
    world.manager.require("a", [want()])
    await asyncio.sleep(300)
    assert len(world.asked) > 5
    assert len(world.reported) == 1
    assert world.state().error is not None
    world.failure = DENIED
    await asyncio.sleep(300)
    assert len(world.reported) == 2
    assert world.state().error.reason == "AccessDenied"  # type: ignore[union-attr]


async def test_recovery_is_told_once_and_clears_the_error(world: TokenWorld) -> None:
    world.failure = DOWN
    world.manager.require("a", [want()])
    await asyncio.sleep(10)
    world.failure = None
    await asyncio.sleep(60)
    state = world.state()
    assert state.error is None
    assert state.servable(world.now())
    assert len(world.reported) == 2


async def test_recovery_by_an_unchanged_token_is_told_too(world: TokenWorld) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    world.repeated, world.failure = world.held(), DOWN
    await world.until(world.state().refresh_at)
    await asyncio.sleep(1)
    assert world.state().error is not None
    world.failure = None
    await asyncio.sleep(10)
    assert world.state().error is None
    assert len(world.reported) == 3


@pytest.mark.parametrize(
    ("failure", "fewest", "most"), [(DOWN, 100, 260), (DENIED, 7, 8)], ids=["retry", "user"]
)
async def test_failures_that_a_user_must_mend_are_retried_more_rarely(
    world: TokenWorld, failure: LoginError, fewest: int, most: int
) -> None:
    world.failure = failure
    world.manager.require("a", [want()])
    await asyncio.sleep(HOUR)
    assert fewest <= len(world.asked) <= most


async def test_wanting_a_failing_login_again_does_not_ask_the_cloud_sooner(
    world: TokenWorld,
) -> None:
    world.failure = LoginError(Reason.CLOUD_THROTTLED, "slow down", retry_after=90)
    world.manager.require("a", [want()])
    for n in range(80):
        await asyncio.sleep(1)
        world.manager.require("a", [want(build=n)])
        world.manager.require(n, [want()])
        world.manager.release(n)
    assert len(world.asked) == 1
    assert world.state().next_attempt_at == EPOCH + 91
    await asyncio.sleep(15)
    assert len(world.asked) == 2


async def test_an_outage_that_ends_in_time_is_noticed_before_the_promise_is_broken(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want(build=600)])
    await asyncio.sleep(1)
    first, refresh_at = world.held(), world.state().refresh_at
    assert first.expires_at is not None
    last_moment = first.expires_at - (5 + 95 + 120 + 600 + 60)
    world.failure = DOWN
    await world.until(last_moment - 4)
    assert refresh_at is not None
    assert refresh_at < last_moment - 590
    assert world.held() == first
    world.failure = None
    await world.until(last_moment)
    assert world.held() != first
    assert len(world.asked) < 60


async def test_a_hanging_mint_blocks_no_other_and_is_given_up_at_the_deadline(
    world: TokenWorld,
) -> None:
    await world.restart(deadline=120)
    world.hanging.add(digest_of(GOOGLE))
    world.manager.require("a", [want(GOOGLE), want(token_of("x"))])
    await asyncio.sleep(1)
    assert world.servable(token_of("x"))
    assert world.state().pending_since == EPOCH
    await asyncio.sleep(120)
    error = world.state().error
    assert error is not None
    assert (error.reason, error.permanent) == ("CloudUnavailable", False)


async def test_an_unforeseen_error_is_retried_and_its_text_is_never_told(
    world: TokenWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.failure = ValueError(CANARY)
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    error = world.state().error
    assert error is not None
    assert (error.reason, error.permanent) == ("InternalError", False)
    assert CANARY not in f"{error!r}{error.__cause__!r}{error.__context__!r}{caplog.text}"
    assert "ValueError" in caplog.text
    world.failure = None
    await asyncio.sleep(10)
    assert world.servable()


async def test_a_mint_that_was_cancelled_from_outside_is_retried(world: TokenWorld) -> None:
    world.failure = asyncio.CancelledError()
    world.manager.require("a", [want()])
    await asyncio.sleep(0.5)
    world.failure = None
    await asyncio.sleep(10)
    assert world.servable()


async def test_a_listener_that_fails_stops_nothing(world: TokenWorld) -> None:
    await world.restart()

    def fail(_: frozenset[Hashable]) -> None:
        raise ValueError(CANARY)

    world.manager.on_change = fail
    world.manager.require("a", [want()])
    await asyncio.sleep(2 * HOUR)
    assert len(world.asked) >= 3
    assert world.servable()
    assert not world.runner.done()


# Sources that hand out the same token again


async def test_a_repeated_token_is_no_change_and_is_asked_for_again_near_its_end(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    first, refresh_at = world.held(), world.state().refresh_at
    assert first.expires_at is not None
    assert refresh_at is not None
    world.repeated = Token(first.value, refresh_at, first.expires_at + 2)
    await world.until(first.expires_at - 226)
    assert [moment for moment, _ in world.asked] == [EPOCH, refresh_at]
    # Once: the promise is withdrawn, while the first reader in danger is still to come.
    assert world.times_told() == [EPOCH + 0.25, refresh_at + 0.25]
    state = world.state()
    assert (state.token, state.guaranteed, state.longest_build) == (first, False, 0)
    world.repeated = None
    await asyncio.sleep(2)
    assert world.asked[-1][0] == first.expires_at - 225
    assert world.held() != first
    assert len(world.reported) == 3


async def test_that_a_source_repeats_its_token_is_remembered_until_it_does_not(
    world: TokenWorld,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    world.repeated = world.held()
    await asyncio.sleep(3300)
    world.repeated = None
    await asyncio.sleep(200)
    assert world.state().repeats
    assert not world.state().guaranteed
    await world.restart()
    world.manager.restore("elsewhere", token_made(0), repeats=True)
    assert world.manager.state_of("elsewhere").repeats  # type: ignore[union-attr]
    world.manager.restore(digest_of(GOOGLE), token_made(-3600), repeats=True)
    world.manager.require("a", [want()])
    await asyncio.sleep(2 * HOUR)
    assert not world.state().repeats
    assert world.state().guaranteed


async def test_a_source_stuck_on_a_dead_token_is_not_asked_in_a_hot_loop(world: TokenWorld) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    world.repeated = world.held()
    await asyncio.sleep(2 * HOUR)
    assert len(world.reported) == 4  # first grant, no promise any more, withdrawal, expiry
    assert 30 <= len(world.asked) <= 90
    world.repeated = None
    await asyncio.sleep(120)
    assert world.servable()


@pytest.mark.parametrize("life", [-HOUR, 0, 1])
async def test_tokens_that_come_dead_are_not_asked_for_in_a_hot_loop(
    world: TokenWorld, life: int
) -> None:
    world.life = life
    world.manager.require("a", [want()])
    await asyncio.sleep(600)
    assert len(world.asked) <= 20
    assert not world.servable()
