"""The pages on the clouds quote what the operator says: each message here, as it is said."""

import asyncio
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.aws.requests import AssumedRole
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.google.requests import Impersonation
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    SUBJECT_TOKEN,
    KeyMaterial,
    ServiceAccountIdentity,
)
from artifact_index.kube.errors import ApiError
from artifact_index.service_account_tokens import ServiceAccountTokens
from artifact_index.sources.base import RefusedServiceAccount, SourceServiceAccount
from support.clouds import AwsStandIn, Fault, GoogleStandIn
from support.clouds.logins import (
    OPERATOR,
    endpoint_request,
    google_request,
    sealed,
    token_request,
)
from support.memory_port import MemoryPort
from support.reconcile_builders import (
    HOUR,
    NOW,
    POLICY,
    first_problem,
    index,
    index_state,
    inputs_of,
    issued_token,
    source,
    token_state_of,
)

pytestmark = pytest.mark.cloud

DOCS = Path(__file__).parents[2] / "docs" / "how-to"
ROLE = "arn:aws:iam::111122223333:role/builders"
READER = "reader@acme-build.iam.gserviceaccount.com"
PROVIDER = "projects/42/locations/global/workloadIdentityPools/builders/providers/main"
AWS_ACCOUNT = ServiceAccountIdentity("builders", "builder", "u", ("sts.amazonaws.com",), ROLE)
GOOGLE_ACCOUNT = ServiceAccountIdentity(
    "builders", "builder", "u", (f"https://iam.googleapis.com/{PROVIDER}",), PROVIDER
)
STEP = AssumedRole(ROLE, "builders@artifact-index-operator", "customer-7")
TOKEN = sealed({SUBJECT_TOKEN: "token"})
KEYS = sealed({"access_key_id": "AKIAEXAMPLE", "secret_access_key": "x" * 40})
ARN = "arn:aws:sts::111122223333:assumed-role/builders/builders@builder"


def assert_quoted(page: str, message: str) -> None:
    """The page has the message in it, on however many lines."""
    text = " ".join((DOCS / page).read_text().split())
    shown = textwrap.fill(message, 96, break_long_words=False, break_on_hyphens=False)
    assert message in text, f"docs/how-to/{page} does not quote:\n{shown}"


def refusal(ask: Callable[[], object]) -> str:
    with pytest.raises(LoginError) as caught:
        ask()
    return caught.value.message


def case_name(operation: str, fault: Fault) -> str:
    what = fault.code or fault.body or ("hangs" if fault.hang_seconds else "is reset")
    return f"{operation} {what}" if operation else "nothing"


AWS_CASES: list[tuple[str, Fault, Any, KeyMaterial]] = [
    (
        "GetAuthorizationToken",
        Fault(
            403,
            "AccessDeniedException",
            f"User: {ARN} is not authorized to perform: sts:GetServiceBearerToken",
        ),
        token_request(AWS_ACCOUNT),
        TOKEN,
    ),
    (
        "GetAuthorizationToken",
        Fault(404, "ResourceNotFoundException"),
        token_request(AWS_ACCOUNT),
        TOKEN,
    ),
    (
        "GetAuthorizationToken",
        Fault(400, "ValidationException", extra={"reason": "FIELD_VALIDATION_FAILED"}),
        token_request(AWS_ACCOUNT),
        TOKEN,
    ),
    ("GetAuthorizationToken", Fault(429, "ThrottlingException"), token_request(AWS_ACCOUNT), TOKEN),
    ("GetAuthorizationToken", Fault(403, "UnrecognizedClientException"), token_request(), KEYS),
    ("GetAuthorizationToken", Fault(403, "ExpiredTokenException"), token_request(), KEYS),
    ("GetAuthorizationToken", Fault(500, "InternalServerException"), token_request(), KEYS),
    ("GetAuthorizationToken", Fault(reset=True), token_request(), KEYS),
    ("GetAuthorizationToken", Fault(hang_seconds=60), token_request(), KEYS),
    ("GetAuthorizationToken", Fault(200, body="<html>a proxy</html>"), token_request(), KEYS),
    (
        "GetAuthorizationToken",
        Fault(200, body='{"authorizationToken": "t"}'),
        token_request(),
        KEYS,
    ),
    ("AssumeRoleWithWebIdentity", Fault(403, "AccessDenied"), token_request(AWS_ACCOUNT), TOKEN),
    (
        "AssumeRoleWithWebIdentity",
        Fault(400, "InvalidIdentityToken"),
        token_request(AWS_ACCOUNT),
        TOKEN,
    ),
    (
        "AssumeRole",
        Fault(403, "AccessDenied"),
        token_request(OPERATOR, role=STEP),
        NO_KEY_MATERIAL,
    ),
    ("", Fault(), token_request(OPERATOR), NO_KEY_MATERIAL),
]


@pytest.mark.parametrize(
    ("operation", "fault", "request_", "material"),
    AWS_CASES,
    ids=[case_name(operation, fault) for operation, fault, _, _ in AWS_CASES],
)
def test_what_aws_refuses_is_quoted(
    aws: AwsStandIn,
    code_artifact: CodeArtifact,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    fault: Fault,
    request_: Any,
    material: KeyMaterial,
) -> None:
    if operation == "AssumeRole":
        for name, value in aws.env(aws.add_access_key()).items():
            monkeypatch.setenv(name, value)
    aws.trust_web_identity(ROLE, lambda token: "sa")
    if operation:
        aws.inject(operation, fault)
    client = CodeArtifact(attempts=1, read_timeout=0.3) if fault.hang_seconds else code_artifact
    assert_quoted("aws.md", refusal(lambda: client.issue(request_, material)))


def test_a_url_that_may_not_be_asked_for_is_quoted(
    aws: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    aws.trust_web_identity(ROLE, lambda token: "sa")
    aws.inject("GetRepositoryEndpoint", Fault(403, "AccessDeniedException"))
    ask = lambda: code_artifact.endpoint(endpoint_request(AWS_ACCOUNT), TOKEN)  # noqa: E731
    assert_quoted("aws.md", refusal(ask))


GOOGLE_CASES: list[tuple[str, Fault, Any]] = [
    ("Exchange", Fault(400, "invalid_grant"), google_request(GOOGLE_ACCOUNT)),
    (
        "GenerateAccessToken",
        Fault(403, "PERMISSION_DENIED"),
        google_request(GOOGLE_ACCOUNT, Impersonation(READER, (), 3600)),
    ),
    (
        "GenerateAccessToken",
        Fault(400, "INVALID_ARGUMENT"),
        google_request(GOOGLE_ACCOUNT, Impersonation(READER, (), 43200)),
    ),
    ("Exchange", Fault(429, "rate"), google_request(GOOGLE_ACCOUNT)),
    ("Token", Fault(400, "invalid_grant"), google_request()),
    ("Token", Fault(503, "unavailable"), google_request()),
    ("Token", Fault(reset=True), google_request()),
    ("Token", Fault(200, body="a proxy's page"), google_request()),
    ("Token", Fault(200, body='{"access_token": "t"}'), google_request()),
    ("Metadata", Fault(403, "Forbidden"), google_request(OPERATOR)),
    ("", Fault(), google_request(OPERATOR)),
]


@pytest.mark.parametrize(
    ("operation", "fault", "request_"),
    GOOGLE_CASES,
    ids=[case_name(operation, fault) for operation, fault, _ in GOOGLE_CASES],
)
def test_what_google_refuses_is_quoted(
    google: GoogleStandIn,
    google_tokens: GoogleTokens,
    operation: str,
    fault: Fault,
    request_: Any,
) -> None:
    google.trust_provider(PROVIDER, lambda token: "sa")
    google.allow_impersonation(READER)
    material = TOKEN
    if operation == "Token":
        material = sealed({"key_json": google.make_key_json("ci@acme.example")})
    if operation == "Metadata":
        google.metadata_email = READER
    if operation:
        google.inject(operation, fault)
    else:
        google.stop()
    assert_quoted("google.md", refusal(lambda: google_tokens.issue(request_, material)))


def test_an_external_account_in_a_secret_is_quoted(google_tokens: GoogleTokens) -> None:
    material = sealed({"key_json": '{"type": "external_account"}'})
    assert_quoted("google.md", refusal(lambda: google_tokens.issue(google_request(), material)))


PLACES: dict[str, tuple[str, dict[str, Any]]] = {
    "aws.md": ("codeArtifact", {}),
    "google.md": (
        "googleArtifactRegistry",
        {"workloadIdentityProvider": PROVIDER},
    ),
}


@pytest.mark.parametrize("page", PLACES)
def test_what_the_operator_itself_refuses_is_quoted(page: str) -> None:
    kind, more = PLACES[page]
    account = source(kind, auth={"serviceAccountRef": {"name": "builder", **more}})
    own = source(kind, auth={"operatorIdentity": {}})

    def problem(spec: dict[str, Any], gathered: Any = None, **policy: Any) -> str:
        record = index(spec=spec)
        inputs = inputs_of(record, policy=replace(POLICY, **policy))
        found = first_problem(record, replace(inputs, account=gathered))
        assert found is not None
        return found.message

    for message in (
        problem(own, operator_identity=False),
        problem(own, operator_identity_limits=("nothing",)),
        problem(account, RefusedServiceAccount()),
    ):
        assert_quoted(page, message)
    if page == "aws.md":
        assert_quoted(page, problem(account, SourceServiceAccount("u", None, None)))


LAST_ERRORS = {
    "aws.md": "AWS failed to answer GetAuthorizationToken in eu-west-1 (InternalServerException); "
    "it is asked again",
    "google.md": "Google's token service failed to answer (unavailable); it is asked again",
}


@pytest.mark.parametrize("page", PLACES)
def test_a_token_that_could_not_be_replaced_is_quoted(page: str) -> None:
    error = LoginError(Reason.CLOUD_UNAVAILABLE, LAST_ERRORS[page])
    token_state = token_state_of(issued_token(life=12 * HOUR), error=error)
    seen = index_state(
        index(spec=source(PLACES[page][0])), token=token_state, now=NOW + 12 * HOUR - 1
    )
    assert seen.problem is not None and seen.problem.reason == "CredentialExpired"
    assert_quoted(page, seen.problem.message.partition(" (login of")[0])


@pytest.mark.parametrize(
    ("page", "request_"),
    [("aws.md", token_request(AWS_ACCOUNT)), ("google.md", google_request(GOOGLE_ACCOUNT))],
)
def test_a_token_request_that_is_denied_is_quoted(page: str, request_: Any) -> None:
    async def never(request: Any, material: Any) -> Any:
        raise AssertionError("the cloud must not be asked")

    port = MemoryPort()
    port.refuse = lambda verb, plural, name: ApiError(403, "Forbidden", "no")
    tokens = ServiceAccountTokens(port, never)
    message = refusal(lambda: asyncio.run(tokens.issue(request_, NO_KEY_MATERIAL)))
    assert_quoted(page, message)
