"""Repository URLs that are kept: refresh requests, restarts, released URLs and clocks."""

import asyncio

import pytest
from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws import endpoints
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    Requirement,
)
from support.endpoint_world import THROTTLED, URL, EndpointWorld, url_of, want
from support.token_world import CANARY, DENIED, DOWN, EPOCH, HOUR, digest_of

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]


# Refresh requests


async def test_a_refresh_request_has_a_failing_url_looked_up_at_once_and_once(
    world: EndpointWorld,
) -> None:
    world.failure = DENIED
    world.urls.require("a", [want()])
    await asyncio.sleep(0.5)
    world.urls.require("a", [want(fresh_after=EPOCH)])
    await asyncio.sleep(0.3)
    assert world.times_asked() == [EPOCH, EPOCH + 0.5]
    world.urls.require("a", [want(fresh_after=EPOCH)])
    world.urls.require("b", [want(fresh_after=EPOCH)])
    await asyncio.sleep(0.5)
    assert len(world.asked) == 2


async def test_a_request_has_the_repository_url_asked_for_again_only_where_that_fails(
    world: EndpointWorld,
) -> None:
    world.failure = DENIED
    world.urls.require("a", [want()])
    await asyncio.sleep(0.5)
    world.failure = None
    world.urls.require("a", [want(fresh_after=EPOCH)])
    await asyncio.sleep(0.3)
    assert world.times_asked() == [EPOCH, EPOCH + 0.5]
    assert world.state().error is None
    world.urls.require("a", [want(fresh_after=EPOCH + 1)])
    await asyncio.sleep(HOUR)
    assert len(world.asked) == 2


async def test_lookups_that_refresh_requests_cause_are_a_minute_apart(world: EndpointWorld) -> None:
    world.failure = LoginError(Reason.ACCESS_DENIED, "no", retry_after=3000)
    world.urls.require("a", [want()])
    await asyncio.sleep(1)
    world.failure = DENIED
    world.urls._entries[digest_of(URL)].attempts.not_before = 0
    world.urls.require("a", [want(fresh_after=EPOCH + 1)])
    await asyncio.sleep(1)
    world.failure = LoginError(Reason.ACCESS_DENIED, "no", retry_after=3000)
    world.urls._entries[digest_of(URL)].attempts.retry_at = EPOCH + 10_000
    world.urls.require("a", [want(fresh_after=EPOCH + 2)])
    await asyncio.sleep(58)
    assert world.times_asked() == [EPOCH, EPOCH + 1]
    await asyncio.sleep(2)
    assert world.times_asked() == [EPOCH, EPOCH + 1, EPOCH + 61]


async def test_a_refresh_request_waits_as_long_as_the_cloud_asked_for(world: EndpointWorld) -> None:
    world.failure = THROTTLED
    world.urls.require("a", [want()])
    await asyncio.sleep(10)
    world.urls.require("a", [want(fresh_after=EPOCH + 10)])
    await asyncio.sleep(180)
    assert len(world.asked) == 1
    await asyncio.sleep(20)
    assert len(world.asked) == 2


# After a restart, and after the last consumer


async def test_restored_urls_are_not_looked_up(world: EndpointWorld) -> None:
    world.urls.restore(digest_of(URL), "https://acme.example/restored/")
    restored = world.state()
    assert (restored.url, restored.pending_since) == ("https://acme.example/restored/", None)
    world.urls.require("a", [want()])
    await asyncio.sleep(HOUR)
    assert world.state() == restored
    assert world.asked == []
    assert world.reported == []


async def test_a_restored_url_never_replaces_a_newer_one(world: EndpointWorld) -> None:
    world.urls.require("a", [want()])
    await asyncio.sleep(1)
    world.urls.restore(digest_of(URL), "https://acme.example/restored/")
    assert world.state().url == "https://acme.example/1/"


async def test_a_restored_url_that_nobody_requires_is_forgotten_after_ten_minutes(
    world: EndpointWorld,
) -> None:
    world.urls.restore(digest_of(URL), "https://acme.example/restored/")
    await asyncio.sleep(599)
    world.urls.require("b", [])
    assert world.state().url is not None
    await asyncio.sleep(2)
    world.urls.require("b", [])
    assert world.urls.state_of(digest_of(URL)) is None


async def test_a_released_url_is_forgotten_after_ten_minutes(world: EndpointWorld) -> None:
    world.urls.require("a", [want()])
    await asyncio.sleep(1)
    world.urls.require("a", [])
    await asyncio.sleep(599)
    world.urls.require("b", [])
    assert world.state().url is not None
    await asyncio.sleep(2)
    world.urls.require("b", [])
    assert world.urls.state_of(digest_of(URL)) is None


async def test_of_released_urls_few_are_kept(
    world: EndpointWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MOST_RELEASED", 5)
    before = [url_of(n) for n in range(12)]
    after = [url_of(n, "us-east-1") for n in range(12)]
    world.urls.require("a", [want(request) for request in before])
    await asyncio.sleep(5)
    world.urls.require("a", [want(request) for request in after])
    await asyncio.sleep(5)
    world.urls.require("b", [])
    held = [request for request in before if world.urls.state_of(digest_of(request)) is not None]
    assert len(held) == 5
    assert all(world.state(request).url for request in after)


async def test_restored_urls_do_not_count_as_released(
    world: EndpointWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MOST_RELEASED", 5)
    for number in range(50):
        world.urls.restore(digest_of(url_of(number)), f"https://acme.example/{number}/")
    for number in range(50):
        world.urls.require(number, [want(url_of(number))])
    await asyncio.sleep(5)
    assert world.asked == []


async def test_a_released_lookup_keeps_its_answer_and_no_key_material(world: EndpointWorld) -> None:
    secret = {"secret_access_key": SecretStr(CANARY)}
    world.urls.require("a", [Requirement(digest_of(URL), URL, secret)])
    world.failure = DOWN
    world.urls.require("a", [Requirement(digest_of(url_of(1)), url_of(1), secret)])
    world.urls.release("a")
    assert all(entry.requirement is None for entry in world.urls._entries.values())
    world.failure = None
    await asyncio.sleep(1)
    assert world.state().url is not None and world.reported == []
    world.urls.require("a", [want()])
    assert len(world.asked) == 2


async def test_no_key_material_is_kept_with_a_url_that_is_known(world: EndpointWorld) -> None:
    secret = {"secret_access_key": SecretStr(CANARY)}
    world.urls.require("a", [Requirement(digest_of(URL), URL, secret)])
    await asyncio.sleep(1)
    world.urls.require("a", [Requirement(digest_of(URL), URL, secret)])
    assert all(entry.requirement is None for entry in world.urls._entries.values())


# Clocks and the end


async def test_what_is_pending_follows_a_clock_that_is_set_back(world: EndpointWorld) -> None:
    world.hanging = {digest_of(URL)}
    world.urls.require("a", [want()])
    await asyncio.sleep(10)
    world.clock_error = -HOUR
    world.urls.require("a", [want()])
    assert world.state().pending_since == pytest.approx(EPOCH - HOUR, abs=11)
    assert world.now() - (world.state().pending_since or 0) >= 0


async def test_a_clock_that_is_set_back_does_not_stretch_the_waits(world: EndpointWorld) -> None:
    world.failure = DENIED
    world.urls.require("a", [want()])
    await asyncio.sleep(20)
    world.clock_error = -24 * HOUR
    world.failure = None
    await asyncio.sleep(660)
    assert world.state().url is not None


async def test_after_close_nothing_is_looked_up_and_a_lookup_in_flight_is_given_up(
    world: EndpointWorld,
) -> None:
    world.urls.require("a", [want()])
    await asyncio.sleep(0.1)
    await world.urls.close()
    world.urls.require("b", [want(url_of(1)), want(url_of(2))])
    await asyncio.sleep(2 * HOUR)
    assert len(world.asked) == 1
    assert world.reported == []
