"""What the token manager tells its meter: every answer of a cloud, and how late a refresh was."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import (
    KeyMaterial,
    OperatorIdentity,
    Requirement,
    Token,
    TokenRequest,
    canonical,
)
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.credentials.tokens.token_state import HeldToken
from support.recording_meter import RecordingMeter

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

EPOCH = 1_700_000_000
HOUR = 3600
OUTAGE = 900
IDENTITY = OperatorIdentity()
TOKEN = CodeArtifactTokenRequest("eu-west-1", "acme", "111122223333", 43200, IDENTITY)
OTHER = CodeArtifactTokenRequest("eu-west-1", "other", "111122223333", 43200, IDENTITY)
GOOGLE = GoogleTokenRequest(IDENTITY)


class Cloud:
    """A token manager with a meter, the cloud that it asks, and their clock."""

    def __init__(self) -> None:
        self.latency = 0.25
        self.error: LoginError | None = None
        self.repeated: Token | None = None
        self.meter = RecordingMeter()
        self.manager = TokenManager(
            self._issue,
            margins=Margins(),
            now=self.now,
            rng=random.Random(2),
            meter=self.meter,
        )

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    async def _issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        await asyncio.sleep(self.latency)
        if self.error is not None:
            raise self.error
        now = int(self.now())
        if self.repeated is not None:
            return replace(self.repeated)
        return Token(SecretStr(f"canary-{now}"), now, now + HOUR)

    async def want(self, *requests: TokenRequest, fresh_after: int | None = None) -> None:
        self.manager.require(
            "options",
            [
                Requirement(canonical(request).decode(), request, fresh_after=fresh_after)
                for request in requests
            ],
        )
        await asyncio.sleep(self.latency + 1)

    @property
    def held(self) -> HeldToken:
        [held] = self.manager.held_tokens()
        return held

    async def until(self, moment: float | None) -> None:
        assert moment is not None
        await asyncio.sleep(moment - self.now())


@pytest_asyncio.fixture
async def cloud() -> AsyncIterator[Cloud]:
    cloud = Cloud()
    runner = asyncio.create_task(cloud.manager.run())
    yield cloud
    runner.cancel()
    await asyncio.gather(runner, return_exceptions=True)
    await cloud.manager.close()


async def test_each_answer_is_told_with_what_was_asked_for_and_its_result(cloud: Cloud) -> None:
    await cloud.want(TOKEN, OTHER)
    assert cloud.meter.answers == [("codeartifact-token", "ok")] * 2
    assert cloud.meter.took == pytest.approx([0.25, 0.25], abs=0.01)

    cloud.meter.answers.clear()
    cloud.error = LoginError(Reason.ACCESS_DENIED, "canary-message")
    await cloud.want(TOKEN, GOOGLE)
    assert cloud.meter.answers == [("google-token", "AccessDenied")]


async def test_a_first_token_is_no_refresh(cloud: Cloud) -> None:
    await cloud.want(TOKEN)
    assert cloud.meter.answers and cloud.meter.late == []


async def test_a_refresh_is_as_late_as_the_cloud_is_slow(cloud: Cloud) -> None:
    await cloud.want(TOKEN)
    cloud.latency = 40
    await cloud.until(cloud.held.planned_at)
    await asyncio.sleep(60)
    assert cloud.meter.late == [pytest.approx(40, abs=1)]


async def test_an_outage_shows_in_the_plan_while_it_lasts_and_in_the_lateness_afterwards(
    cloud: Cloud,
) -> None:
    await cloud.want(TOKEN)
    planned_at = cloud.held.planned_at
    assert planned_at is not None
    cloud.error = LoginError(Reason.CLOUD_UNAVAILABLE, "no answer")
    await cloud.until(planned_at + OUTAGE)
    assert cloud.held.planned_at == planned_at and cloud.meter.late == []
    failures = cloud.meter.answers.count(("codeartifact-token", "CloudUnavailable"))
    assert failures > 3

    cloud.error = None
    await asyncio.sleep(OUTAGE)
    assert cloud.meter.answers.count(("codeartifact-token", "ok")) == 2
    [late] = cloud.meter.late
    assert OUTAGE < late < 2 * OUTAGE
    assert cloud.held.planned_at is not None and cloud.held.planned_at > planned_at


async def test_a_token_that_is_asked_for_ahead_of_its_time_is_not_late(cloud: Cloud) -> None:
    await cloud.want(TOKEN)
    await asyncio.sleep(120)
    await cloud.want(TOKEN, fresh_after=int(cloud.now()))
    assert cloud.meter.answers == [("codeartifact-token", "ok")] * 2
    assert cloud.meter.late == []


async def test_a_source_that_repeats_its_token_is_late_only_after_it_has_another(
    cloud: Cloud,
) -> None:
    expires_at = EPOCH + HOUR
    cloud.repeated = Token(SecretStr("canary-repeated"), EPOCH, expires_at)
    await cloud.want(GOOGLE)
    await cloud.until(cloud.held.planned_at)
    await asyncio.sleep(30)
    assert cloud.held.planned_at == expires_at - 225 > cloud.now()
    assert cloud.meter.late == []

    cloud.repeated = None
    await cloud.until(expires_at - 60)
    assert cloud.meter.late == [pytest.approx(0.25, abs=20)]


async def test_a_login_is_held_as_long_as_somebody_wants_it(cloud: Cloud) -> None:
    assert cloud.manager.held_tokens() == []
    await cloud.want(TOKEN)
    assert cloud.held.request == TOKEN and cloud.held.expires_at == EPOCH + HOUR
    cloud.error = LoginError(Reason.ACCESS_DENIED, "no")
    await cloud.until(EPOCH + HOUR + 60)
    assert cloud.held.expires_at == EPOCH + HOUR < cloud.now()
    cloud.manager.release("options")
    assert cloud.manager.held_tokens() == []
