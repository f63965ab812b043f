"""Refresh requests: which annotations are heeded, and how often a login is minted for them."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import (
    KeyMaterial,
    OperatorIdentity,
    Requirement,
    Token,
    TokenRequest,
)
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.reconcile.cache.objects import parse_custom_object
from artifact_index.reconcile.cache.refresh_requests import (
    refresh_request,
    unheeded_note,
    with_handled_refresh,
)
from support.reconcile_builders import body_of

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

EPOCH = 1_700_000_000
HOUR = 3600
LOGIN = GoogleTokenRequest(OperatorIdentity())
DOWN = LoginError(Reason.CLOUD_UNAVAILABLE, "no answer")
DENIED = LoginError(Reason.ACCESS_DENIED, "no permission")
THROTTLED = LoginError(Reason.CLOUD_THROTTLED, "later", retry_after=200)


class Scene:
    """A token manager and its cloud; tokens live for an hour, if nothing else is said."""

    def __init__(self) -> None:
        self.life = HOUR
        self.asked: list[float] = []
        self.failure: LoginError | None = None
        self.repeated: Token | None = None
        self.reported = 0
        self.start()

    def start(self) -> None:
        self.manager = TokenManager(
            self.issue, margins=Margins(), now=self.now, rng=random.Random(2)
        )
        self.manager.on_change = lambda consumers: self._tell()
        self.runner = asyncio.create_task(self.manager.run())

    async def begin(self) -> None:
        """Mint the first token, and let 100 seconds pass."""
        self.want()
        await asyncio.sleep(EPOCH + 100 - self.now())

    async def stop(self) -> None:
        self.runner.cancel()
        await asyncio.gather(self.runner, return_exceptions=True)
        await self.manager.close()

    async def restart(self) -> None:
        """With the token that the outputs hold."""
        held = self.state.token
        assert held is not None
        await self.stop()
        self.start()
        self.manager.restore("login", held)

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def _tell(self) -> None:
        self.reported += 1

    async def issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        self.asked.append(self.now())
        began = int(self.now())
        await asyncio.sleep(0.25)
        if self.failure is not None:
            raise self.failure
        return self.repeated or Token(SecretStr(str(len(self.asked))), began, began + self.life)

    def want(self, fresh_after: int | None = None) -> None:
        self.manager.require("a", [Requirement("login", LOGIN, fresh_after=fresh_after)])

    @property
    def state(self) -> TokenState:
        state = self.manager.state_of("login")
        assert state is not None
        return state


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.stop()


async def test_a_request_is_one_mint_however_often_it_is_seen(scene: Scene) -> None:
    await scene.begin()
    for _ in range(20):
        scene.want(EPOCH + 100)
        await asyncio.sleep(1)
    assert scene.asked == [EPOCH, EPOCH + 100]
    assert scene.state.fresh_as_of == EPOCH + 100
    assert scene.reported == 2


async def test_a_request_from_before_the_token_is_fulfilled_already(scene: Scene) -> None:
    await scene.begin()
    scene.want(EPOCH)
    await asyncio.sleep(60)
    assert len(scene.asked) == 1
    assert scene.state.fresh_as_of >= EPOCH


async def test_one_login_is_forced_once_a_minute(scene: Scene) -> None:
    await scene.begin()
    for second in range(100, 220):
        scene.want(EPOCH + second)
        await asyncio.sleep(1)
    assert scene.asked == [EPOCH, EPOCH + 100, EPOCH + 160]
    await asyncio.sleep(60)
    assert scene.asked[3:] == [EPOCH + 220]


async def test_a_refused_request_is_told_once_though_the_login_failed_before(scene: Scene) -> None:
    scene.failure = DENIED
    await scene.begin()
    told = scene.reported
    assert scene.state.refused_as_of < 0

    scene.want(EPOCH + 100)
    await asyncio.sleep(1)
    assert (scene.asked[-1], scene.reported) == (EPOCH + 100, told + 1)
    assert scene.state.refused_as_of == EPOCH + 100

    for _ in range(10):
        scene.want(EPOCH + 100)
        await asyncio.sleep(360)
    assert len(scene.asked) > 4 and scene.reported == told + 1
    assert scene.state.refused_as_of > EPOCH + 100
    scene.failure = None
    scene.want(EPOCH + 3700)
    await asyncio.sleep(61)
    assert scene.state.refused_as_of < 0 and scene.state.fresh_as_of >= EPOCH + 3700


async def test_a_request_from_a_clock_ahead_is_fulfilled_when_its_time_has_come(
    scene: Scene,
) -> None:
    await scene.begin()
    scene.want(EPOCH + 130)
    await asyncio.sleep(60)
    assert scene.asked == [EPOCH, EPOCH + 130]
    assert scene.state.fresh_as_of == EPOCH + 130


async def test_a_forced_mint_that_fails_is_tried_like_any_other_over_the_live_token(
    scene: Scene,
) -> None:
    await scene.begin()
    scene.failure = DOWN
    scene.want(EPOCH + 100)
    await asyncio.sleep(20)
    assert scene.state.error is not None
    assert scene.state.servable(scene.now())
    failed = len(scene.asked)
    assert 2 < failed < 25
    scene.failure = None
    await asyncio.sleep(60)
    assert scene.state.fresh_as_of > EPOCH + 100
    assert len(scene.asked) == failed + 1


async def test_a_request_goes_before_the_back_off_but_not_before_what_the_cloud_asked_for(
    scene: Scene,
) -> None:
    await scene.begin()
    scene.failure = THROTTLED
    scene.want(EPOCH + 100)
    await asyncio.sleep(1)
    scene.failure = None
    scene.want(EPOCH + 101)
    await asyncio.sleep(198)
    assert len(scene.asked) == 2
    await asyncio.sleep(5)
    assert len(scene.asked) == 3


async def test_a_request_from_the_second_of_a_failure_has_the_login_tried_at_once_and_once(
    scene: Scene,
) -> None:
    """Requests name whole seconds: what failed may have been mended within the same one."""
    scene.failure = DENIED
    scene.want()
    await asyncio.sleep(0.5)
    assert scene.state.error is not None
    failed = len(scene.asked)
    for _ in range(5):
        scene.want(EPOCH)
        await asyncio.sleep(0.05)
    assert scene.asked[failed:] == [EPOCH + 0.5]


async def test_an_answer_with_the_same_token_fulfils_a_request_and_is_told(scene: Scene) -> None:
    await scene.begin()
    scene.repeated = scene.state.token
    reported = scene.reported
    scene.want(EPOCH + 100)
    await asyncio.sleep(30)
    assert scene.asked == [EPOCH, EPOCH + 100]
    assert scene.state.fresh_as_of == EPOCH + 100
    assert scene.reported == reported + 1


@pytest.mark.parametrize("life", [HOUR // 2, HOUR - 99, HOUR - 100, HOUR])
async def test_a_requested_token_takes_the_place_of_one_that_outlives_it(
    scene: Scene, life: int
) -> None:
    """After a leak the cloud may give shorter tokens than before."""
    await scene.begin()
    leaked, scene.life = scene.state.token, life
    scene.want(EPOCH + 100)
    await asyncio.sleep(1)
    requested, reported = scene.state.token, scene.reported
    assert requested is not None and requested.issued_at == EPOCH + 100
    assert requested.expires_at == EPOCH + 100 + life
    assert (reported, scene.state.repeats) == (2, False)

    # Files may still hold the old one when the process ends, or another one takes over.
    assert leaked is not None
    for held in ((leaked, requested), (requested, leaked)):
        await scene.stop()
        scene.start()
        for token in held:
            scene.manager.restore("login", token)
        assert scene.state.token == requested


async def test_a_token_that_nobody_requested_does_not_take_the_place_of_one_that_outlives_it(
    scene: Scene,
) -> None:
    await scene.begin()
    first, scene.life = scene.state.token, 60
    assert scene.state.refresh_at is not None
    await asyncio.sleep(scene.state.refresh_at + 1 - scene.now())
    assert len(scene.asked) == 2 and scene.state.token == first
    # What was requested before the first one was issued does not change that.
    await scene.restart()
    scene.want(EPOCH)
    await asyncio.sleep(60)
    assert len(scene.asked) > 2 and scene.state.token == first


async def test_a_restart_in_between_costs_no_second_mint(scene: Scene) -> None:
    await scene.begin()
    scene.want(EPOCH + 100)
    await asyncio.sleep(10)
    await scene.restart()
    scene.want(EPOCH + 100)
    await asyncio.sleep(60)
    assert len(scene.asked) == 2


async def test_a_restart_before_the_mint_makes_up_for_it(scene: Scene) -> None:
    await scene.begin()
    await scene.restart()
    scene.want(EPOCH + 100)
    await asyncio.sleep(60)
    assert len(scene.asked) == 2


# The annotation

NOW = 1_767_323_045  # 2026-01-02T03:04:05Z


def annotated(text: str | None, handled: Any = None) -> Any:
    body = body_of("acme", {"anonymous": {"url": "https://a.example/"}})
    if text is not None:
        body["metadata"]["annotations"] = {"artifactindex.dev/refresh-requested-at": text}
    if handled is not None:
        body["status"]["lastHandledRefreshAt"] = handled
    return parse_custom_object(ArtifactIndexSpec, body)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-02T03:04:05Z", NOW),
        ("2026-01-02T04:04:05+01:00", NOW),
        ("2026-01-02T03:04:05.000Z", NOW),
        ("2026-01-02T03:04:04.25Z", NOW),
        ("2026-01-02T03:05:05Z", NOW + 60),
        ("2026-01-02T03:05:06Z", None),
        ("2062-01-02T03:04:05Z", None),
        ("2026-01-02", None),
        ("20260102T030405Z", None),
        ("2026-W01-5T03:04:05Z", None),
        ("2026-01-02T03:04:05", None),
        ("2026-13-02T03:04:05Z", None),
        ("2026-01-02 03:04:05Z", None),
        ("now", None),
        ("", None),
        (None, None),
    ],
)
def test_a_request_is_an_rfc_3339_time_that_is_not_in_the_future(
    text: str | None, at: int | None
) -> None:
    record = annotated(text)
    request = refresh_request(record, now=NOW, skew=60)
    assert (request.at if request else None) == at
    note = unheeded_note(record, now=NOW, skew=60)
    assert bool(note) is (text is not None and at is None)
    assert not note or "artifactindex.dev/refresh-requested-at" in note


def test_the_status_repeats_the_request_as_it_was_written_once_it_is_fulfilled() -> None:
    request = refresh_request(annotated("2026-01-02T04:04:05+01:00"), now=NOW, skew=60)
    before = {"lastHandledRefreshAt": "2026-01-01T00:00:00Z"}
    assert with_handled_refresh({}, before, request, NOW - 1) == before
    done = {"lastHandledRefreshAt": "2026-01-02T04:04:05+01:00"}
    assert with_handled_refresh({}, before, request, NOW) == done
    assert with_handled_refresh({}, before, None, NOW) == before
    assert with_handled_refresh({}, {}, None, NOW) == {}
    refused = before | {"lastRefusedRefreshAt": done["lastHandledRefreshAt"]}
    assert with_handled_refresh({}, before, request, NOW - 1, NOW) == refused
    assert with_handled_refresh({}, refused, request, NOW - 1, NOW - 1) == refused
    assert with_handled_refresh({}, refused, request, NOW, NOW) == refused | done


@pytest.mark.parametrize("handled", ["2026-01-02T03:04:05Z", "other", 7])
def test_a_request_that_the_status_repeats_is_handled(handled: Any) -> None:
    request = refresh_request(annotated("2026-01-02T03:04:05Z", handled), now=NOW, skew=60)
    assert request is not None
    assert request.handled is (handled == "2026-01-02T03:04:05Z")
