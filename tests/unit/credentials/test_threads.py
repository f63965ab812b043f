"""Blocking calls in threads: how many at once, what happens to hung ones, and how it all ends."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.call_slots import TENANT, TIMEOUTS
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    KeyMaterial,
    OperatorIdentity,
    Token,
    TokenRequest,
)
from artifact_index.credentials.threads import CloudThreads
from support.control_plane import wait_until

pytestmark = pytest.mark.unit

GOOGLE = GoogleTokenRequest(OperatorIdentity())
GRANT = Token(SecretStr("t"), 1, 2)


def aws(region: str) -> CodeArtifactTokenRequest:
    return CodeArtifactTokenRequest(region, "d", "111122223333", 900, OperatorIdentity())


class Cloud:
    """Calls that block until they are let go."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.started: list[TokenRequest] = []
        self.go = threading.Event()

    def call(self, request: TokenRequest, material: KeyMaterial) -> Token:
        with self.lock:
            self.running += 1
            self.started.append(request)
        self.go.wait(60)
        with self.lock:
            self.running -= 1
        return GRANT


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    yield cloud
    cloud.go.set()
    wait_until(lambda: threads() == 0, "the last call to end", 30)


def threads() -> int:
    """The calls that have been begun and have not ended, whatever they have come to."""
    return sum(thread.name.startswith("cloud-") for thread in threading.enumerate())


async def issue_for(tenant: str, pool: CloudThreads, request: TokenRequest) -> Token:
    TENANT.set(tenant)
    return await pool.issue(request, NO_KEY_MATERIAL)


async def becomes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - threads change it
            await asyncio.sleep(0.005)


async def test_a_call_answers_from_a_daemon_thread_with_its_request_and_material() -> None:
    seen = []

    def call(request: TokenRequest, material: KeyMaterial) -> Token:
        seen.append((request, material, threading.current_thread().daemon))
        return GRANT

    material = {"key_json": SecretStr("k")}
    assert await CloudThreads(call).issue(GOOGLE, material) is GRANT
    assert seen == [(GOOGLE, material, True)]


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (LoginError(Reason.ACCESS_DENIED, "no"), LoginError),
        (StopIteration(), RuntimeError),
        (SystemExit(1), RuntimeError),
    ],
)
async def test_what_a_call_raises_is_raised_to_the_caller_as_an_exception(
    raised: BaseException, seen: type[Exception]
) -> None:
    def call(request: TokenRequest, material: KeyMaterial) -> Token:
        raise raised

    with pytest.raises(seen):
        await CloudThreads(call).issue(GOOGLE, NO_KEY_MATERIAL)


async def test_one_service_gets_at_most_its_share_and_others_go_on(cloud: Cloud) -> None:
    pool = CloudThreads(cloud.call, threads=16, per_service=4)
    calls = [asyncio.create_task(pool.issue(GOOGLE, NO_KEY_MATERIAL)) for _ in range(30)]
    await becomes(lambda: cloud.running == 4)
    other = asyncio.create_task(pool.issue(aws("eu-west-1"), NO_KEY_MATERIAL))
    await becomes(lambda: cloud.running == 5)
    assert cloud.started.count(GOOGLE) == 4
    cloud.go.set()
    assert len(await asyncio.gather(other, *calls)) == 31


async def test_all_services_together_get_at_most_all_threads(cloud: Cloud) -> None:
    pool = CloudThreads(cloud.call, threads=3, per_service=2)
    calls = [asyncio.create_task(issue_for(f"t{n}", pool, aws(f"r{n}"))) for n in range(8)]
    await becomes(lambda: cloud.running == 3)
    for _ in range(10):
        await asyncio.sleep(0)
    assert threads() == 3
    cloud.go.set()
    assert len(await asyncio.gather(*calls)) == 8


async def test_a_call_past_its_deadline_is_unavailable_and_hands_its_place_on(
    cloud: Cloud,
) -> None:
    pool = CloudThreads(cloud.call, threads=1, per_service=1, deadline=0.05)
    with pytest.raises(LoginError, match="google did not end within") as caught:
        await pool.issue(GOOGLE, NO_KEY_MATERIAL)
    assert (caught.value.reason, caught.value.permanent) == ("CloudUnavailable", False)
    second = asyncio.create_task(pool.issue(aws("eu-west-1"), NO_KEY_MATERIAL))
    await becomes(lambda: cloud.running == 2)
    cloud.go.set()
    await asyncio.gather(second, return_exceptions=True)


async def test_hung_threads_are_bounded_and_slots_come_back_when_they_end(cloud: Cloud) -> None:
    pool = CloudThreads(cloud.call, threads=2, per_service=2, deadline=0.02)
    for number in range(4):
        with pytest.raises(LoginError):
            await asyncio.create_task(issue_for(f"t{number}", pool, aws(f"r{number}")))
    await becomes(lambda: cloud.running == 4)
    waiting = asyncio.create_task(pool.issue(GOOGLE, NO_KEY_MATERIAL))
    for _ in range(10):
        await asyncio.sleep(0)
    assert threads() == 4
    # From here on no call hangs, and none is to be given up because the machine is busy.
    pool._deadline = 30
    cloud.go.set()
    assert await waiting is GRANT
    await becomes(lambda: cloud.running == 0 and pool._abandonable._value == 2)
    assert await asyncio.gather(*(pool.issue(GOOGLE, NO_KEY_MATERIAL) for _ in range(9)))


async def test_a_cancelled_call_keeps_its_place_until_its_thread_ends(cloud: Cloud) -> None:
    pool = CloudThreads(cloud.call, threads=1, per_service=1)
    first = asyncio.create_task(pool.issue(GOOGLE, NO_KEY_MATERIAL))
    await becomes(lambda: cloud.running == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(pool.issue(GOOGLE, NO_KEY_MATERIAL))
    for _ in range(10):
        await asyncio.sleep(0)
    assert threads() == len(cloud.started) == 1
    cloud.go.set()
    assert await second is GRANT


async def test_a_closed_pool_starts_no_call(cloud: Cloud) -> None:
    pool = CloudThreads(cloud.call)
    pool.close()
    with pytest.raises(LoginError, match="shutting down"):
        await pool.issue(GOOGLE, NO_KEY_MATERIAL)
    assert cloud.started == []


@pytest.mark.parametrize("unanswered", [False, True])
async def test_a_login_that_is_answered_with_errors_stops_no_other_of_its_tenant(
    unanswered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer of 503, which the SDKs retry for seconds, is none that never came."""
    monkeypatch.setattr("artifact_index.credentials.threads.SLOW", 0)

    def call(request: TokenRequest, material: KeyMaterial) -> Token:
        if material:
            raise LoginError(Reason.CLOUD_UNAVAILABLE, "as injected", unanswered=unanswered)
        return GRANT

    pool = CloudThreads(call)
    for _ in range(TIMEOUTS + 1):
        with pytest.raises(LoginError, match="as injected"):
            await pool.issue(GOOGLE, {"key_json": SecretStr("k")})
    if unanswered:
        with pytest.raises(LoginError, match="as injected") as caught:
            await pool.issue(GOOGLE, NO_KEY_MATERIAL)
        assert caught.value.retry_after is not None
    else:
        assert await pool.issue(GOOGLE, NO_KEY_MATERIAL) is GRANT


async def test_services_that_nobody_asks_are_forgotten(cloud: Cloud) -> None:
    cloud.go.set()
    pool = CloudThreads(cloud.call)
    for n in range(50):
        await pool.issue(aws(f"r{n}"), NO_KEY_MATERIAL)
    slots = pool._slots
    assert not slots._by_tenant and not slots._by_service and not slots._by_flow
    assert not slots._waiting and not slots._timeouts


EXIT_WITH_A_HUNG_CALL = """
import asyncio, threading
from artifact_index.credentials.google.requests import (GoogleTokenRequest)
from artifact_index.credentials.requests import (OperatorIdentity)
from artifact_index.credentials.threads import CloudThreads

started = threading.Event()

def hang(request, material):
    started.set()
    threading.Event().wait()

async def main():
    pool = CloudThreads(hang)
    call = asyncio.create_task(pool.issue(GoogleTokenRequest(OperatorIdentity()), {}))
    while not started.is_set():
        await asyncio.sleep(0.01)
    pool.close()
    print("ends", flush=True)

asyncio.run(main())
"""


def test_the_process_ends_at_once_although_a_call_hangs() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", EXIT_WITH_A_HUNG_CALL],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ends\n"
        # The call never ends.
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
