"""How an exchange of a ServiceAccount's token can fail at every registry."""

import json
from typing import Any

import pytest

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.exchange.client import ExchangedTokens
from artifact_index.credentials.requests import SUBJECT_TOKEN
from artifact_index.credentials.web.http import HttpClient
from support.clouds import Fault
from support.clouds.exchanges import ExchangeStandIn
from support.clouds.exchanging import AUDIENCE, CANARY, LEAST, PRESETS, refused, request_of
from support.clouds.logins import sealed
from support.clouds.signed_tokens import SignedTokens

pytestmark = pytest.mark.cloud

HTML = {"Content-Type": "text/html"}
FAULTS = [
    (Fault(429, headers={"Retry-After": "3304"}), "CloudThrottled", 3304),
    (Fault(500), "CloudUnavailable", None),
    (Fault(503, headers={"Retry-After": "9"}), "CloudUnavailable", 9),
    (Fault(503, headers=HTML, body=f"<h1>{CANARY}</h1>"), "CloudUnavailable", None),
    (Fault(504), "CloudUnavailable", None),
    (Fault(200, headers=HTML, body=f"<h1>{CANARY}</h1>"), "CloudUnavailable", None),
    (Fault(403, headers=HTML, body=f"<h1>{CANARY}</h1>"), "CloudUnavailable", None),
    (Fault(200, body="[]"), "CloudUnavailable", None),
    (Fault(200, body="{}"), "CloudUnavailable", None),
    (Fault(200, body="\ud800".encode("utf-8", "surrogatepass").decode("latin-1")),
     "CloudUnavailable", None),
    (Fault(200, body='{"access_token": 5, "token": 5, "expires_in": 900}'),
     "CloudUnavailable", None),
    (Fault(200, body='{"access_token": "a\\nb", "token": "a\\nb", "expires_in": 900}'),
     "CloudUnavailable", None),
    (Fault(200, body='{"access_token": "", "token": "", "expires_in": 900}'),
     "CloudUnavailable", None),
    (Fault(200, body=json.dumps({"access_token": "t", "token": "t", "x": CANARY * 60_000})),
     "CloudUnavailable", None),
    (Fault(200, body="[" * 1_000_000), "CloudUnavailable", None),
    (Fault(reset=True), "CloudUnavailable", None),
]  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("fault", "reason", "retry_after"), FAULTS)
def test_a_failure_of_the_service_is_tried_again(
    registry: ExchangeStandIn,
    exchange: Any,
    preset: str,
    fault: Fault,
    reason: str,
    retry_after: float | None,
) -> None:
    registry.inject(PRESETS[preset], fault)
    error = refused(exchange, preset)
    assert (error.reason, error.permanent, error.retry_after) == (reason, False, retry_after)
    assert registry.calls() == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_redirect_is_not_followed(
    registry: ExchangeStandIn, exchange: Any, preset: str, status: int
) -> None:
    with ExchangeStandIn() as thief:
        registry.inject(PRESETS[preset], Fault(status, headers={"Location": f"{thief.url}/token"}))
        error = refused(exchange, preset)
        assert thief.calls() == 0
    assert (error.reason, error.permanent) == ("InvalidRequest", True)
    assert f"HTTP {status}" in error.message


def test_silence_ends_by_the_time_limit(registry: ExchangeStandIn, cluster: SignedTokens) -> None:
    registry.inject("JFrog", Fault(hang_seconds=60))
    client = ExchangedTokens(HttpClient(connect_timeout=1, read_timeout=0.2), least_life=LEAST)
    with pytest.raises(LoginError) as caught:
        token = sealed({SUBJECT_TOKEN: cluster.token(AUDIENCE)})
        client.issue(request_of(registry, "jfrog"), token)
    assert caught.value.reason == "CloudUnavailable" and caught.value.unanswered
    assert "timed out" in caught.value.message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("invalid_target", "InvalidRequest"),
        ("invalid_scope", "InvalidRequest"),
        ("invalid_client", "InvalidCredential"),
        ("unauthorized_client", "InvalidCredential"),
        ("invalid_grant", "InvalidCredential"),
        ("invalid_request", "InvalidCredential"),
        (CANARY, "InvalidCredential"),
    ],
)
def test_the_codes_of_oauth_are_told_apart(
    registry: ExchangeStandIn, exchange: Any, code: str, reason: str
) -> None:
    registry.inject("RFC8693", Fault(400, code, CANARY))
    error = refused(exchange, "rfc8693")
    assert error.reason == reason
    assert (code if code != CANARY else "HTTP 400") in error.message


def test_a_token_that_would_log_in_at_the_api_server_is_not_sent(
    registry: ExchangeStandIn, exchange: Any, cluster: SignedTokens
) -> None:
    error = refused(exchange, "jfrog", subject=cluster.token(AUDIENCE, iss=AUDIENCE))
    assert error.reason == "InvalidRequest" and "API server" in error.message
    assert registry.calls() == 0
