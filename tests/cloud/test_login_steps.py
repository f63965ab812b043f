"""Web identity, assumed roles, federation and impersonation: answers and refusals."""

import time

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
)
from support.clouds import AwsStandIn, Fault, GoogleStandIn
from support.clouds.logins import (
    OPERATOR,
    assert_lasts,
    endpoint_request,
    google_request,
    sealed,
    token_request,
)
from support.clouds.steps import (
    ASSUME,
    AWS_ACCOUNT,
    GOOGLE_ACCOUNT,
    LAST,
    PERSON,
    PROVIDER,
    READER,
    ROLE,
    STEP,
    TOKEN,
    WEB,
    refused,
)

pytestmark = pytest.mark.cloud


def test_every_step_uses_what_the_one_before_gave(
    trusting: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    grant = code_artifact.issue(token_request(AWS_ACCOUNT, role=STEP), TOKEN)
    assert trusting.is_valid("aws", grant.value.get_secret_value())
    last = "arn:aws:sts::444455556666:assumed-role/reader/builders@artifact-index-operator"
    assert trusting.mints("GetAuthorizationToken", last) == 1
    web, assumed = trusting.sts_requests
    assert (web["RoleSessionName"], web["DurationSeconds"]) == ("builders@builder", "900")
    assert (assumed["ExternalId"], assumed["DurationSeconds"]) == ("id-7", "900")
    assert grant.expires_at is not None and grant.expires_at - grant.issued_at > 43_000


def test_a_repositorys_url_is_asked_for_by_the_same_steps(
    trusting: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    code_artifact.endpoint(endpoint_request(AWS_ACCOUNT, role=STEP), TOKEN)
    assert trusting.mints("GetRepositoryEndpoint") == 1
    assert [request["Action"] for request in trusting.sts_requests] == [WEB, ASSUME]


def test_a_session_of_a_chain_is_never_asked_for_longer_than_aws_grants(
    trusting: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    since = time.time()
    grant = code_artifact.issue(token_request(AWS_ACCOUNT, duration=0, role=STEP), TOKEN)
    assert_lasts(grant, 3600, since=since)
    assert [request["DurationSeconds"] for request in trusting.sts_requests] == ["3600", "3600"]


def test_an_invalid_identity_token_is_tried_again_within_the_attempt(
    trusting: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    trusting.inject(WEB, Fault(400, "InvalidIdentityToken"), times=2)
    code_artifact.issue(token_request(AWS_ACCOUNT), TOKEN)
    assert trusting.calls(WEB) == 3
    trusting.inject(WEB, Fault(400, "InvalidIdentityToken"))
    error = refused(code_artifact, token_request(AWS_ACCOUNT))
    assert (error.reason, error.permanent) == ("InvalidCredential", True)
    assert trusting.calls(WEB) == 6


AWS_CASES = [
    (WEB, Fault(403, "AccessDenied"), "AccessDenied", True, "sts:AssumeRoleWithWebIdentity"),
    (WEB, Fault(403, "IDPRejectedClaim"), "InvalidCredential", True, "IAM OIDC provider"),
    (WEB, Fault(400, "ExpiredTokenException"), "InvalidCredential", True, "ExpiredToken"),
    (WEB, Fault(400, "IDPCommunicationError"), "CloudUnavailable", False, WEB),
    (WEB, Fault(403, "RegionDisabledException"), "InvalidRequest", True, "codeArtifact.region"),
    (WEB, Fault(400, "ValidationError"), "InvalidRequest", True, ROLE),
    (WEB, Fault(400, "Throttling"), "CloudThrottled", False, WEB),
    (WEB, Fault(503, "ServiceUnavailable"), "CloudUnavailable", False, WEB),
    (WEB, Fault(200, body="nonsense"), "CloudUnavailable", False, "AWS STS"),
    (WEB, Fault(200, body="<a/>"), "CloudUnavailable", False, "AWS STS"),
    (WEB, Fault(reset=True), "CloudUnavailable", False, "AWS STS"),
    (ASSUME, Fault(403, "AccessDenied"), "AccessDenied", True, "external ID id-7"),
    (ASSUME, Fault(400, "ValidationError"), "InvalidRequest", True, "codeArtifact.assumeRole"),
    (ASSUME, Fault(403, "ExpiredToken"), "InvalidCredential", True, "ExpiredToken"),
    (ASSUME, Fault(500, "InternalFailure"), "CloudUnavailable", False, ASSUME),
    (ASSUME, Fault(reset=True), "CloudUnavailable", False, "AWS STS"),
]


@pytest.mark.parametrize(("operation", "fault", "reason", "permanent", "word"), AWS_CASES)
def test_a_refused_step_is_classified_and_names_what_to_change(
    trusting: AwsStandIn,
    code_artifact: CodeArtifact,
    operation: str,
    fault: Fault,
    reason: str,
    permanent: bool,
    word: str,
) -> None:
    trusting.inject(operation, fault)
    error = refused(code_artifact, token_request(AWS_ACCOUNT, role=STEP))
    assert (error.reason, error.permanent) == (reason, permanent)
    assert word in error.message
    assert trusting.calls("GetAuthorizationToken") == 0


def test_a_denial_of_the_last_call_names_the_role_that_asked(
    trusting: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    trusting.inject("GetAuthorizationToken", Fault(403, "AccessDeniedException"))
    assert f"role {LAST}" in refused(code_artifact, token_request(AWS_ACCOUNT, role=STEP)).message
    assert f"role {ROLE}" in refused(code_artifact, token_request(AWS_ACCOUNT)).message


def test_web_identity_never_searches_for_an_identity_of_the_operator(
    trusting: AwsStandIn, code_artifact: CodeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in trusting.imds_env().items():
        monkeypatch.setenv(name, value)
    code_artifact.issue(token_request(AWS_ACCOUNT), TOKEN)
    assert trusting.calls("Imds") == trusting.calls("ImdsToken") == 0


GOOGLE_CASES = [
    ("Exchange", Fault(400, "invalid_grant"), "InvalidCredential", True, "allowed audiences"),
    ("Exchange", Fault(400, "invalid_target"), "InvalidRequest", True, "serviceAccountRef"),
    ("Exchange", Fault(503, "unavailable"), "CloudUnavailable", False, "token service"),
    ("Exchange", Fault(429, "rate"), "CloudThrottled", False, "throttles"),
    ("Exchange", Fault(reset=True), "CloudUnavailable", False, "(connection reset)"),
    ("GenerateAccessToken", Fault(403, "PERMISSION_DENIED"), "AccessDenied", True, READER),
    ("GenerateAccessToken", Fault(404, "NOT_FOUND"), "CloudResourceNotFound", True, READER),
    ("GenerateAccessToken", Fault(400, "INVALID_ARGUMENT"), "InvalidRequest", True, "delegates"),
    ("GenerateAccessToken", Fault(503, "UNAVAILABLE"), "CloudUnavailable", False, "Credentials"),
    ("GenerateAccessToken", Fault(200, body="{}"), "CloudUnavailable", False, "not Google"),
]


@pytest.mark.parametrize(("operation", "fault", "reason", "permanent", "word"), GOOGLE_CASES)
def test_a_refused_exchange_or_impersonation_is_classified(
    federated: GoogleStandIn,
    google_tokens: GoogleTokens,
    operation: str,
    fault: Fault,
    reason: str,
    permanent: bool,
    word: str,
) -> None:
    federated.allow_impersonation(READER)
    federated.inject(operation, fault)
    error = refused(google_tokens, google_request(GOOGLE_ACCOUNT, PERSON))
    assert (error.reason, error.permanent) == (reason, permanent)
    assert word in error.message


@pytest.mark.parametrize(
    ("operation", "fault", "reason", "permanent", "word"),
    [case for case in GOOGLE_CASES if case[0] == "GenerateAccessToken"],
)
def test_a_refused_impersonation_is_not_taken_for_the_metadata_servers_answer(
    google: GoogleStandIn,
    google_tokens: GoogleTokens,
    operation: str,
    fault: Fault,
    reason: str,
    permanent: bool,
    word: str,
) -> None:
    google.metadata_email = "operator@acme-build.example"
    google.inject(operation, fault)
    error = refused(google_tokens, google_request(OPERATOR, PERSON), NO_KEY_MATERIAL)
    assert (error.reason, error.permanent) == (reason, permanent)
    assert word in error.message


def test_a_federated_token_dies_with_the_token_it_was_exchanged_for(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    google.trust_provider(PROVIDER, lambda token: "sa")
    google.cap_seconds = 900
    since = time.time()
    assert_lasts(google_tokens.issue(google_request(GOOGLE_ACCOUNT), TOKEN), 900, since=since)


def test_google_is_told_for_whom_each_request_is(
    federated: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    federated.allow_impersonation(READER)
    google_tokens.issue(google_request(GOOGLE_ACCOUNT, PERSON), TOKEN)
    key = sealed({"key_json": federated.make_key_json("ci@acme.example")})
    google_tokens.issue(google_request(), key)
    federated.metadata_email = READER
    google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    name = "artifact-index-operator"
    assert federated.reasons[:3] == [f"{name} builders/builder"] * 2 + [f"{name} builders"]
    assert set(federated.reasons[3:]) == {name}
