"""Web identity, assumed roles, federation and impersonation: answers, refusals, leaks, cost."""

import gc
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.providers import Providers
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    SUBJECT_TOKEN,
    AssumedRole,
    Impersonation,
    SecretIdentity,
    ServiceAccountIdentity,
)
from artifact_index.credentials.sdk_logs import SDK_LOGGERS
from support.clouds import AwsStandIn, Fault, GoogleStandIn
from support.clouds.logins import (
    OPERATOR,
    assert_lasts,
    endpoint_request,
    google_client,
    google_request,
    sealed,
    token_request,
)
from support.control_plane import wait_until

pytestmark = pytest.mark.cloud

ROLE = "arn:aws:iam::111122223333:role/builders"
LAST = "arn:aws:iam::444455556666:role/reader"
PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s"
READER = "reader@acme-build.iam.gserviceaccount.com"
AWS_ACCOUNT = ServiceAccountIdentity("builders", "builder", "uid", ("sts.amazonaws.com",), ROLE)
GOOGLE_ACCOUNT = ServiceAccountIdentity("builders", "builder", "uid", ("x",), PROVIDER)
STEP = AssumedRole(LAST, "builders@artifact-index-operator", "id-7", (("team", "a"),))
PERSON = Impersonation(READER, (), 3600)
SUBJECT = "subject-token-canary"
TOKEN = sealed({SUBJECT_TOKEN: SUBJECT})
WEB, ASSUME = "AssumeRoleWithWebIdentity", "AssumeRole"


@pytest.fixture
def trusting(aws: AwsStandIn) -> AwsStandIn:
    """Both roles trust who is to have them."""
    aws.trust_web_identity(ROLE, lambda token: "sa" if token == SUBJECT else None)
    aws.trust_role(LAST, external_id="id-7")
    return aws


@pytest.fixture
def federated(google: GoogleStandIn) -> GoogleStandIn:
    google.trust_provider(PROVIDER, lambda token: "principal:sa" if token == SUBJECT else None)
    return google


def refused(client: CodeArtifact | GoogleTokens, request: Any, material: Any = TOKEN) -> LoginError:
    with pytest.raises(LoginError) as caught:
        client.mint(request, material)
    assert SUBJECT not in str(caught.value)
    return caught.value


def test_every_step_uses_what_the_one_before_gave(
    trusting: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    grant = code_artifact.mint(token_request(AWS_ACCOUNT, role=STEP), TOKEN)
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
    assert [one["Action"] for one in trusting.sts_requests] == [WEB, ASSUME]


def test_a_session_of_a_chain_is_never_asked_for_longer_than_aws_grants(
    trusting: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    since = time.time()
    grant = code_artifact.mint(token_request(AWS_ACCOUNT, duration=0, role=STEP), TOKEN)
    assert_lasts(grant, 3600, since=since)
    assert [one["DurationSeconds"] for one in trusting.sts_requests] == ["3600", "3600"]


def test_an_invalid_identity_token_is_tried_again_within_the_attempt(
    trusting: AwsStandIn, code_artifact: CodeArtifact
) -> None:
    trusting.inject(WEB, Fault(400, "InvalidIdentityToken"), times=2)
    code_artifact.mint(token_request(AWS_ACCOUNT), TOKEN)
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
    code_artifact.mint(token_request(AWS_ACCOUNT), TOKEN)
    assert trusting.calls("Imds") == trusting.calls("ImdsToken") == 0


GOOGLE_CASES = [
    ("Exchange", Fault(400, "invalid_grant"), "InvalidCredential", True, "allowed audiences"),
    ("Exchange", Fault(400, "invalid_target"), "InvalidRequest", True, "serviceAccountRef"),
    ("Exchange", Fault(503, "unavailable"), "CloudUnavailable", False, "token service"),
    ("Exchange", Fault(429, "rate"), "CloudThrottled", False, "throttles"),
    ("Exchange", Fault(reset=True), "CloudUnavailable", False, "did not answer"),
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
    assert_lasts(google_tokens.mint(google_request(GOOGLE_ACCOUNT), TOKEN), 900, since=since)


# Where the calls go


@contextmanager
def recording_proxy() -> Iterator[tuple[str, list[str]]]:
    """An HTTPS proxy that notes the host of each CONNECT and refuses it."""
    hosts: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    line = connection.recv(4096).decode().split(" ")
                    hosts.append(line[1].removesuffix(":443"))
                    connection.sendall(b"HTTP/1.1 502 Refused\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", hosts
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("region", "variables", "sts", "code_artifact_host"),
    [
        ("eu-west-1", {}, "sts.eu-west-1.amazonaws.com", "codeartifact.eu-west-1.amazonaws.com"),
        (
            "us-gov-west-1",
            {},
            "sts.us-gov-west-1.amazonaws.com",
            "codeartifact.us-gov-west-1.amazonaws.com",
        ),
        (
            "cn-north-1",
            {},
            "sts.cn-north-1.amazonaws.com.cn",
            "codeartifact.cn-north-1.amazonaws.com.cn",
        ),
        (
            "us-east-1",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "sts-fips.us-east-1.amazonaws.com",
            "codeartifact-fips.us-east-1.amazonaws.com",
        ),
        (
            "eu-west-1",
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "sts.eu-west-1.api.aws",
            "codeartifact.eu-west-1.api.aws",
        ),
    ],
)
def test_partitions_fips_and_dual_stack_lead_to_their_own_regional_endpoints(
    monkeypatch: pytest.MonkeyPatch,
    region: str,
    variables: dict[str, str],
    sts: str,
    code_artifact_host: str,
) -> None:
    with recording_proxy() as (proxy, hosts):
        for name, value in {"HTTPS_PROXY": proxy, **variables}.items():
            monkeypatch.setenv(name, value)
        client = CodeArtifact(attempts=1)
        assert refused(client, token_request(AWS_ACCOUNT, region=region)).reason
        key = sealed({"access_key_id": "AKIAEXAMPLE", "secret_access_key": "x" * 40})
        assert refused(client, token_request(region=region), key).reason
    assert hosts == [sts, code_artifact_host]


# Leaks and cost


def test_no_step_leaks_at_debug(
    trusting: AwsStandIn,
    federated: GoogleStandIn,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in SDK_LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    federated.allow_impersonation(READER)
    clouds = Providers(CodeArtifact(attempts=1), google_client(federated))
    canaries = [SUBJECT]
    for request in (
        token_request(AWS_ACCOUNT, role=STEP),
        google_request(GOOGLE_ACCOUNT, PERSON),
    ):
        canaries.append(clouds.issue(request, TOKEN).value.get_secret_value())
    canaries += [token.value for token in federated.tokens.all()]
    with trusting.lock:
        for key in trusting._keys.values():
            canaries += [key.secret_access_key, key.session_token or key.secret_access_key]
    echo = " ".join(canaries)
    texts = [repr(TOKEN)]
    for operation, stand_in in (
        (WEB, trusting),
        (ASSUME, trusting),
        ("Exchange", federated),
        ("GenerateAccessToken", federated),
    ):
        for fault in (Fault(403, "AccessDenied", echo), Fault(200, body=echo), Fault(400, echo)):
            stand_in.inject(operation, fault, times=1)
            request = token_request(AWS_ACCOUNT, role=STEP)
            asked = request if stand_in is trusting else google_request(GOOGLE_ACCOUNT, PERSON)
            with pytest.raises(LoginError) as caught:
                clouds.issue(asked, TOKEN)
            texts += [repr(caught.value), str(caught.value.__cause__), str(caught.value.args)]
    seen = "\n".join([*texts, caplog.text])
    assert "AccessDenied" in seen
    assert [canary for canary in canaries if canary in seen] == []


def _resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def test_a_hundred_logins_with_keys_of_their_own_leave_nothing_behind(aws: AwsStandIn) -> None:
    client = CodeArtifact()
    secrets = set[str]()

    def mint(number: int) -> None:
        key = aws.add_access_key(f"arn:user-{number}")
        secrets.add(key.secret_access_key)
        identity = SecretIdentity("builders", f"uid-{number}", f"digest-{number}")
        client.mint(token_request(identity), sealed(key.material()))

    for number in range(20):
        mint(number)
    gc.collect()
    before = _resident_kib()
    for number in range(100):
        mint(number)
    gc.collect()
    kept = _texts_within(client._session)
    assert "codeartifact" in kept
    assert kept & secrets == set()
    assert _resident_kib() - before < 8 * 1024


def _texts_within(root: object) -> set[str]:
    """Every text that an object leads to, other than by way of a module."""
    seen = {id(getattr(module, "__dict__", None)) for module in list(sys.modules.values())}
    texts, left = set[str](), [root]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType)):
            continue
        seen.add(id(one))
        if isinstance(one, str):
            texts.add(one)
        left += gc.get_referents(one)
    return texts


def test_logins_of_one_region_share_a_client_and_forty_regions_keep_no_forty(
    aws: AwsStandIn,
) -> None:
    client = CodeArtifact()
    regions = [f"eu-west-{number}" for number in range(40)]
    for number, region in enumerate(regions + regions[-3:]):
        key = aws.add_access_key(f"arn:user-{number}", session=number % 2 == 1)
        identity = SecretIdentity("builders", f"uid-{number}", "digest")
        client.mint(token_request(identity, region=region), sealed(key.material()))
        assert aws.mints("GetAuthorizationToken", f"arn:user-{number}") == 1
    kept = [key.region for key in client._session._clients]
    assert kept == regions[-32:]


def test_no_connection_is_kept_when_no_call_is_under_way(aws: AwsStandIn) -> None:
    before = set(threading.enumerate())
    client = CodeArtifact()
    for number in range(3):
        identity = SecretIdentity("builders", f"uid-{number}", "digest")
        client.mint(token_request(identity), sealed(aws.add_access_key().material()))

    def serving() -> list[str]:
        started = set(threading.enumerate()) - before
        return [one.name for one in started if "process_request_thread" in one.name]

    wait_until(lambda: not serving(), "the stand-in's connections to end", 15)


def test_the_operators_clients_are_kept_and_looked_up_anew_when_there_is_no_identity(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = CodeArtifact(attempts=1)
    assert refused(client, token_request(OPERATOR), NO_KEY_MATERIAL).reason == "NoOperatorIdentity"
    for name, value in aws.env(aws.add_access_key("arn:late")).items():
        monkeypatch.setenv(name, value)
    client.mint(token_request(OPERATOR), NO_KEY_MATERIAL)
    client.mint(token_request(OPERATOR, domain="other"), NO_KEY_MATERIAL)
    assert aws.mints("GetAuthorizationToken", "arn:late") == 2
    assert [key.signing for key in client._session._clients] == ["own"]
