"""The pages on the clouds quote what the operator says: each message here, as it is said."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.aws.requests import AssumedRole
from artifact_index.credentials.azure.client import EntraTokens
from artifact_index.credentials.azure.requests import EntraTokenRequest
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
from support.clouds import AwsStandIn, EntraStandIn, Fault, GoogleStandIn
from support.clouds.entra import AUDIENCE, CLIENT, TENANT
from support.clouds.logins import (
    OPERATOR,
    endpoint_request,
    entra_request,
    google_request,
    sealed,
    token_request,
)
from support.clouds.signed_tokens import SignedTokens
from support.documented import assert_quoted
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
from support.sources import resolve

pytestmark = pytest.mark.cloud

ROLE = "arn:aws:iam::111122223333:role/builders"
READER = "reader@acme-build.iam.gserviceaccount.com"
PROVIDER = "projects/42/locations/global/workloadIdentityPools/builders/providers/main"
AWS_ACCOUNT = ServiceAccountIdentity("builders", "builder", "u", ("sts.amazonaws.com",), ROLE)
GOOGLE_ACCOUNT = ServiceAccountIdentity(
    "builders", "builder", "u", (f"https://iam.googleapis.com/{PROVIDER}",), PROVIDER
)
AZURE_ACCOUNT = ServiceAccountIdentity(
    "builders", "builder", "u", (AUDIENCE,), f"{TENANT}/{CLIENT}"
)
STEP = AssumedRole(ROLE, "builders@artifact-index-operator", "customer-7")
TOKEN = sealed({SUBJECT_TOKEN: "token"})
KEYS = sealed({"access_key_id": "AKIAEXAMPLE", "secret_access_key": "x" * 40})
ARN = "arn:aws:sts::111122223333:assumed-role/builders/builders@builder"


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


def entra_error(number: int, error: str = "invalid_client", status: int = 401) -> Fault:
    return Fault(status, error, f"AADSTS{number}: in words")


OWN_AZURE = EntraTokenRequest(OPERATOR, "Public")
AZURE_CASES: list[tuple[str, Fault, EntraTokenRequest]] = [
    *(
        ("Token", entra_error(number), entra_request(AZURE_ACCOUNT))
        for number in (700213, 700024, 700238)
    ),
    *(
        ("Token", entra_error(number), entra_request())
        for number in (7000215, 7000222, 700016, 53003, 900382)
    ),
    ("Token", entra_error(70011, "invalid_scope", 400), entra_request()),
    ("Token", Fault(429, body="Too Many Requests"), entra_request()),
    ("Token", Fault(503, body="<html>"), entra_request()),
    ("Token", Fault(reset=True), entra_request()),
    ("Token", Fault(200, body="a proxy's page"), entra_request()),
    ("Token", Fault(200, body='{"access_token": "t"}'), entra_request()),
    ("Metadata", Fault(400, "invalid_request", "Identity not found"), OWN_AZURE),
    ("", Fault(), OWN_AZURE),
]


@pytest.mark.parametrize(
    ("operation", "fault", "request_"),
    AZURE_CASES,
    ids=[f"{case_name(*case[:2])} {case[1].message[:13]}" for case in AZURE_CASES],
)
def test_what_entra_refuses_is_quoted(
    entra: EntraStandIn,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    fault: Fault,
    request_: EntraTokenRequest,
) -> None:
    material = sealed({"client_secret": "s"})
    if isinstance(request_.identity, ServiceAccountIdentity):
        material = sealed({SUBJECT_TOKEN: SignedTokens().token(AUDIENCE)})
    if operation:
        entra.inject(operation, fault)
    else:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    message = refusal(lambda: EntraTokens(entra.url).issue(request_, material))
    assert_quoted("azure.md", message)


@pytest.mark.parametrize("how", ["not PEM", "another's key"])
def test_a_certificate_that_cannot_be_used_is_quoted(entra: EntraStandIn, how: str) -> None:
    app = entra.add_app()
    certificate, _ = entra.make_certificate(app)
    _, key = entra.make_certificate(app)
    pair = {"certificate": certificate, "private_key": key}
    material = sealed(pair if how == "another's key" else {"certificate": "x"})
    message = refusal(lambda: EntraTokens(entra.url).issue(entra_request(), material))
    assert_quoted("azure.md", message)


PLACES: dict[str, tuple[str, dict[str, Any]]] = {
    "aws.md": ("codeArtifact", {}),
    "google.md": (
        "googleArtifactRegistry",
        {"workloadIdentityProvider": PROVIDER},
    ),
    "azure.md": ("azureArtifacts", {}),
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
    if page != "google.md":
        assert_quoted(page, problem(account, SourceServiceAccount("u")))


LAST_ERRORS = {
    "aws.md": "AWS failed to answer GetAuthorizationToken in eu-west-1 (InternalServerException); "
    "the operator tries again",
    "google.md": "Google's token service failed to answer (unavailable); the operator tries again",
    "azure.md": "Entra failed to answer (HTTP 503); the operator tries again",
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
    [
        ("aws.md", token_request(AWS_ACCOUNT)),
        ("google.md", google_request(GOOGLE_ACCOUNT)),
        ("azure.md", entra_request(AZURE_ACCOUNT)),
        ("jfrog.md", resolve(source("tokenExchange")).token),
    ],
)
def test_a_token_request_that_is_denied_is_quoted(page: str, request_: Any) -> None:
    async def never(request: Any, material: Any) -> Any:
        raise AssertionError("the cloud must not be asked")

    port = MemoryPort()
    port.refuse = lambda verb, plural, name: ApiError(403, "Forbidden", "no")
    tokens = ServiceAccountTokens(port, never)
    message = refusal(lambda: asyncio.run(tokens.issue(request_, NO_KEY_MATERIAL)))
    assert_quoted(page, message)
