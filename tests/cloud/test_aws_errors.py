"""Each way in which CodeArtifact can say no, as real boto3 sees it."""

import time
from email.utils import formatdate

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.errors import LoginError
from support.clouds import AwsStandIn, Fault
from support.clouds.logins import endpoint_request, sealed, token_request
from support.control_plane import wait_until

pytestmark = pytest.mark.cloud

TOKEN, ENDPOINT = "GetAuthorizationToken", "GetRepositoryEndpoint"
DOMAIN_ARN = "arn:aws:codeartifact:eu-west-1:111122223333:domain/acme"
REPOSITORY_ARN = "arn:aws:codeartifact:eu-west-1:111122223333:repository/acme/python"


def refused(client: CodeArtifact, aws: AwsStandIn, operation: str = TOKEN) -> LoginError:
    material = sealed(aws.add_access_key().material())
    with pytest.raises(LoginError) as caught:
        if operation == TOKEN:
            client.issue(token_request(), material)
        else:
            client.endpoint(endpoint_request(), material)
    return caught.value


MUST_ACT = [
    (
        TOKEN,
        Fault(
            403,
            "AccessDeniedException",
            "User: arn:aws:sts::111122223333:assumed-role/ci/session-17 is not authorized to "
            f"perform: sts:GetServiceBearerToken on resource: {DOMAIN_ARN}",
        ),
        "AccessDenied",
        [
            "sts:GetServiceBearerToken is missing",
            "codeartifact:GetAuthorizationToken",
            DOMAIN_ARN,
            "sts:DurationSeconds",
            "43200s",
            "assumed-role/ci)",
        ],
    ),
    (TOKEN, Fault(403, "AccessDeniedException"), "AccessDenied", ["sts:GetServiceBearerToken"]),
    (
        ENDPOINT,
        Fault(403, "AccessDeniedException"),
        "AccessDenied",
        ["codeartifact:GetRepositoryEndpoint", REPOSITORY_ARN],
    ),
    (
        TOKEN,
        Fault(404, "ResourceNotFoundException", extra={"resourceType": "domain"}),
        "CloudResourceNotFound",
        [DOMAIN_ARN, "domain"],
    ),
    (
        ENDPOINT,
        Fault(404, "ResourceNotFoundException"),
        "CloudResourceNotFound",
        [REPOSITORY_ARN],
    ),
    (
        TOKEN,
        Fault(400, "ValidationException", extra={"reason": "FIELD_VALIDATION_FAILED"}),
        "InvalidRequest",
        ["FIELD_VALIDATION_FAILED", "tokenDuration 43200s"],
    ),
    (TOKEN, Fault(403, "UnrecognizedClientException"), "InvalidCredential", ["access key"]),
    (TOKEN, Fault(403, "InvalidSignatureException"), "InvalidCredential", ["access key"]),
    (TOKEN, Fault(403, "ExpiredTokenException"), "InvalidCredential", ["session token"]),
    (TOKEN, Fault(403, "InvalidClientTokenId"), "InvalidCredential", ["access key"]),
    (TOKEN, Fault(404, "UnknownOperationException"), "InvalidRequest", []),
    (TOKEN, Fault(403, "SomethingNewException"), "AccessDenied", []),
    (TOKEN, Fault(400, "SomethingNewException"), "InvalidRequest", ["SomethingNewException"]),
]


@pytest.mark.parametrize(("operation", "fault", "reason", "words"), MUST_ACT)
def test_what_the_user_must_change_is_permanent_and_says_what(
    aws: AwsStandIn,
    code_artifact: CodeArtifact,
    operation: str,
    fault: Fault,
    reason: str,
    words: list[str],
) -> None:
    aws.inject(operation, fault)
    error = refused(code_artifact, aws, operation)
    assert (error.reason, error.permanent, error.retry_after) == (reason, True, None)
    for word in words:
        assert word in error.message
    # For the log alone: the messages of repeated failures are equal.
    assert error.request_id and error.request_id not in error.message


HTML = {"Content-Type": "text/html"}
RETRY = [
    (Fault(429, "ThrottlingException", headers={"Retry-After": "17"}), "CloudThrottled", 17),
    (Fault(429, "ThrottlingException"), "CloudThrottled", None),
    (Fault(429, "ThrottlingException", headers={"Retry-After": "soon"}), "CloudThrottled", None),
    (Fault(429, "ThrottlingException", headers={"Retry-After": "1.5"}), "CloudThrottled", 2),
    (Fault(429, headers=HTML, body="<h1>slow down</h1>"), "CloudThrottled", None),
    (
        Fault(429, "ThrottlingException", headers={"x-amz-retry-after": "9e4"}),
        "CloudThrottled",
        None,
    ),
    (
        Fault(429, "ThrottlingException", headers={"x-amz-retry-after": "90000"}),
        "CloudThrottled",
        90,
    ),
    (
        Fault(503, "SlowDown", headers={"Retry-After": "5", "x-amz-retry-after": "90000"}),
        "CloudUnavailable",
        90,
    ),
    (Fault(400, "Throttling"), "CloudThrottled", None),
    (Fault(500, "InternalServerException"), "CloudUnavailable", None),
    (Fault(503, "SomethingElse", headers={"Retry-After": "5"}), "CloudUnavailable", 5),
    (Fault(502, headers=HTML, body="<h1>bad gateway</h1>"), "CloudUnavailable", None),
    (Fault(403, headers=HTML, body="<h1>proxy says no</h1>"), "CloudUnavailable", None),
    (Fault(404, headers=HTML, body="<h1>no such page</h1>"), "CloudUnavailable", None),
    (Fault(407, body=""), "CloudUnavailable", None),
    (Fault(200, body="<html>captive portal</html>"), "CloudUnavailable", None),
    (Fault(200, body=""), "CloudUnavailable", None),
    (Fault(200, body="[]"), "CloudUnavailable", None),
    (Fault(200, body='{"authorizationToken": 5, "expiration": 1}'), "CloudUnavailable", None),
    (Fault(200, body='{"authorizationToken": "t", "expiration": "x"}'), "CloudUnavailable", None),
    (Fault(reset=True), "CloudUnavailable", None),
]


@pytest.mark.parametrize(("fault", "reason", "retry_after"), RETRY)
def test_what_passes_by_itself_is_retried_as_asked(
    aws: AwsStandIn,
    code_artifact: CodeArtifact,
    fault: Fault,
    reason: str,
    retry_after: float | None,
) -> None:
    aws.inject(TOKEN, fault)
    error = refused(code_artifact, aws)
    assert (error.reason, error.permanent) == (reason, False)
    assert error.retry_after == retry_after
    assert error.unanswered == fault.reset


def test_a_retry_after_in_the_form_of_a_date_is_understood(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    date = formatdate(time.time() + 90, usegmt=True)
    aws.inject(TOKEN, Fault(429, "ThrottlingException", headers={"Retry-After": date}))
    error = refused(code_artifact, aws)
    assert error.reason == "CloudThrottled"
    assert error.retry_after is not None
    assert 60 < error.retry_after <= 90


@pytest.mark.parametrize(
    "body", ['{"authorizationToken": "t"}', '{"authorizationToken": "t", "expiration": 1000}']
)
def test_a_token_without_a_future_expiry_is_refused(
    aws: AwsStandIn, code_artifact: CodeArtifact, body: str
) -> None:
    aws.inject(TOKEN, Fault(200, body=body))
    error = refused(code_artifact, aws)
    assert (error.reason, error.permanent) == ("UnknownExpiry", True)


@pytest.mark.parametrize("body", ["{}", '{"repositoryEndpoint": "ftp://x/"}', "nonsense"])
def test_an_endpoint_that_is_no_url_is_garbage(
    aws: AwsStandIn, code_artifact: CodeArtifact, body: str
) -> None:
    aws.inject(ENDPOINT, Fault(200, body=body))
    assert refused(code_artifact, aws, ENDPOINT).reason == "CloudUnavailable"


def test_a_wrong_secret_key_is_refused_by_the_signature(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    material = aws.add_access_key(session=True).material() | {"secret_access_key": "wrong" * 8}
    with pytest.raises(LoginError) as caught:
        code_artifact.issue(token_request(), sealed(material))
    assert (caught.value.reason, caught.value.permanent) == ("InvalidCredential", True)
    assert "InvalidSignatureException" in caught.value.message


def test_expired_session_keys_are_an_invalid_credential(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    key = aws.add_access_key(session=True)
    aws.expire_access_key(key.access_key_id)
    with pytest.raises(LoginError) as caught:
        code_artifact.issue(token_request(), sealed(key.material()))
    assert caught.value.reason == "InvalidCredential"
    assert "ExpiredTokenException" in caught.value.message


def test_a_hanging_endpoint_ends_within_the_time_limits(aws: AwsStandIn) -> None:
    aws.inject(TOKEN, Fault(hang_seconds=60))
    client = CodeArtifact(connect_timeout=0.3, read_timeout=0.3, attempts=2)
    started = time.monotonic()
    error = refused(client, aws)
    assert (error.reason, error.permanent) == ("CloudUnavailable", False)
    assert error.unanswered
    assert time.monotonic() - started < 30
    # A busy stand-in may read a request only after nobody waits for its answer any more.
    wait_until(lambda: aws.calls(TOKEN) == 2, "both attempts to arrive", 30)


def test_nobody_listening_is_retried(aws: AwsStandIn, code_artifact: CodeArtifact) -> None:
    material = sealed(aws.add_access_key().material())
    aws.stop()
    with pytest.raises(LoginError) as caught:
        code_artifact.issue(token_request(), material)
    assert (caught.value.reason, caught.value.permanent) == ("CloudUnavailable", False)
    assert "eu-west-1" in caught.value.message


@pytest.mark.parametrize("region", ["not a region", "eu_west_1", "-x", "https://evil"])
def test_a_malformed_region_is_the_users_to_correct(
    aws: AwsStandIn, code_artifact: CodeArtifact, region: str
) -> None:
    with pytest.raises(LoginError) as caught:
        code_artifact.issue(token_request(region=region), sealed(aws.add_access_key().material()))
    assert (caught.value.reason, caught.value.permanent) == ("InvalidRequest", True)
    assert aws.calls() == 0


def test_a_repeated_failure_has_the_same_message_each_time(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    messages = set()
    for session in ("session-1", "session-2"):
        text = f"User: arn:aws:sts::111122223333:assumed-role/ci/{session} is not authorized"
        aws.inject(TOKEN, Fault(403, "AccessDeniedException", text), times=1)
        messages.add(refused(code_artifact, aws).message)
    assert len(messages) == 1
