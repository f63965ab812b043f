"""Lookups of URLs for logins without a token: they keep to the attempts at the token."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.requests import Requirement
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from support.endpoint_world import EndpointWorld, url_of, want
from support.token_world import DENIED, HOUR, digest_of, token_of

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

LOGIN = token_of("acme")


def url_for(number: int = 0, login: CodeArtifactTokenRequest | None = LOGIN) -> Requirement:
    request = url_of(number)
    return Requirement(
        digest_of(request), request, login=digest_of(login) if login is not None else None
    )


class Clouds:
    """Tokens and URLs, which one cloud grants or refuses."""

    def __init__(self, world: EndpointWorld) -> None:
        self.world, self.urls = world, world.urls
        self.tokens = TokenManager(
            world.issue, margins=Margins(), now=world.now, rng=random.Random(4)
        )
        self.urls.may_use = self.tokens.is_tried
        self.tokens.on_attempt(self.urls.login_tried)

    def require(self, consumer: str, number: int, login: CodeArtifactTokenRequest = LOGIN) -> None:
        self.urls.require(consumer, [url_for(number, login)])
        self.tokens.require(consumer, [want(login)])

    def asked(self, number: int) -> list[float]:
        wanted = digest_of(url_of(number))
        return [at for at, digest in self.world.asked if digest == wanted]


@pytest_asyncio.fixture
async def clouds(world: EndpointWorld) -> AsyncIterator[Clouds]:
    clouds = Clouds(world)
    runner = asyncio.create_task(clouds.tokens.run())
    yield clouds
    runner.cancel()
    await clouds.tokens.close()


async def test_a_url_is_looked_up_beside_the_first_attempt_at_the_token(clouds: Clouds) -> None:
    clouds.require("a", 0)
    await asyncio.sleep(0.01)
    assert sorted(digest for _, digest in clouds.world.asked) == sorted(
        [digest_of(LOGIN), digest_of(url_of(0))]
    )
    assert clouds.urls.awaits("a")


async def test_the_lookups_of_many_logins_keep_to_the_rate_of_their_tokens(clouds: Clouds) -> None:
    clouds.world.failure = DENIED
    for number in range(100):
        clouds.require(f"c-{number}", number, token_of(f"d-{number}"))
    await asyncio.sleep(5)
    tokens = sum("domain" in digest and "r-" not in digest for _, digest in clouds.world.asked)
    assert 40 <= tokens <= 60
    assert len(clouds.world.asked) - tokens <= tokens
    assert not any(clouds.world.state(url_of(99)).pending_since for _ in clouds.asked(99))


async def test_a_refused_login_is_looked_up_no_more_often_than_it_is_tried(clouds: Clouds) -> None:
    clouds.world.failure = DENIED
    clouds.require("a", 0)
    await asyncio.sleep(4 * HOUR)
    tries = [at for at, digest in clouds.world.asked if digest == digest_of(LOGIN)]
    assert len(clouds.asked(0)) <= len(tries)
    clouds.world.failure = None
    await asyncio.sleep(HOUR + 1)
    assert clouds.world.state(url_of(0)).url is not None


async def test_another_repository_of_a_refused_login_waits_for_its_next_attempt(
    clouds: Clouds,
) -> None:
    clouds.world.failure = DENIED
    clouds.require("a", 0)
    await asyncio.sleep(1)
    clouds.require("b", 1)
    await asyncio.sleep(1)
    assert not clouds.asked(1)
    assert not clouds.urls.awaits("b"), "and no file waits for it"
    clouds.world.failure = None
    await asyncio.sleep(60)
    assert clouds.world.state(url_of(1)).url is not None


async def test_a_login_with_a_token_is_looked_up_at_once(clouds: Clouds) -> None:
    clouds.require("a", 0)
    await asyncio.sleep(1)
    clouds.require("b", 1)
    await asyncio.sleep(0.01)
    assert clouds.asked(1)


async def test_a_consumer_without_a_need_for_the_token_waits_for_nobody(clouds: Clouds) -> None:
    clouds.world.failure = DENIED
    clouds.require("a", 0)
    await asyncio.sleep(1)
    clouds.require("b", 1)
    clouds.urls.require("c", [url_for(1, None)])
    clouds.require("b", 1)
    await asyncio.sleep(0.01)
    assert clouds.asked(1)


async def test_nothing_is_kept_of_urls_that_nobody_requires_any_more(clouds: Clouds) -> None:
    clouds.world.failure = DENIED
    clouds.require("a", 0)
    await asyncio.sleep(1)
    for number in range(1, 5):
        clouds.require("b", number)
    clouds.urls.release("b")
    clouds.urls.release("a")
    assert not clouds.urls._waiting
