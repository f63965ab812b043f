"""The token manager's rules, each in virtual time: hours pass in milliseconds."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Hashable

import pytest
import pytest_asyncio
from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
    GoogleTokenRequest,
    KeyMaterial,
    OperatorIdentity,
    Token,
    TokenRequest,
    canonical,
)
from artifact_index.credentials.tokens import released
from artifact_index.credentials.tokens.builds import let_go, let_in
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.credentials.tokens.token_state import Requirement, TokenState

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

EPOCH = 1_700_000_000
HOUR = 3600
CANARY = "canary-6f1c"
GOOGLE = GoogleTokenRequest(OperatorIdentity())


def token_of(domain: str) -> CodeArtifactTokenRequest:
    return CodeArtifactTokenRequest("eu-west-1", domain, "111122223333", 43200, OperatorIdentity())


ENDPOINT = CodeArtifactEndpointRequest(
    "eu-west-1", "acme", "111122223333", "python", "IPv4", OperatorIdentity()
)
DENIED = LoginError(Reason.ACCESS_DENIED, "not allowed")
DOWN = LoginError(Reason.CLOUD_UNAVAILABLE, "no answer")


def digest_of(request: TokenRequest) -> str:
    return canonical(request).decode()


def want(request: TokenRequest = GOOGLE, build: float = 0) -> Requirement:
    return Requirement(request, {}, build)


class World:
    """A token manager, its cloud and its clock."""

    def __init__(self, margins: Margins) -> None:
        self.clock_error = 0.0
        self.life: int | None = HOUR
        self.latency = 0.25
        self.failure: BaseException | None = None
        self.repeated: Token | None = None
        self.asked: list[tuple[float, str]] = []
        self.told: list[tuple[float, frozenset[Hashable]]] = []
        self.hanging: set[str] = set()
        self.margins = margins
        self.manager = self.new_manager()
        self.runner = asyncio.create_task(self.manager.run())

    def new_manager(self, deadline: float = 600) -> TokenManager:
        return TokenManager(
            grant=self.grant,
            digest=digest_of,
            margins=self.margins,
            now=self.now,
            on_change=lambda consumers: self.told.append((self.now(), consumers)),
            rng=random.Random(4),
            deadline=deadline,
        )

    async def restart(self, deadline: float = 600) -> None:
        await self.stop()
        self.manager = self.new_manager(deadline)
        self.runner = asyncio.create_task(self.manager.run())

    async def stop(self) -> None:
        self.runner.cancel()
        await asyncio.gather(self.runner, return_exceptions=True)
        await self.manager.close()

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time() + self.clock_error

    async def grant(self, request: TokenRequest, material: KeyMaterial) -> Token:
        digest = digest_of(request)
        self.asked.append((self.now(), digest))
        if digest in self.hanging:
            await asyncio.Event().wait()
        await asyncio.sleep(self.latency)
        if self.failure is not None:
            raise self.failure
        if self.repeated is not None:
            return self.repeated
        now = int(self.now())
        expires_at = None if self.life is None else now + self.life
        return Token(SecretStr(f"{digest} {len(self.asked)}"), now, expires_at)

    def lease(self, request: TokenRequest = GOOGLE) -> TokenState:
        lease = self.manager.lease(digest_of(request))
        assert lease is not None
        return lease

    def held(self, request: TokenRequest = GOOGLE) -> Token:
        grant = self.lease(request).grant
        assert grant is not None
        return grant

    def servable(self, request: TokenRequest = GOOGLE) -> bool:
        return self.lease(request).servable(self.now())

    async def until(self, moment: float | None) -> None:
        assert moment is not None
        await asyncio.sleep(moment - self.now())

    def times_told(self) -> list[float]:
        return [moment for moment, _ in self.told]


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = World(Margins())
    yield world
    await world.stop()


def grant_made(seconds_ago: float, *, life: int | None = HOUR, value: str = "seeded") -> Token:
    issued_at = int(EPOCH - seconds_ago)
    return Token(SecretStr(value), issued_at, None if life is None else issued_at + life)


# One mint for each login


async def test_consumers_of_one_login_share_one_mint_and_are_told_together(world: World) -> None:
    for consumer in range(200):
        world.manager.require(consumer, [want()])
    await asyncio.sleep(1)
    assert len(world.asked) == 1
    assert [consumers for _, consumers in world.told] == [frozenset(range(200))]


async def test_a_login_wanted_again_while_it_is_minted_is_minted_once(world: World) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(0.1)
    world.manager.require("a", [want(build=60)])
    world.manager.release("a")
    world.manager.require("b", [want()])
    await asyncio.sleep(5)
    assert len(world.asked) == 1


async def test_different_logins_are_minted_apart_and_at_once(world: World) -> None:
    world.manager.require("a", [want(GOOGLE), want(token_of("x")), want(token_of("y"))])
    await asyncio.sleep(0.3)
    assert len({digest for _, digest in world.asked}) == 3
    assert world.held(token_of("x")).value != world.held(token_of("y")).value


def url_of(number: int, region: str = "eu-west-1") -> CodeArtifactEndpointRequest:
    owner = "111122223333"
    identity = OperatorIdentity()
    return CodeArtifactEndpointRequest(region, "acme", owner, f"r-{number}", "IPv4", identity)


async def test_urls_are_asked_for_four_at_a_time_of_each_region(world: World) -> None:
    here = [url_of(number) for number in range(40)]
    there = [url_of(number, "us-east-1") for number in range(8)]
    world.manager.require("a", [want(request) for request in here + there])
    await asyncio.sleep(0.1)
    assert len(world.asked) == 8
    assert world.lease(here[-1]).pending_since is not None
    await asyncio.sleep(10 * world.latency)
    assert all(world.lease(request).grant for request in here + there)
    times = sorted({round(at, 2) for at, _ in world.asked})
    assert len(times) == 10


async def test_a_token_does_not_wait_behind_the_urls_and_a_dropped_one_is_not_asked_for(
    world: World,
) -> None:
    urls = [url_of(number) for number in range(40)]
    world.manager.require("a", [want(request) for request in urls])
    world.manager.require("b", [want(token_of("acme"))])
    world.manager.require("a", [want(request) for request in urls[:20]])
    await asyncio.sleep(20 * world.latency)
    asked = [request for _, request in world.asked]
    assert asked[4] == digest_of(token_of("acme"))
    expected = [digest_of(token_of("acme")), *(digest_of(url) for url in urls[:20])]
    assert sorted(asked) == sorted(expected)


async def test_a_region_whose_urls_hang_delays_no_other_and_a_failure_gives_its_place_back(
    world: World,
) -> None:
    await world.restart(deadline=30)
    hanging = [url_of(number) for number in range(4)]
    world.hanging = {digest_of(request) for request in hanging}
    waiting, other = url_of(9), url_of(0, "us-east-1")
    world.manager.require("a", [want(request) for request in [*hanging, waiting, other]])
    await asyncio.sleep(1)
    assert world.lease(other).grant is not None and world.lease(waiting).grant is None
    # Files that have it do not wait for it any longer than for one that hangs itself.
    assert world.lease(waiting).pending_since == world.lease(hanging[0]).pending_since == EPOCH
    await asyncio.sleep(31)
    assert world.lease(waiting).grant is not None


async def test_a_lease_says_that_the_first_outcome_is_awaited(world: World) -> None:
    world.manager.require("a", [want()])
    lease = world.lease()
    assert (lease.pending_since, lease.grant, lease.error) == (EPOCH, None, None)
    assert not lease.servable(world.now())
    await asyncio.sleep(1)
    assert world.lease().pending_since is None
    assert world.lease().next_attempt_at == world.lease().refresh_at


async def test_an_unknown_login_has_no_lease(world: World) -> None:
    assert world.manager.lease("unheard of") is None


async def test_a_consumer_awaits_until_all_its_logins_were_answered(world: World) -> None:
    world.hanging = {digest_of(ENDPOINT)}
    world.manager.require("a", [want(GOOGLE), want(ENDPOINT)])
    world.manager.require("b", [want(GOOGLE)])
    assert world.manager.awaits("a") and world.manager.awaits("b")
    await asyncio.sleep(1)
    assert world.manager.awaits("a") and not world.manager.awaits("b")
    assert not world.manager.awaits("nobody")


async def test_a_consumer_that_is_told_within_its_demand_can_be_asked_for(world: World) -> None:
    """The clock was set forward: the withdrawal of one login is told before the next is known."""
    asked: list[bool] = []
    world.manager._on_change = lambda consumers: asked.extend(map(world.manager.awaits, consumers))
    world.manager.seed(digest_of(GOOGLE), grant_made(HOUR - 160))
    world.clock_error = 10
    world.manager.require("a", [want(GOOGLE), want(ENDPOINT)])
    assert asked == [True]
    await asyncio.sleep(1)
    assert asked[-1] is False


async def test_settled_waits_for_the_mints_that_are_under_way(world: World) -> None:
    assert not await world.manager.settled()
    world.manager.require("a", [want(GOOGLE)])
    assert await world.manager.settled()
    assert world.lease().pending_since is None
    assert not await world.manager.settled()


# Refreshing ahead


async def test_a_token_is_replaced_at_its_refresh_time_and_all_consumers_are_told(
    world: World,
) -> None:
    world.manager.require("a", [want(build=1800)])
    world.manager.require("b", [want(build=600)])
    await asyncio.sleep(1)
    first, refresh_at = world.held(), world.lease().refresh_at
    assert world.lease().margin == 2680
    await world.until(refresh_at)
    await asyncio.sleep(1)
    assert world.held().expires_at > first.expires_at  # type: ignore[operator]
    assert [moment for moment, _ in world.asked] == [EPOCH, refresh_at]
    assert [consumers for _, consumers in world.told] == [frozenset("ab")] * 2


async def test_the_longest_build_of_all_consumers_decides_the_schedule(world: World) -> None:
    world.manager.require("a", [want(build=600)])
    await asyncio.sleep(1)
    relaxed = world.lease().refresh_at
    world.manager.require("b", [want(build=1800), want(build=60)])
    strict = world.lease().refresh_at
    world.manager.release("b")
    assert strict is not None
    assert relaxed is not None
    assert relaxed - strict >= 1000
    assert world.lease().refresh_at == relaxed


async def test_a_longer_build_that_makes_the_refresh_overdue_refreshes_now(world: World) -> None:
    world.manager.require("a", [want(build=0)])
    await asyncio.sleep(2000)
    assert len(world.asked) == 1
    world.manager.require("a", [want(build=1800)])
    await asyncio.sleep(1)
    assert len(world.asked) == 2


async def test_a_grant_that_never_expires_is_minted_once(world: World) -> None:
    world.life = None
    world.manager.require("a", [want(ENDPOINT)])
    await asyncio.sleep(24 * HOUR)
    assert len(world.asked) == len(world.told) == 1
    assert world.servable(ENDPOINT)
    assert world.lease(ENDPOINT).next_attempt_at is None


async def test_a_promise_that_cannot_be_kept_is_reported_with_its_numbers(world: World) -> None:
    world.manager.require("a", [want(build=3000)])
    await asyncio.sleep(1)
    lease = world.lease()
    assert (lease.guaranteed, lease.longest_build, lease.margin) == (False, 2690, 3880)
    assert lease.servable(world.now())


async def test_forty_second_tokens_are_always_servable() -> None:
    world = World(Margins(min_refresh_interval=5))
    world.life = 40
    world.manager.require("a", [want(build=600)])
    await asyncio.sleep(1)
    for _ in range(600):
        assert world.servable()
        await asyncio.sleep(1)
    assert 40 <= len(world.asked) <= 50
    await world.stop()


# After a restart


async def test_a_restart_with_seeds_mints_nothing_and_computes_the_same_times(
    world: World,
) -> None:
    world.manager.require("a", [want(build=1200)])
    await asyncio.sleep(100)
    before = world.lease()
    await world.restart()
    seed = before.grant
    assert seed is not None
    world.manager.seed(digest_of(GOOGLE), seed)
    world.manager.require("a", [want(build=1200)])
    assert world.lease() == before
    await world.until(before.refresh_at)
    assert len(world.asked) == 1
    await asyncio.sleep(1)
    assert len(world.asked) == 2
    assert world.held() != seed


async def test_a_seed_past_its_refresh_is_served_while_it_is_refreshed(world: World) -> None:
    seed = grant_made(3000)
    world.manager.seed(digest_of(GOOGLE), seed)
    world.manager.require("a", [want()])
    assert world.held() == seed
    assert world.servable()
    await asyncio.sleep(1)
    assert world.held() != seed
    assert len(world.asked) == 1


async def test_the_newest_of_several_seeds_is_held_and_dead_ones_are_ignored(world: World) -> None:
    newest = grant_made(10, value="newest")
    for seed in (grant_made(50), newest, grant_made(99), grant_made(2 * HOUR)):
        world.manager.seed(digest_of(GOOGLE), seed)
    assert world.held() == newest
    world.manager.seed("dead", grant_made(2 * HOUR))
    assert world.manager.lease("dead") is None


async def test_a_seed_never_replaces_a_newer_mint(world: World) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    minted = world.held()
    world.manager.seed(digest_of(GOOGLE), grant_made(100))
    assert world.held() == minted


async def test_a_seed_that_overtakes_a_mint_does_not_make_the_source_a_repeating_one(
    world: World,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(0.1)
    world.manager.seed(digest_of(GOOGLE), seed := grant_made(-10))
    await asyncio.sleep(1)
    lease = world.lease()
    assert (lease.grant, lease.repeats, lease.guaranteed) == (seed, False, True)
    assert lease.next_attempt_at == lease.refresh_at


async def test_whoever_serves_a_seed_is_told_of_its_withdrawal(world: World) -> None:
    world.manager.seed("old login", grant_made(3000), consumer="a")
    await asyncio.sleep(700)
    assert world.told == [
        (EPOCH + 445, frozenset("a")),
        (EPOCH + 600, frozenset("a")),
    ]


# Failures


async def test_the_last_good_token_is_served_until_its_withdrawal_whatever_fails(
    world: World,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    good = world.lease()
    assert good.refresh_at is not None
    world.failure = DENIED
    await world.until(good.withdraw_at)
    assert world.held() == good.grant
    assert not world.servable()
    assert not world.lease().expired(world.now())
    await asyncio.sleep(200)
    assert world.lease().expired(world.now())
    assert world.held().expires_at == EPOCH + HOUR
    assert world.times_told() == [
        EPOCH + 0.25,
        good.refresh_at + 0.25,
        EPOCH + HOUR - 155,
        EPOCH + HOUR,
    ]


async def test_a_failure_is_told_once_and_again_when_its_reason_changes(world: World) -> None:
    world.failure = DOWN
    world.manager.require("a", [want()])
    await asyncio.sleep(300)
    assert len(world.asked) > 5
    assert len(world.told) == 1
    assert world.lease().error is not None
    assert world.lease().failing_since == EPOCH + 0.25
    world.failure = DENIED
    await asyncio.sleep(300)
    assert len(world.told) == 2
    assert world.lease().error.reason == "AccessDenied"  # type: ignore[union-attr]
    assert world.lease().failing_since == EPOCH + 0.25


async def test_recovery_is_told_once_and_clears_the_error(world: World) -> None:
    world.failure = DOWN
    world.manager.require("a", [want()])
    await asyncio.sleep(10)
    world.failure = None
    await asyncio.sleep(60)
    lease = world.lease()
    assert (lease.error, lease.failing_since) == (None, None)
    assert lease.servable(world.now())
    assert len(world.told) == 2


async def test_recovery_by_an_unchanged_token_is_told_too(world: World) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    world.repeated, world.failure = world.held(), DOWN
    await world.until(world.lease().refresh_at)
    await asyncio.sleep(1)
    assert world.lease().error is not None
    world.failure = None
    await asyncio.sleep(10)
    assert world.lease().error is None
    assert len(world.told) == 3


@pytest.mark.parametrize(
    ("failure", "fewest", "most"), [(DOWN, 100, 260), (DENIED, 10, 35)], ids=["retry", "user"]
)
async def test_failures_that_a_user_must_mend_are_retried_more_rarely(
    world: World, failure: LoginError, fewest: int, most: int
) -> None:
    world.failure = failure
    world.manager.require("a", [want()])
    await asyncio.sleep(HOUR)
    assert fewest <= len(world.asked) <= most


async def test_wanting_a_failing_login_again_does_not_ask_the_cloud_sooner(world: World) -> None:
    world.failure = LoginError(Reason.CLOUD_THROTTLED, "slow down", retry_after=90)
    world.manager.require("a", [want()])
    for n in range(80):
        await asyncio.sleep(1)
        world.manager.require("a", [want(build=n)])
        world.manager.require(n, [want()])
        world.manager.release(n)
    assert len(world.asked) == 1
    assert world.lease().next_attempt_at == EPOCH + 91
    await asyncio.sleep(15)
    assert len(world.asked) == 2


async def test_an_outage_that_ends_in_time_is_noticed_before_the_promise_is_broken(
    world: World,
) -> None:
    world.manager.require("a", [want(build=600)])
    await asyncio.sleep(1)
    first, refresh_at = world.held(), world.lease().refresh_at
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
    world: World,
) -> None:
    await world.restart(deadline=120)
    world.hanging.add(digest_of(GOOGLE))
    world.manager.require("a", [want(GOOGLE), want(token_of("x"))])
    await asyncio.sleep(1)
    assert world.servable(token_of("x"))
    assert world.lease().pending_since == EPOCH
    await asyncio.sleep(120)
    error = world.lease().error
    assert error is not None
    assert (error.reason, error.permanent) == ("CloudUnavailable", False)


async def test_an_unforeseen_error_is_retried_and_its_text_is_never_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.failure = ValueError(CANARY)
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    error = world.lease().error
    assert error is not None
    assert (error.reason, error.permanent) == ("InternalError", False)
    assert CANARY not in f"{error!r}{error.__cause__!r}{error.__context__!r}{caplog.text}"
    assert "ValueError" in caplog.text
    world.failure = None
    await asyncio.sleep(10)
    assert world.servable()


async def test_a_mint_that_was_cancelled_from_outside_is_retried(world: World) -> None:
    world.failure = asyncio.CancelledError()
    world.manager.require("a", [want()])
    await asyncio.sleep(0.5)
    world.failure = None
    await asyncio.sleep(10)
    assert world.servable()


async def test_a_listener_that_fails_stops_nothing(world: World) -> None:
    await world.restart()

    def fail(_: frozenset[Hashable]) -> None:
        raise ValueError(CANARY)

    world.manager._on_change = fail
    world.manager.require("a", [want()])
    await asyncio.sleep(2 * HOUR)
    assert len(world.asked) >= 3
    assert world.servable()
    assert not world.runner.done()


# Sources that hand out the same token again


async def test_a_repeated_token_is_no_change_and_is_asked_for_again_near_its_end(
    world: World,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    first, refresh_at = world.held(), world.lease().refresh_at
    assert first.expires_at is not None
    assert refresh_at is not None
    world.repeated = Token(first.value, refresh_at, first.expires_at + 2)
    await world.until(first.expires_at - 226)
    assert [moment for moment, _ in world.asked] == [EPOCH, refresh_at]
    # Once: the promise is withdrawn, while the first reader in danger is still to come.
    assert world.times_told() == [EPOCH + 0.25, refresh_at + 0.25]
    lease = world.lease()
    assert (lease.grant, lease.guaranteed, lease.longest_build) == (first, False, 0)
    world.repeated = None
    await asyncio.sleep(2)
    assert world.asked[-1][0] == first.expires_at - 225
    assert world.held() != first
    assert len(world.told) == 3


async def test_that_a_source_repeats_its_token_is_remembered_until_it_does_not(
    world: World,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    world.repeated = world.held()
    await asyncio.sleep(3300)
    world.repeated = None
    await asyncio.sleep(200)
    assert world.lease().repeats
    assert not world.lease().guaranteed
    await world.restart()
    world.manager.seed("elsewhere", grant_made(0), repeats=True)
    assert world.manager.lease("elsewhere").repeats  # type: ignore[union-attr]
    world.manager.seed(digest_of(GOOGLE), grant_made(-3600), repeats=True)
    world.manager.require("a", [want()])
    await asyncio.sleep(2 * HOUR)
    assert not world.lease().repeats
    assert world.lease().guaranteed


async def test_a_source_stuck_on_a_dead_token_is_not_asked_in_a_hot_loop(world: World) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    world.repeated = world.held()
    await asyncio.sleep(2 * HOUR)
    assert len(world.told) == 4  # first grant, no promise any more, withdrawal, expiry
    assert 30 <= len(world.asked) <= 90
    world.repeated = None
    await asyncio.sleep(120)
    assert world.servable()


@pytest.mark.parametrize("life", [-HOUR, 0, 1])
async def test_tokens_that_come_dead_are_not_asked_for_in_a_hot_loop(
    world: World, life: int
) -> None:
    world.life = life
    world.manager.require("a", [want()])
    await asyncio.sleep(600)
    assert len(world.asked) <= 20
    assert not world.servable()


# Logins that nobody wants any more


async def test_a_mint_for_a_login_that_nobody_wants_any_more_is_kept_but_not_refreshed(
    world: World,
) -> None:
    world.manager.require("a", [want()])
    world.manager.release("a")
    await asyncio.sleep(1)
    assert world.servable()
    assert world.told == []
    await asyncio.sleep(3400)
    assert len(world.asked) == 1


async def test_the_old_login_is_served_while_its_successor_cannot_be_minted(world: World) -> None:
    world.manager.require("a", [want(token_of("old"))])
    await asyncio.sleep(1)
    world.failure = DENIED
    world.manager.require("a", [want(token_of("new"))])
    await asyncio.sleep(3000)
    assert world.servable(token_of("old"))
    await world.until(world.lease(token_of("old")).withdraw_at)
    await asyncio.sleep(1)
    assert world.told[-1] == (EPOCH + HOUR - 155, frozenset("a"))
    await asyncio.sleep(10)
    assert world.manager.lease(digest_of(token_of("old"))) is None


async def test_a_released_endpoint_is_forgotten_after_ten_minutes(world: World) -> None:
    world.life = None
    world.manager.require("a", [want(ENDPOINT)])
    await asyncio.sleep(1)
    world.manager.require("a", [])
    await asyncio.sleep(599)
    assert world.servable(ENDPOINT)
    await asyncio.sleep(2)
    assert world.manager.lease(digest_of(ENDPOINT)) is None


async def test_a_login_wanted_again_past_its_refresh_is_refreshed_at_once(world: World) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    first = world.held()
    world.manager.release("a")
    await asyncio.sleep(3000)
    world.manager.require("b", [want()])
    assert world.held() == first
    await asyncio.sleep(1)
    assert world.held() != first


async def test_a_material_is_not_kept_for_a_login_that_nobody_wants(world: World) -> None:
    world.manager.require("a", [Requirement(GOOGLE, {"key_json": SecretStr(CANARY)})])
    await asyncio.sleep(1)
    world.manager.release("a")
    login = world.manager._logins[digest_of(GOOGLE)]
    assert not login.material
    assert login.request is None


async def test_formerly_wanted_logins_are_bounded_in_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(released, "LEAST_KEPT", 5)
    for n in range(40):
        world.manager.require("a", [want(token_of(f"d{n}"))])
        await asyncio.sleep(1)
    assert len(world.manager._logins) == 6
    assert world.manager.lease(digest_of(token_of("d38"))) is not None
    assert world.manager.lease(digest_of(token_of("d33"))) is None


async def test_of_formerly_wanted_urls_few_are_kept_and_of_tokens_as_many_as_are_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(released, "LEAST_KEPT", 5)
    before: list[TokenRequest] = [token_of(f"d{n}") for n in range(12)]
    before += [url_of(n) for n in range(12)]
    after: list[TokenRequest] = [token_of(f"e{n}") for n in range(12)]
    after += [url_of(n, "us-east-1") for n in range(12)]
    world.manager.require("a", [want(request) for request in before])
    await asyncio.sleep(5)
    world.manager.require("a", [want(request) for request in after])
    await asyncio.sleep(5)
    held = [request for request in before if world.manager.lease(digest_of(request)) is not None]
    assert held[:12] == before[:12] and len(held) == 12 + 5
    assert all(world.lease(request).grant for request in after)


# Clocks and the end


async def test_a_clock_that_jumps_ahead_is_noticed_within_seconds(world: World) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(1)
    world.failure = DOWN
    world.clock_error = HOUR - 100
    await asyncio.sleep(16)
    assert len(world.asked) > 1
    assert not world.servable()
    assert len(world.told) >= 2


async def test_a_clock_that_is_set_back_does_not_stretch_the_waits(world: World) -> None:
    world.failure = DENIED
    world.manager.require("a", [want()])
    await asyncio.sleep(20)
    world.clock_error = -24 * HOUR
    world.failure = None
    await asyncio.sleep(660)
    assert world.servable()


async def test_a_token_dated_by_a_clock_that_was_ahead_is_replaced(world: World) -> None:
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
    world: World,
) -> None:
    world.manager.require("a", [want()])
    await asyncio.sleep(0.1)
    await world.manager.close()
    world.manager.require("b", [want(), want(token_of("x"))])
    await asyncio.sleep(2 * HOUR)
    assert len(world.asked) == 1
    assert world.told == []
    assert not world.runner.done()


def test_the_longest_build_is_found_anew_when_it_may_be_another() -> None:
    rng = random.Random(7)
    wanted_by: dict[Hashable, float] = {}
    longest = 0.0
    for _ in range(2000):
        consumer = rng.randrange(6)
        if rng.random() < 0.5:
            build = rng.choice((600, 600, 1800, HOUR))
            changed = let_in(wanted_by, consumer, build, longest=longest)
        else:
            changed = let_go(wanted_by, consumer, longest=longest)
            assert changed or wanted_by
        if changed and wanted_by:
            longest = max(wanted_by.values())
        assert not wanted_by or longest == max(wanted_by.values())


def test_a_consumer_like_the_others_changes_nothing() -> None:
    wanted_by: dict[Hashable, float] = {"a": 1800, "b": 600}
    assert not let_in(wanted_by, "c", 1800, longest=1800)
    assert not let_go(wanted_by, "a", longest=1800)
    assert not let_go(wanted_by, "b", longest=1800)
    assert let_go(wanted_by, "c", longest=1800)
