"""A login that several tenants share: who gets the token that one of them requested."""

import asyncio
from collections.abc import AsyncIterator, Hashable

import pytest
import pytest_asyncio

from artifact_index.credentials.requests import Token
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.token_state import TokenState
from support.token_world import DENIED, DOWN, GOOGLE, HOUR, TokenWorld, digest_of, want

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

FILES = 3


def tenant_of(consumer: Hashable) -> Hashable:
    return str(consumer)[0]


@pytest_asyncio.fixture
async def world() -> AsyncIterator[TokenWorld]:
    world = TokenWorld(Margins(), tenant_of)
    yield world
    await world.stop()


def files(tenant: str) -> frozenset[Hashable]:
    return frozenset(f"{tenant}{number}" for number in range(FILES))


def require(
    world: TokenWorld, tenants: str, fresh_after: int | None = None, build: float = 0
) -> None:
    for tenant in tenants:
        for consumer in sorted(map(str, files(tenant))):
            world.manager.require(consumer, [want(build=build, fresh_after=fresh_after)])


def state(world: TokenWorld, tenant: str) -> TokenState:
    found = world.manager.state_of(digest_of(GOOGLE), tenant)
    assert found is not None
    return found


def token(world: TokenWorld, tenant: str) -> Token:
    found = state(world, tenant).token
    assert found is not None
    return found


def told(world: TokenWorld, since: float) -> frozenset[Hashable]:
    """The consumers that were told of something from a time on."""
    nobody: frozenset[Hashable] = frozenset()
    return nobody.union(*(consumers for at, consumers in world.reported if at >= since))


async def begin(world: TokenWorld, tenants: str = "ab") -> TokenState:
    """The first token, and 100 seconds."""
    require(world, tenants)
    await asyncio.sleep(100)
    return state(world, "b")


async def request(world: TokenWorld, tenant: str) -> float:
    """A refresh request of now, and its answer."""
    at = world.now()
    require(world, tenant, fresh_after=int(at))
    await asyncio.sleep(1)
    return at


async def test_a_requested_token_reaches_the_files_of_the_tenant_that_asked_and_no_other(
    world: TokenWorld,
) -> None:
    first = await begin(world)
    at = await request(world, "a")
    assert told(world, at) == files("a")
    assert token(world, "a") != first.token
    assert state(world, "b") == first or token(world, "b") == first.token
    assert len(world.asked) == 2
    # The others get it when their own is due, and nothing is minted for that.
    assert first.refresh_at is not None
    await world.until(first.refresh_at - 1)
    assert told(world, at) == files("a")
    await asyncio.sleep(2)
    assert token(world, "b") == token(world, "a")
    assert told(world, first.refresh_at) == files("b")
    assert len(world.asked) == 2
    assert not world.manager._entries[digest_of(GOOGLE)].earlier


async def test_the_times_that_the_others_see_are_those_of_their_own_token(
    world: TokenWorld,
) -> None:
    first = await begin(world)
    await request(world, "a")
    seen = state(world, "b")
    assert (seen.refresh_at, seen.withdraw_at) == (first.refresh_at, first.withdraw_at)
    assert (seen.guaranteed, seen.longest_build) == (first.guaranteed, first.longest_build)
    assert state(world, "a").withdraw_at != first.withdraw_at


async def test_requests_without_an_end_cost_others_no_more_than_their_own_refreshes(
    world: TokenWorld,
) -> None:
    await begin(world)
    for second in range(3 * HOUR):
        require(world, "a", fresh_after=int(world.now()))
        assert state(world, "b").servable(world.now()), second
        await asyncio.sleep(1)
    # Their tokens are due after about 44 minutes.
    of_b = [at for at, consumers in world.reported if consumers & files("b")]
    assert len(of_b) <= 1 + 3 * 60 // 40
    assert len(world.asked) <= 3 * 60 + 5


async def test_long_builds_of_one_tenant_rewrite_no_files_of_another(world: TokenWorld) -> None:
    """A promise that can just be kept asks for a new token each minute or two."""
    require(world, "b", build=600)
    await asyncio.sleep(1)
    require(world, "a", build=HOUR - 880 - 60)
    for second in range(2 * HOUR):
        assert state(world, "b").servable(world.now()), second
        held = token(world, "b")
        assert held.expires_at is not None and held.expires_at - world.now() > 880, second
        await asyncio.sleep(1)
    of_b = [at for at, consumers in world.reported if consumers & files("b")]
    assert len(world.asked) > 60
    assert len(of_b) <= 1 + 2 * 60 // 30


async def test_a_tenants_own_longer_build_gives_it_the_latest_token(world: TokenWorld) -> None:
    await begin(world)
    await request(world, "a")
    await asyncio.sleep(600)
    assert token(world, "b") != token(world, "a")
    at = world.now()
    world.manager.require("b0", [want(build=2000)])
    assert token(world, "b") == token(world, "a")
    assert told(world, at) == files("b")


async def test_another_tenant_that_asks_gets_a_token_that_is_new_enough_without_a_mint(
    world: TokenWorld,
) -> None:
    await begin(world, "abc")
    before = await request(world, "a")
    await asyncio.sleep(5)
    at = world.now()
    require(world, "b", fresh_after=int(before))
    assert token(world, "b") == token(world, "a") != token(world, "c")
    assert told(world, at) == files("b")
    assert len(world.asked) == 2


async def test_two_tenants_that_ask_together_share_one_mint(world: TokenWorld) -> None:
    await begin(world, "abc")
    at = world.now()
    require(world, "ab", fresh_after=int(at))
    await asyncio.sleep(1)
    assert told(world, at) == files("a") | files("b")
    assert token(world, "a") == token(world, "b") != token(world, "c")
    assert len(world.asked) == 2


async def test_a_tenant_that_comes_later_gets_the_latest_token(world: TokenWorld) -> None:
    await begin(world)
    await request(world, "a")
    require(world, "d")
    assert token(world, "d") == token(world, "a")
    assert len(world.asked) == 2


async def test_a_request_that_fails_at_first_reaches_no_more_files_in_the_end(
    world: TokenWorld,
) -> None:
    first = await begin(world)
    world.failure = DOWN
    await request(world, "a")
    world.failure = None
    await asyncio.sleep(120)
    assert token(world, "a") != first.token
    assert token(world, "b") == first.token
    assert state(world, "b").error is None


async def test_a_refusal_is_told_to_all_since_it_concerns_all(world: TokenWorld) -> None:
    first = await begin(world)
    world.failure = DENIED
    at = await request(world, "a")
    assert told(world, at) == files("a") | files("b")
    assert state(world, "b").error is not None
    assert token(world, "b") == first.token


async def test_a_refresh_that_is_due_anyway_reaches_all(world: TokenWorld) -> None:
    first = await begin(world)
    await request(world, "a")
    assert first.refresh_at is not None
    world.failure = DOWN
    await world.until(first.refresh_at - 60)
    at = world.now()
    require(world, "b", build=1500)  # now it is due, whatever anybody asked for
    await asyncio.sleep(2)
    assert token(world, "b") == token(world, "a") != first.token
    assert told(world, at) >= files("b")


async def test_an_answer_with_the_same_token_is_told_to_who_asked(world: TokenWorld) -> None:
    await begin(world)
    world.repeated = world.held()
    at = await request(world, "a")
    # The source repeats its token: from now on that concerns the promise of all.
    assert told(world, at) == files("a") | files("b")
    later = world.now() + 60
    await asyncio.sleep(60)
    require(world, "a", fresh_after=int(later))
    await asyncio.sleep(5)
    assert told(world, later) == files("a")


@pytest.mark.parametrize("first", ["a", "b"])
async def test_after_a_restart_everybody_publishes_what_their_files_hold(
    world: TokenWorld, first: str
) -> None:
    """In whatever order the outputs are listed."""
    await begin(world)
    at = await request(world, "a")
    held = {tenant: state(world, tenant) for tenant in "ab"}
    assert told(world, at) == files("a")
    await world.restart()
    asked, since = len(world.asked), world.now()
    for tenant in sorted("ab", key=lambda each: each != first):
        for consumer in files(tenant):
            restored = held[tenant].token
            assert restored is not None
            world.manager.restore(digest_of(GOOGLE), restored, consumer=consumer)
    require(world, "ab")
    await asyncio.sleep(10)
    assert {tenant: token(world, tenant) for tenant in "ab"} == {
        tenant: held[tenant].token for tenant in "ab"
    }
    assert len(world.asked) == asked
    assert not told(world, since)
    due_at = held["b"].refresh_at
    await world.until(due_at)
    await asyncio.sleep(1)
    assert token(world, "b") == token(world, "a") == held["a"].token
    assert told(world, since) == files("b")


async def test_a_tenant_whose_files_differ_after_a_restart_gets_the_latest_token_in_all(
    world: TokenWorld,
) -> None:
    await begin(world)
    earlier = world.held()
    await request(world, "a")
    latest = token(world, "a")
    await world.restart()
    for consumer, restored in (("a0", earlier), ("b0", earlier), ("b1", latest), ("a1", latest)):
        world.manager.restore(digest_of(GOOGLE), restored, consumer=consumer)
    require(world, "ab")
    assert token(world, "a") == token(world, "b") == latest
