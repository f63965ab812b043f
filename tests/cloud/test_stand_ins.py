"""The stand-ins refuse what the clouds refuse; else the tests above would prove nothing."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from google.auth import crypt, jwt

from support.clouds import AccessKey, AwsStandIn, Fault, GoogleStandIn
from support.clouds.google import EXCHANGE_GRANT, JWT_GRANT, TOKEN_AUDIENCE
from support.clouds.jwt import encode_json

pytestmark = pytest.mark.cloud

EMAIL = "ci@my-project.iam.gserviceaccount.com"
TOKEN_PATH = "/v1/authorization-token?domain=acme&domain-owner=111122223333&duration=900"


def http(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> tuple[int, dict[str, str], str]:
    """Status, headers in lower case, text."""
    request = urllib.request.Request(url, method=method, headers=dict(headers or {}), data=body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, found, answer.read().decode()
    except urllib.error.HTTPError as error:
        found = {name.lower(): value for name, value in error.headers.items()}
        return error.code, found, error.read().decode()


def signed_headers(
    aws: AwsStandIn,
    key: AccessKey,
    *,
    path: str = TOKEN_PATH,
    service: str = "codeartifact",
    method: str = "POST",
    body: bytes = b"",
) -> dict[str, str]:
    request = AWSRequest(method=method, url=aws.url + path, data=body)
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    SigV4Auth(credentials, service, "eu-west-1").add_auth(request)
    return dict(request.headers.items())


def ask_token(
    aws: AwsStandIn, headers: Mapping[str, str], path: str = TOKEN_PATH
) -> tuple[int, str]:
    status, found, _ = http("POST", aws.url + path, headers=headers, body=b"")
    return status, found.get("x-amzn-errortype", "")


def test_a_correct_signature_is_accepted(aws: AwsStandIn) -> None:
    for session in (False, True):
        key = aws.add_access_key(session=session)
        assert ask_token(aws, signed_headers(aws, key)) == (200, "")


def test_a_signature_by_another_secret_is_refused(aws: AwsStandIn) -> None:
    key = replace(aws.add_access_key(), secret_access_key="x" * 40)
    assert ask_token(aws, signed_headers(aws, key)) == (403, "InvalidSignatureException")


def test_a_changed_query_is_refused(aws: AwsStandIn) -> None:
    headers = signed_headers(aws, aws.add_access_key())
    other = TOKEN_PATH.replace("acme", "other")
    assert ask_token(aws, headers, other) == (403, "InvalidSignatureException")


def test_a_changed_body_is_refused(aws: AwsStandIn) -> None:
    headers = signed_headers(aws, aws.add_access_key())
    status, found, _ = http("POST", aws.url + TOKEN_PATH, headers=headers, body=b"more")
    assert (status, found["x-amzn-errortype"]) == (403, "InvalidSignatureException")


def test_a_signature_for_another_service_is_refused(aws: AwsStandIn) -> None:
    headers = signed_headers(aws, aws.add_access_key(), service="s3")
    assert ask_token(aws, headers) == (403, "InvalidSignatureException")


def test_unknown_and_removed_keys_are_refused(aws: AwsStandIn) -> None:
    key = aws.add_access_key()
    aws.remove_access_key(key.access_key_id)
    assert ask_token(aws, signed_headers(aws, key)) == (403, "UnrecognizedClientException")


def test_a_missing_or_wrong_session_token_is_refused(aws: AwsStandIn) -> None:
    key = aws.add_access_key(session=True)
    for changed in (None, "wrong"):
        headers = signed_headers(aws, replace(key, session_token=changed))
        assert ask_token(aws, headers) == (403, "UnrecognizedClientException")


def test_expired_keys_are_refused(aws: AwsStandIn) -> None:
    key = aws.add_access_key(session=True)
    aws.expire_access_key(key.access_key_id)
    assert ask_token(aws, signed_headers(aws, key)) == (403, "ExpiredTokenException")


def test_no_signature_is_refused(aws: AwsStandIn) -> None:
    assert ask_token(aws, {}) == (403, "MissingAuthenticationTokenException")


def test_a_signature_of_long_ago_is_refused() -> None:
    with AwsStandIn(now=lambda: time.time() + 3600) as aws:
        headers = signed_headers(aws, aws.add_access_key())
        assert ask_token(aws, headers) == (403, "InvalidSignatureException")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("domain=acme&duration=899", (400, "ValidationException")),
        ("domain=acme&duration=43201", (400, "ValidationException")),
        ("duration=900", (400, "ValidationException")),
        ("domain=unknown", (404, "ResourceNotFoundException")),
        ("domain=acme&domain-owner=999999999999", (404, "ResourceNotFoundException")),
        ("domain=acme&duration=43200", (200, "")),
    ],
)
def test_code_artifact_checks_what_is_asked(
    aws: AwsStandIn, query: str, expected: tuple[int, str]
) -> None:
    aws.add_domain("acme")
    path = f"/v1/authorization-token?{query}"
    headers = signed_headers(aws, aws.add_access_key(), path=path)
    assert ask_token(aws, headers, path) == expected


def sts(aws: AwsStandIn, key: AccessKey | None, **form: str) -> tuple[int, str]:
    body = urlencode({"Version": "2011-06-15", **form}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if key is not None:
        headers |= signed_headers(aws, key, path="/", service="sts", body=body)
    status, _, text = http("POST", f"{aws.url}/", headers=headers, body=body)
    return status, text


def test_sts_knows_the_caller_by_the_signature(aws: AwsStandIn) -> None:
    key = aws.add_access_key("arn:aws:iam::111122223333:user/me")
    assert (
        "<Arn>arn:aws:iam::111122223333:user/me</Arn>"
        in sts(aws, key, Action="GetCallerIdentity")[1]
    )
    forged = replace(key, secret_access_key="x" * 40)
    status, text = sts(aws, forged, Action="GetCallerIdentity")
    assert (status, "SignatureDoesNotMatch" in text) == (403, True)


def test_sts_gives_roles_only_to_whom_they_trust(aws: AwsStandIn) -> None:
    role = "arn:aws:iam::111122223333:role/reader"
    me, other = aws.add_access_key("arn:me"), aws.add_access_key("arn:other")
    aws.trust_role(role, principal="arn:me", external_id="x1")
    asked = {"Action": "AssumeRole", "RoleArn": role, "RoleSessionName": "s"}
    assert sts(aws, me, **asked)[0] == 403
    assert sts(aws, other, ExternalId="x1", **asked)[0] == 403
    status, text = sts(aws, me, ExternalId="x1", **asked)
    assert (status, "<AccessKeyId>ASIA" in text) == (200, True)


def test_sts_refuses_web_identities_that_the_role_does_not_trust(aws: AwsStandIn) -> None:
    role = "arn:aws:iam::111122223333:role/reader"
    asked = {"Action": "AssumeRoleWithWebIdentity", "RoleArn": role, "WebIdentityToken": "t"}
    assert sts(aws, None, **asked)[0] == 403
    aws.trust_web_identity(role, lambda token: None)
    status, text = sts(aws, None, **asked)
    assert (status, "InvalidIdentityToken" in text) == (400, True)


def test_the_instance_metadata_wants_a_session_of_version_2(aws: AwsStandIn) -> None:
    aws.imds_env()
    url = f"{aws.url}/latest/meta-data/iam/security-credentials/"
    assert http("GET", url)[0] == 401
    assert http("GET", f"{aws.url}/latest/api/token")[0] == 405
    token = http("PUT", f"{aws.url}/latest/api/token", body=b"")[2]
    status, _, text = http("GET", url, headers={"X-aws-ec2-metadata-token": token})
    assert (status, text) == (200, "node-role")


def test_the_container_endpoint_wants_its_authorization(aws: AwsStandIn) -> None:
    aws.container_role = "pod-role"
    for headers in ({}, {"Authorization": "wrong"}):
        assert http("GET", f"{aws.url}/v1/credentials", headers=headers)[0] == 401


def test_faults_end_when_used_up_cleared_or_meant_for_another(aws: AwsStandIn) -> None:
    key, other = aws.add_access_key("arn:me"), aws.add_access_key("arn:other")
    operation = "GetAuthorizationToken"
    aws.inject(operation, Fault(500, "InternalServerException"), times=1)
    assert ask_token(aws, signed_headers(aws, key))[0] == 500
    assert ask_token(aws, signed_headers(aws, key))[0] == 200
    aws.inject(operation, Fault(403, "AccessDeniedException"), principal="arn:other")
    aws.inject(operation, Fault(404, "ResourceNotFoundException"), domain="gone")
    assert ask_token(aws, signed_headers(aws, key))[0] == 200
    assert ask_token(aws, signed_headers(aws, other))[0] == 403
    aws.clear(operation)
    assert ask_token(aws, signed_headers(aws, other))[0] == 200
    assert (aws.calls(operation), aws.mints(operation)) == (5, 3)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": EMAIL, "aud": TOKEN_AUDIENCE, "scope": "s", "iat": now, "exp": now + 3600}
    return usual | changes


def ask_google(google: GoogleStandIn, assertion: str) -> tuple[int, str]:
    body = urlencode({"grant_type": JWT_GRANT, "assertion": assertion}).encode()
    status, _, text = http("POST", f"{google.url}/token", body=body)
    return status, json.loads(text).get("error", "")


def unsigned(key: Mapping[str, str], payload: Mapping[str, Any]) -> str:
    header = {"alg": "none", "kid": key["private_key_id"]}
    return f"{encode_json(header)}.{encode_json(payload)}."


def signed(key: Mapping[str, str], payload: Mapping[str, Any]) -> str:
    signer = crypt.RSASigner.from_service_account_info(key)
    return bytes(jwt.encode(signer, payload)).decode()


def signed_by_another(key: Mapping[str, str], payload: Mapping[str, Any]) -> str:
    with GoogleStandIn() as elsewhere:
        own = json.loads(elsewhere.make_key_json(EMAIL))
    return signed({**own, "private_key_id": key["private_key_id"]}, payload)


def changed_after_signing(key: Mapping[str, str], payload: Mapping[str, Any]) -> str:
    head, _, mark = signed(key, payload).split(".")
    return f"{head}.{encode_json({**payload, 'scope': 'more'})}.{mark}"


ASSERTIONS = [
    ("good", signed, {}, (200, "")),
    ("unsigned", unsigned, {}, (400, "invalid_grant")),
    ("signed by another key", signed_by_another, {}, (400, "invalid_grant")),
    ("changed after signing", changed_after_signing, {}, (400, "invalid_grant")),
    ("for another account", signed, {"iss": "admin@x"}, (400, "invalid_grant")),
    ("for another audience", signed, {"aud": "https://x/token"}, (400, "invalid_grant")),
    ("expired", signed, {"iat": 1, "exp": 3601}, (400, "invalid_grant")),
    ("too long-lived", signed, {"exp": int(time.time()) + 90000}, (400, "invalid_grant")),
    ("without scope", signed, {"scope": ""}, (400, "invalid_scope")),
]


@pytest.mark.parametrize(
    ("make", "changes", "expected"),
    [case[1:] for case in ASSERTIONS],
    ids=[case[0] for case in ASSERTIONS],
)
def test_assertions_are_verified(
    google: GoogleStandIn,
    make: Callable[[Mapping[str, str], Mapping[str, Any]], str],
    changes: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    key = json.loads(google.make_key_json(EMAIL))
    assert ask_google(google, make(key, claims(**changes))) == expected


def test_removed_keys_and_nonsense_are_refused(google: GoogleStandIn) -> None:
    key = json.loads(google.make_key_json(EMAIL))
    google.remove_keys(EMAIL)
    assert ask_google(google, signed(key, claims())) == (400, "invalid_grant")
    assert ask_google(google, "nonsense") == (400, "invalid_grant")


def test_the_metadata_server_wants_its_header(google: GoogleStandIn) -> None:
    google.metadata_email = EMAIL
    url = f"{google.url}/computeMetadata/v1/instance/service-accounts/default/token"
    assert http("GET", url)[0] == 403
    assert http("GET", url, headers={"Metadata-Flavor": "Google"})[0] == 200


def test_sts_refuses_unknown_providers_and_subjects(google: GoogleStandIn) -> None:
    google.trust_provider("known", lambda token: "me" if token == "good" else None)
    for audience, subject, expected in [
        ("known", "good", (200, "")),
        ("known", "bad", (400, "invalid_grant")),
        ("unknown", "good", (400, "invalid_target")),
    ]:
        form = {"grant_type": EXCHANGE_GRANT, "audience": audience, "subject_token": subject}
        status, _, text = http("POST", f"{google.url}/v1/token", body=urlencode(form).encode())
        assert (status, json.loads(text).get("error", "")) == expected


def test_impersonation_wants_a_live_token(google: GoogleStandIn) -> None:
    google.allow_impersonation(EMAIL)
    url = f"{google.url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    headers = {"Authorization": "Bearer made-up"}
    assert http("POST", url, headers=headers, body=b"{}")[0] == 401


def test_a_dead_google_token_is_not_accepted(google: GoogleStandIn) -> None:
    google.cap_seconds = 0
    key = json.loads(google.make_key_json(EMAIL))
    assert ask_google(google, signed(key, claims())) == (200, "")
    token = google.tokens.all()[-1].value
    assert not google.is_valid("oauth2accesstoken", token)
    google.cap_seconds = None
    assert ask_google(google, signed(key, claims())) == (200, "")
    token = google.tokens.all()[-1].value
    assert google.is_valid("oauth2accesstoken", token)
    assert not google.is_valid("aws", token)
    google.expire_tokens()
    assert not google.is_valid("oauth2accesstoken", token)
