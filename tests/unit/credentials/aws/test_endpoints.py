"""Lookups of repository URLs: sharing, limits and failures."""

import asyncio
import logging
import random
from collections.abc import Hashable

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from support.endpoint_world import EndpointWorld, url_of, want
from support.token_world import CANARY, DENIED, DOWN, EPOCH, HOUR, digest_of, token_of

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


# One lookup for each URL


async def test_consumers_of_one_url_share_one_lookup_and_are_told_together(
    world: EndpointWorld,
) -> None:
    for consumer in range(200):
        world.urls.require(consumer, [want()])
    assert world.state().pending_since == EPOCH
    await asyncio.sleep(1)
    assert len(world.asked) == 1
    assert [consumers for _, consumers in world.reported] == [frozenset(range(200))]
    assert world.state().url == "https://acme.example/1/"
    assert (world.state().error, world.state().pending_since) == (None, None)


async def test_a_url_is_looked_up_once(world: EndpointWorld) -> None:
    world.urls.require("a", [want()])
    await asyncio.sleep(24 * HOUR)
    world.urls.require("a", [want()])
    world.urls.require("b", [want(fresh_after=int(world.now()))])
    await asyncio.sleep(24 * HOUR)
    assert len(world.asked) == len(world.reported) == 1
    assert world.state().url is not None


async def test_urls_are_asked_for_four_at_a_time_of_each_region(world: EndpointWorld) -> None:
    here = [url_of(number) for number in range(40)]
    there = [url_of(number, "us-east-1") for number in range(8)]
    world.urls.require("a", [want(request) for request in here + there])
    await asyncio.sleep(0.1)
    assert len(world.asked) == 8
    assert world.state(here[-1]).pending_since is not None
    await asyncio.sleep(10 * world.latency)
    assert all(world.state(request).url for request in here + there)
    times = sorted({round(at, 2) for at, _ in world.asked})
    assert len(times) == 10


async def test_a_token_does_not_wait_behind_the_urls_and_a_dropped_one_is_not_asked_for(
    world: EndpointWorld,
) -> None:
    tokens = TokenManager(world.issue, margins=Margins(), now=world.now, rng=random.Random(4))
    urls = [url_of(number) for number in range(40)]
    world.urls.require("a", [want(request) for request in urls])
    tokens.require("b", [want(token_of("acme"))])
    world.urls.require("a", [want(request) for request in urls[:20]])
    await asyncio.sleep(20 * world.latency)
    await tokens.close()
    asked = [request for _, request in world.asked]
    assert asked[4] == digest_of(token_of("acme"))
    expected = [digest_of(token_of("acme")), *(digest_of(url) for url in urls[:20])]
    assert sorted(asked) == sorted(expected)


async def test_a_region_whose_urls_hang_delays_no_other_and_a_failure_gives_its_place_back(
    world: EndpointWorld,
) -> None:
    world.urls = world.new_endpoints(deadline=30)
    hanging = [url_of(number) for number in range(4)]
    world.hanging = {digest_of(request) for request in hanging}
    waiting, other = url_of(9), url_of(0, "us-east-1")
    world.urls.require("a", [want(request) for request in [*hanging, waiting, other]])
    await asyncio.sleep(1)
    assert world.state(other).url is not None and world.state(waiting).url is None
    # Files that have it do not wait for it any longer than for one that hangs itself.
    assert world.state(waiting).pending_since == world.state(hanging[0]).pending_since == EPOCH
    await asyncio.sleep(31)
    assert world.state(waiting).url is not None
    error = world.state(hanging[0]).error
    assert error is not None and error.reason == "CloudUnavailable"


async def test_urls_are_no_tokens_whose_rate_is_limited(world: EndpointWorld) -> None:
    world.latency = 0
    urls = [url_of(number) for number in range(200)]
    world.urls.require("a", [want(url) for url in urls])
    await asyncio.sleep(0.5)
    assert all(world.state(url).url for url in urls)


async def test_ten_thousand_urls_are_looked_up_without_a_task_for_each(
    world: EndpointWorld,
) -> None:
    everything = [url_of(number) for number in range(10_000)]
    for file in range(100):
        world.urls.require(file, [want(url) for url in everything[file * 100 : file * 100 + 100]])
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) < 10
    await asyncio.sleep(2_600 * world.latency)
    assert len(world.asked) == 10_000
    assert all(world.state(request).url for request in everything)


async def test_an_unknown_url_has_no_state(world: EndpointWorld) -> None:
    assert world.urls.state_of("unheard of") is None


async def test_a_consumer_awaits_until_all_its_urls_were_answered(world: EndpointWorld) -> None:
    world.hanging = {digest_of(url_of(1))}
    world.urls.require("a", [want(url_of(0)), want(url_of(1))])
    world.urls.require("b", [want(url_of(0))])
    assert world.urls.awaits("a") and world.urls.awaits("b")
    await asyncio.sleep(1)
    assert world.urls.awaits("a") and not world.urls.awaits("b")
    assert not world.urls.awaits("nobody")


async def test_settled_waits_for_the_lookups_in_flight(world: EndpointWorld) -> None:
    assert not await world.urls.settled()
    world.urls.require("a", [want()])
    assert await world.urls.settled()
    assert world.state().pending_since is None
    assert not await world.urls.settled()


async def test_the_serial_grows_with_every_change_and_only_then(world: EndpointWorld) -> None:
    world.failure = DOWN
    world.urls.require("a", [want()])
    pending = world.state()
    assert world.state() is pending
    await asyncio.sleep(0.3)
    failed = world.state()
    world.failure = None
    await asyncio.sleep(10)
    answered = world.state()
    assert pending.serial < failed.serial < answered.serial
    world.urls.require("b", [want()])
    assert world.state() is answered


async def test_each_lookup_is_measured(world: EndpointWorld) -> None:
    world.urls.require("a", [want()])
    await asyncio.sleep(1)
    world.failure = DENIED
    world.urls.require("a", [want(url_of(1))])
    await asyncio.sleep(1)
    assert world.meter.answers == [
        ("codeartifact-endpoint", "ok"),
        ("codeartifact-endpoint", "AccessDenied"),
    ]
    assert world.meter.took == pytest.approx([0.25, 0.25], abs=0.01)
    assert world.meter.late == []


# Failures


async def test_a_failure_is_told_once_and_again_when_its_reason_changes(
    world: EndpointWorld,
) -> None:
    world.failure = DOWN
    world.urls.require("a", [want()])
    await asyncio.sleep(300)
    assert len(world.asked) > 5
    assert len(world.reported) == 1
    world.failure = DENIED
    await asyncio.sleep(300)
    assert len(world.reported) == 2
    error = world.state().error
    assert error is not None and error.reason == "AccessDenied"
    world.failure = None
    await asyncio.sleep(660)
    assert len(world.reported) == 3
    assert (world.state().error, world.state().url is None) == (None, False)


@pytest.mark.parametrize(
    ("failure", "fewest", "most"), [(DOWN, 100, 260), (DENIED, 7, 8)], ids=["retry", "user"]
)
async def test_failures_that_a_user_must_mend_are_retried_more_rarely(
    world: EndpointWorld, failure: LoginError, fewest: int, most: int
) -> None:
    world.failure = failure
    world.urls.require("a", [want()])
    await asyncio.sleep(HOUR)
    assert fewest <= len(world.asked) <= most


async def test_wanting_a_failing_url_again_does_not_ask_the_cloud_sooner(
    world: EndpointWorld,
) -> None:
    world.failure = LoginError(Reason.CLOUD_THROTTLED, "slow down", retry_after=90)
    world.urls.require("a", [want()])
    for n in range(80):
        await asyncio.sleep(1)
        world.urls.require("a", [want()])
        world.urls.require(n, [want()])
        world.urls.release(n)
    world.urls.release("a")
    await asyncio.sleep(5)
    world.urls.require("a", [want()])
    assert len(world.asked) == 1
    await asyncio.sleep(10)
    assert len(world.asked) == 2


async def test_an_unforeseen_error_is_retried_and_its_text_is_never_told(
    world: EndpointWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.failure = ValueError(CANARY)
    world.urls.require("a", [want()])
    await asyncio.sleep(1)
    error = world.state().error
    assert error is not None
    assert (error.reason, error.permanent) == ("InternalError", False)
    assert CANARY not in f"{error!r}{error.__cause__!r}{error.__context__!r}{caplog.text}"
    world.failure = None
    await asyncio.sleep(10)
    assert world.state().url is not None


async def test_a_lookup_that_was_cancelled_from_outside_is_retried(world: EndpointWorld) -> None:
    world.failure = asyncio.CancelledError()
    world.urls.require("a", [want()])
    await asyncio.sleep(0.5)
    world.failure = None
    await asyncio.sleep(10)
    assert world.state().url is not None


async def test_a_listener_that_fails_stops_nothing(world: EndpointWorld) -> None:
    def fail(_: frozenset[Hashable]) -> None:
        raise ValueError(CANARY)

    world.urls.on_change = fail
    world.urls.require("a", [want(url_of(number)) for number in range(10)])
    await asyncio.sleep(10)
    assert all(world.state(url_of(number)).url for number in range(10))
