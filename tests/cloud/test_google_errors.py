"""Each way in which Google can say no, as real google-auth sees it."""

import json
import time
from pathlib import Path

import pytest

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.google.identities import ServiceURLs
from artifact_index.credentials.requests import NO_KEY_MATERIAL
from support.clouds import Fault, GoogleStandIn
from support.clouds.logins import OPERATOR, assert_lasts, google_client, google_request, sealed

pytestmark = pytest.mark.cloud

EMAIL = "ci@my-project.iam.gserviceaccount.com"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k"
HTML = {"Content-Type": "text/html"}


def refused(client: GoogleTokens, key_json: str) -> LoginError:
    with pytest.raises(LoginError) as caught:
        client.issue(google_request(), sealed({"key_json": key_json}))
    return caught.value


def refused_operator(client: GoogleTokens) -> LoginError:
    with pytest.raises(LoginError) as caught:
        client.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    return caught.value


@pytest.fixture
def federated(google: GoogleStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's identity is an external account that impersonates."""
    (tmp_path / "token").write_text("subject")
    google.trust_provider(AUDIENCE, lambda token: "principal://sa")
    google.allow_impersonation(EMAIL)
    path = f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    adc = tmp_path / "adc.json"
    adc.write_text(
        json.dumps(
            {
                "type": "external_account",
                "audience": AUDIENCE,
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "credential_source": {"file": str(tmp_path / "token")},
                "service_account_impersonation_url": f"https://iamcredentials.googleapis.com{path}",
            }
        )
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(adc))


TOKEN_CASES = [
    (Fault(400, "invalid_grant", "Invalid JWT Signature."), "InvalidCredential", True, None),
    (Fault(401, "invalid_client"), "InvalidCredential", True, None),
    (Fault(401, "unauthorized_client"), "InvalidCredential", True, None),
    (Fault(400, "invalid_scope"), "InvalidRequest", True, None),
    (Fault(403, "access_denied"), "AccessDenied", True, None),
    (Fault(400, "something_new"), "InvalidRequest", True, None),
    (Fault(429, "rate", headers={"Retry-After": "17"}), "CloudThrottled", False, 17),
    (Fault(429, headers=HTML, body="slow down"), "CloudThrottled", False, None),
    (Fault(503, "unavailable", headers={"Retry-After": "9"}), "CloudUnavailable", False, 9),
    (Fault(500, "internal_failure"), "CloudUnavailable", False, None),
    (Fault(400, "temporarily_unavailable"), "CloudUnavailable", False, None),
    (Fault(502, headers=HTML, body="<h1>bad gateway</h1>"), "CloudUnavailable", False, None),
    (Fault(404, headers=HTML, body="<h1>not here</h1>"), "CloudUnavailable", False, None),
    (Fault(403, headers=HTML, body="<h1>proxy</h1>"), "CloudUnavailable", False, None),
    (Fault(200, headers=HTML, body="<h1>portal</h1>"), "CloudUnavailable", False, None),
    (Fault(200, body="[]"), "CloudUnavailable", False, None),
    (Fault(200, body="{}"), "CloudUnavailable", False, None),
    (Fault(200, body='{"access_token": 5, "expires_in": 5}'), "CloudUnavailable", False, None),
    (Fault(200, body='{"access_token": "t", "expires_in": "x"}'), "CloudUnavailable", False, None),
    (
        Fault(200, body='{"access_token": "t", "expires_in": 1e300}'),
        "CloudUnavailable",
        False,
        None,
    ),
    (Fault(200, body='{"access_token": "t"}'), "UnknownExpiry", True, None),
    (Fault(200, body='{"access_token": "t", "expires_in": null}'), "UnknownExpiry", True, None),
    (Fault(200, body='{"access_token": "t", "expires_in": 0}'), "UnknownExpiry", True, None),
    (Fault(200, body='{"access_token": "t", "expires_in": -60}'), "UnknownExpiry", True, None),
    (Fault(reset=True), "CloudUnavailable", False, None),
]


@pytest.mark.parametrize(("fault", "reason", "permanent", "retry_after"), TOKEN_CASES)
def test_what_the_token_endpoint_says_to_a_key_is_classified(
    google: GoogleStandIn,
    google_tokens: GoogleTokens,
    fault: Fault,
    reason: str,
    permanent: bool,
    retry_after: float | None,
) -> None:
    google.inject("Token", fault)
    error = refused(google_tokens, google.make_key_json(EMAIL))
    assert (error.reason, error.permanent) == (reason, permanent)
    assert error.retry_after == retry_after
    assert error.unanswered == fault.reset


def test_a_deleted_key_is_an_invalid_credential_with_a_next_step(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    key = google.make_key_json(EMAIL)
    google.remove_keys(EMAIL)
    error = refused(google_tokens, key)
    assert (error.reason, error.permanent) == ("InvalidCredential", True)
    assert "invalid_grant" in error.message
    assert "store a new key" in error.message


def test_a_number_of_seconds_written_as_text_is_understood(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    google.inject("Token", Fault(200, body='{"access_token": "t", "expires_in": "600"}'))
    key = sealed({"key_json": google.make_key_json(EMAIL)})
    since = time.time()
    assert_lasts(google_tokens.issue(google_request(), key), 600, since=since)


def test_a_passing_fault_is_overcome_within_one_call(google: GoogleStandIn) -> None:
    google.inject("Token", Fault(503, "unavailable"), times=1)
    key = sealed({"key_json": google.make_key_json(EMAIL)})
    google_client(google).issue(google_request(), key)
    assert (google.calls("Token"), google.mints("Token")) == (2, 1)


def test_throttling_is_not_answered_with_more_requests(google: GoogleStandIn) -> None:
    google.inject("Token", Fault(429, "rate"))
    refused(google_client(google), google.make_key_json(EMAIL))
    assert google.calls("Token") == 1


def test_nobody_listening_is_retried(google: GoogleStandIn, google_tokens: GoogleTokens) -> None:
    key = google.make_key_json(EMAIL)
    google.stop()
    error = refused(google_tokens, key)
    assert (error.reason, error.permanent) == ("CloudUnavailable", False)
    assert "did not answer (connection refused): check" in error.message


def test_an_unknown_host_is_not_called_slow(google: GoogleStandIn) -> None:
    client = GoogleTokens(ServiceURLs(token_url="https://no-such-host.invalid/token"))
    error = refused(client, google.make_key_json(EMAIL))
    assert "did not answer (its host name is not found): check" in error.message


@pytest.mark.parametrize("operation", ["Token", "MetadataInfo", "Metadata"])
def test_a_hanging_endpoint_ends_within_the_time_limits(
    google: GoogleStandIn, operation: str
) -> None:
    google.metadata_email = EMAIL
    google.inject(operation, Fault(hang_seconds=60))
    client = google_client(google, read_timeout=0.3)
    started = time.monotonic()
    if operation == "Token":
        error = refused(client, google.make_key_json(EMAIL))
        assert "did not answer (timed out): check" in error.message
    else:
        error = refused_operator(client)
    assert time.monotonic() - started < 30
    assert error.reason in ("CloudUnavailable", "NoOperatorIdentity")
    assert error.unanswered == (error.reason == "CloudUnavailable")


METADATA_CASES = [
    (Fault(404, "NotFound"), "NoOperatorIdentity", True),
    (Fault(403, "Forbidden"), "AccessDenied", True),
    (
        Fault(500, message="Unable to generate access token; IAM returned 403 Forbidden: …"),
        "AccessDenied",
        True,
    ),
    (Fault(500, "oops"), "CloudUnavailable", False),
    (Fault(503, "oops"), "CloudUnavailable", False),
    (Fault(429, "oops"), "CloudThrottled", False),
    (Fault(200, body="{}"), "CloudUnavailable", False),
    (Fault(200, body="nonsense"), "CloudUnavailable", False),
    (Fault(200, body='{"access_token": "t"}'), "UnknownExpiry", True),
]


@pytest.mark.parametrize(("fault", "reason", "permanent"), METADATA_CASES)
def test_what_the_metadata_server_says_is_classified(
    google: GoogleStandIn, google_tokens: GoogleTokens, fault: Fault, reason: str, permanent: bool
) -> None:
    google.metadata_email = EMAIL
    google.inject("Metadata", fault)
    error = refused_operator(google_tokens)
    assert (error.reason, error.permanent) == (reason, permanent)


FEDERATED_CASES = [
    ("Exchange", Fault(400, "invalid_grant"), "InvalidCredential", True),
    ("Exchange", Fault(400, "invalid_target"), "InvalidRequest", True),
    ("Exchange", Fault(403, "access_denied"), "AccessDenied", True),
    ("Exchange", Fault(503, "unavailable"), "CloudUnavailable", False),
    ("Exchange", Fault(429, "rate"), "CloudThrottled", False),
    ("Exchange", Fault(200, body="nonsense"), "CloudUnavailable", False),
    ("Exchange", Fault(200, body='{"access_token": "t"}'), "UnknownExpiry", True),
    ("GenerateAccessToken", Fault(403, "PERMISSION_DENIED"), "AccessDenied", True),
    ("GenerateAccessToken", Fault(404, "NOT_FOUND"), "CloudResourceNotFound", True),
    ("GenerateAccessToken", Fault(400, "INVALID_ARGUMENT"), "InvalidRequest", True),
    ("GenerateAccessToken", Fault(401, "UNAUTHENTICATED"), "InvalidCredential", True),
    ("GenerateAccessToken", Fault(429, "RESOURCE_EXHAUSTED"), "CloudThrottled", False),
    ("GenerateAccessToken", Fault(503, "UNAVAILABLE"), "CloudUnavailable", False),
    ("GenerateAccessToken", Fault(200, body="{}"), "CloudUnavailable", False),
]


@pytest.mark.usefixtures("federated")
@pytest.mark.parametrize(("operation", "fault", "reason", "permanent"), FEDERATED_CASES)
def test_what_a_federated_identity_is_told_is_classified(
    google: GoogleStandIn,
    google_tokens: GoogleTokens,
    operation: str,
    fault: Fault,
    reason: str,
    permanent: bool,
) -> None:
    google.inject(operation, fault)
    error = refused_operator(google_tokens)
    assert (error.reason, error.permanent) == (reason, permanent)


@pytest.mark.usefixtures("federated")
def test_a_denied_impersonation_names_the_permission(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    google.allow_impersonation(EMAIL, principal="somebody else")
    error = refused_operator(google_tokens)
    assert error.reason == "AccessDenied"
    assert "iam.serviceAccounts.getAccessToken" in error.message
