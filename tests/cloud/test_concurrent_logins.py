"""Many threads at once, as the token manager's pool has them."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.providers import Providers
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    KeyMaterial,
    SecretIdentity,
    Token,
    TokenRequest,
)
from artifact_index.credentials.threads import CloudThreads
from support.clouds import AwsStandIn, Fault, GoogleStandIn
from support.clouds.logins import (
    OPERATOR,
    endpoint_request,
    google_client,
    google_request,
    sealed,
    token_request,
)
from support.control_plane import wait_until

pytestmark = pytest.mark.cloud

THREADS = 32


def test_32_threads_log_in_at_once_by_every_kind_of_identity(
    aws: AwsStandIn, google: GoogleStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.env(aws.add_access_key("arn:operator")).items():
        monkeypatch.setenv(name, value)
    google.metadata_email = "operator@my-project.iam.gserviceaccount.com"
    keys = [aws.add_access_key(f"arn:user-{n}", session=True) for n in range(4)]
    key_json = google.make_key_json("ci@my-project.iam.gserviceaccount.com")
    asked: list[tuple[TokenRequest, KeyMaterial]] = []
    for number in range(THREADS):
        key = keys[number % 4]
        identity = SecretIdentity("builders", f"uid-{number % 4}", "digest")
        asked += [
            (token_request(identity), sealed(key.material())),
            (token_request(OPERATOR, region=f"eu-west-{1 + number % 3}"), NO_KEY_MATERIAL),
            (endpoint_request(identity), sealed(key.material())),
            (google_request(), sealed({"key_json": key_json})),
            (google_request(OPERATOR), NO_KEY_MATERIAL),
        ]
    # An answer that comes too late would be asked for once more, and counted twice.
    patient = google_client(google, read_timeout=120, deadline=120)
    clouds = Providers(CodeArtifact(read_timeout=120), patient)
    barrier = threading.Barrier(THREADS)

    def ask(item: tuple[int, tuple[TokenRequest, KeyMaterial]]) -> Token:
        if item[0] < THREADS:
            barrier.wait(timeout=60)
        return clouds.issue(*item[1])

    with ThreadPoolExecutor(THREADS) as pool:
        grants = list(pool.map(ask, enumerate(asked)))
    tokens = {grant.value.get_secret_value() for grant in grants if grant.expires_at is not None}
    # Two mints by a key each, all different; the metadata server gives one and the same.
    assert len(tokens) == 3 * THREADS + 1
    assert all(
        aws.is_valid("aws", token) or google.is_valid("oauth2accesstoken", token)
        for token in tokens
    )
    assert [aws.mints("GetAuthorizationToken", key.principal) for key in keys] == [THREADS / 4] * 4
    assert aws.mints("GetAuthorizationToken", "arn:operator") == THREADS
    assert aws.mints("GetRepositoryEndpoint") == THREADS
    assert (google.mints("Token"), google.mints("Metadata")) == (THREADS, 1)


async def test_a_hanging_login_blocks_neither_the_event_loop_nor_another_login(
    aws: AwsStandIn,
) -> None:
    aws.inject("GetAuthorizationToken", Fault(hang_seconds=60), domain="hangs")
    material = sealed(aws.add_access_key().material())
    pool = CloudThreads(Providers(CodeArtifact(read_timeout=60, attempts=1), GoogleTokens()).issue)
    hanging = asyncio.create_task(pool.issue(token_request(domain="hangs"), material))
    called = lambda: aws.calls("GetAuthorizationToken") == 1  # noqa: E731
    await asyncio.to_thread(wait_until, called, "the login that hangs", 30)
    async with asyncio.timeout(30):
        granted = await pool.issue(token_request(domain="answers"), material)
    assert aws.is_valid("aws", granted.value.get_secret_value(), domain="answers")
    assert not hanging.done()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    pool.close()
