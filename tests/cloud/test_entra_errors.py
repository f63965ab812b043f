"""Each way in which Entra can say no."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from artifact_index.credentials.azure.client import EntraTokens
from artifact_index.credentials.azure.requests import EntraTokenRequest
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    SUBJECT_TOKEN,
    ServiceAccountIdentity,
)
from support.clouds import EntraStandIn, Fault
from support.clouds.entra import AUDIENCE, CLIENT, TENANT, App, Trust
from support.clouds.logins import (
    CLIENT_SECRET,
    by_secret,
    entra_refusal,
    entra_request,
    sealed,
)
from support.clouds.signed_tokens import ISSUER, SUBJECT, SignedTokens

pytestmark = pytest.mark.cloud

ACCOUNT = ServiceAccountIdentity("builders", "builder", "u", (AUDIENCE,), f"{TENANT}/{CLIENT}")
HTML = {"Content-Type": "text/html"}


def entra_fault(status: int, error: str, number: int, **more: Any) -> Fault:
    return Fault(status, error, f"AADSTS{number}: Something about '{CLIENT_SECRET}'.", **more)


CASES = [
    (entra_fault(401, "invalid_client", 7000222), "InvalidCredential", True, "AADSTS7000222"),
    (entra_fault(400, "invalid_request", 70021), "InvalidRequest", True, "AADSTS70021"),
    (entra_fault(401, "invalid_client", 70021), "InvalidCredential", True, "AADSTS70021"),
    (entra_fault(400, "unauthorized_client", 700016), "InvalidCredential", True, "tenantID"),
    (entra_fault(401, "invalid_client", 700024), "InvalidCredential", True, "clocks"),
    (entra_fault(400, "invalid_grant", 53003), "InvalidCredential", True, "Conditional Access"),
    (entra_fault(403, "access_denied", 900382), "AccessDenied", True, "azureArtifacts.cloud"),
    (entra_fault(400, "invalid_scope", 70011), "InvalidRequest", True, "AADSTS70011"),
    (entra_fault(400, "brand_new", 123456789), "InvalidRequest", True, "brand_new"),
    (Fault(400, body='{"error": "x y", "error_codes": ["<b>"]}'), "InvalidRequest", True, "400"),
    (entra_fault(400, "temporarily_unavailable", 90033), "CloudUnavailable", False, "AADSTS90033"),
    (entra_fault(500, "server_error", 90033), "CloudUnavailable", False, "AADSTS90033"),
    (Fault(503, headers=HTML, body="<h1>busy</h1>"), "CloudUnavailable", False, "HTTP 503"),
    (Fault(404, headers=HTML, body="<h1>portal</h1>"), "CloudUnavailable", False, "proxy"),
    (Fault(200, headers=HTML, body="<h1>portal</h1>"), "CloudUnavailable", False, "proxy"),
    (Fault(200, body="[" * 100_000), "CloudUnavailable", False, "proxy"),
    (Fault(200, body='{"access_token": 5, "expires_in": 5}'), "CloudUnavailable", False, "proxy"),
    (Fault(200, body='{"access_token": "\u2100"}'), "CloudUnavailable", False, "proxy"),
    (
        Fault(200, body='{"access_token": "a\\nb", "expires_in": 900}'),
        "CloudUnavailable",
        False,
        "proxy",
    ),
    (Fault(200, body='{"x":"' + "x" * 2**20 + '"}'), "CloudUnavailable", False, "proxy"),
    (Fault(429, body="Too Many Requests"), "CloudThrottled", False, "throttles"),
    (Fault(reset=True), "CloudUnavailable", False, "egress"),
]


@pytest.mark.parametrize(
    ("fault", "reason", "permanent", "says"),
    CASES,
    ids=[f"{fault.status} {fault.code or (fault.body or 'reset')[:12]}" for fault, *_ in CASES],
)
def test_what_entra_says_is_classified_and_never_quoted(
    entra: EntraStandIn,
    entra_client: EntraTokens,
    fault: Fault,
    reason: str,
    permanent: bool,
    says: str,
) -> None:
    entra.inject("Token", fault)
    error = entra_refusal(entra_client)
    assert (error.reason, error.permanent) == (reason, permanent)
    assert error.unanswered == fault.reset
    assert says in error.message
    for quoted in (CLIENT_SECRET, "Something", "portal", "<b>", "x y"):
        assert quoted not in error.message
    assert entra.calls() == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_gets_no_secret(
    entra: EntraStandIn, entra_client: EntraTokens, status: int
) -> None:
    with EntraStandIn() as elsewhere:
        elsewhere.add_app(secrets={CLIENT_SECRET})
        where = {"Location": f"{elsewhere.url}/{TENANT}/oauth2/v2.0/token"}
        entra.inject("Token", Fault(status, headers=where, body=""))
        assert entra_refusal(entra_client).reason == "CloudUnavailable"
        assert elsewhere.calls() == 0


def test_throttling_names_its_pause(entra: EntraStandIn, entra_client: EntraTokens) -> None:
    fault = Fault(429, body="Too Many Requests", headers={"Retry-After": "60"})
    entra.inject("Token", fault, times=1)
    assert entra_refusal(entra_client).retry_after == 60
    assert entra_client.issue(entra_request(), by_secret()).expires_at


def test_an_entra_that_is_silent_is_left(entra: EntraStandIn, app: App) -> None:
    entra.inject("Token", Fault(hang_seconds=60))
    error = entra_refusal(EntraTokens(entra.url, read_timeout=0.3))
    assert (error.reason, error.unanswered) == ("CloudUnavailable", True)
    assert "timed out" in error.message


def change(app: App, **to: Any) -> None:
    for name, value in to.items():
        setattr(app, name, value)


WRONG: list[tuple[str, Callable[[App], None], EntraTokenRequest, str, str]] = [
    ("secret", lambda app: None, entra_request(), "wrong", "AADSTS7000215"),
    ("expired", lambda app: None, entra_request(), "old", "AADSTS7000222"),
    ("tenant", lambda app: None, entra_request(tenant="b.example"), CLIENT_SECRET, "AADSTS90002"),
    ("app", lambda app: None, entra_request(client=TENANT), CLIENT_SECRET, "AADSTS700016"),
    (
        "disabled",
        lambda app: change(app, disabled=True),
        entra_request(),
        CLIENT_SECRET,
        "AADSTS7000112",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "request_", "secret", "code"), [each[1:] for each in WRONG], ids=[w[0] for w in WRONG]
)
def test_a_wrong_identity_is_the_users_to_mend(
    entra_client: EntraTokens,
    app: App,
    spoil: Callable[[App], None],
    request_: EntraTokenRequest,
    secret: str,
    code: str,
) -> None:
    spoil(app)
    error = entra_refusal(entra_client, request_, by_secret(secret))
    assert error.permanent and code in error.message
    assert secret not in error.message


@pytest.mark.parametrize(
    ("trust", "token", "code"),
    [
        ({}, {"audience": "other"}, "AADSTS700212"),
        ({}, {"subject": "system:serviceaccount:a:b"}, "AADSTS700213"),
        ({"issuer": "https://other.example"}, {}, "AADSTS700211"),
        ({}, {"life": -60}, "AADSTS700024"),
        (None, {}, "AADSTS70025"),
    ],
)
def test_a_token_that_no_federated_credential_fits_names_what_would(
    entra_client: EntraTokens,
    app: App,
    cluster: SignedTokens,
    trust: dict[str, Any] | None,
    token: dict[str, Any],
    code: str,
) -> None:
    if trust is not None:
        app.trusts.append(replace(Trust(cluster.issuer, ISSUER, SUBJECT), **trust))
    assertion = cluster.token(**{"audience": AUDIENCE} | token)
    error = entra_refusal(entra_client, entra_request(ACCOUNT), sealed({SUBJECT_TOKEN: assertion}))
    assert error.reason == "InvalidCredential" and code in error.message
    if code != "AADSTS700024":
        subject = token.get("subject", SUBJECT)
        audience = token.get("audience", AUDIENCE)
        fitting = f"with issuer {ISSUER}, subject {subject} and audience {audience}"
        assert fitting in error.message


def test_a_token_is_never_an_assertion_twice(
    entra_client: EntraTokens, app: App, cluster: SignedTokens
) -> None:
    app.trusts.append(Trust(cluster.issuer, ISSUER, SUBJECT))
    material = sealed({SUBJECT_TOKEN: cluster.token(AUDIENCE)})
    assert entra_client.issue(entra_request(ACCOUNT), material).expires_at
    assert "AADSTS70001" in entra_refusal(entra_client, entra_request(ACCOUNT), material).message


def test_a_token_of_another_cluster_is_entra_refusal(
    entra_client: EntraTokens, app: App, cluster: SignedTokens
) -> None:
    app.trusts.append(Trust(cluster.issuer, ISSUER, SUBJECT))
    forged = sealed({SUBJECT_TOKEN: SignedTokens().token(AUDIENCE)})
    assert entra_refusal(entra_client, entra_request(ACCOUNT), forged).reason == "InvalidCredential"


def pem_of(key: PrivateKeyTypes, *, passphrase: bytes = b"") -> str:
    sealing: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        sealing = serialization.BestAvailableEncryption(passphrase)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, sealing).decode()


def spoilt(certificate: str, key: str, how: str) -> dict[str, str]:
    match how:
        case "garbage":
            return {"certificate": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"}
        case "no key":
            return {"certificate": certificate}
        case "no certificate":
            return {"certificate": key}
        case "passphrase":
            known = serialization.load_pem_private_key(key.encode(), None)
            return {"certificate": certificate, "private_key": pem_of(known, passphrase=b"p")}
        case "elliptic curve":
            other = ec.generate_private_key(ec.SECP256R1())
            return {"certificate": certificate, "private_key": pem_of(other)}
        case _:
            return {"certificate": certificate, "private_key": key}


SPOILT = {
    "garbage": "without a passphrase",
    "no key": "without a passphrase",
    "no certificate": "without a passphrase",
    "passphrase": "without a passphrase",
    "elliptic curve": "RSA",
    "another": "one pair",
    "expired": "expired on 2024-05-06: create a new one",
    "unknown": "upload the certificate",
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_certificate_that_cannot_be_used_is_named_and_not_quoted(
    entra: EntraStandIn, entra_client: EntraTokens, app: App, how: str
) -> None:
    certificate, key = entra.make_certificate(app)
    if how == "another":
        _, key = entra.make_certificate(app)
    if how == "expired":
        certificate, key = entra.make_certificate(app, datetime(2024, 5, 6, tzinfo=UTC))
    if how == "unknown":
        app.certificates.clear()
    error = entra_refusal(entra_client, material=sealed(spoilt(certificate, key, how)))
    assert error.reason == "InvalidCredential" and "certificate" in error.message
    assert SPOILT[how] in error.message
    assert "BEGIN" not in error.message
    assert entra.calls() == (how == "unknown")


def test_an_empty_secret_never_becomes_the_operators_identity(
    entra: EntraStandIn, entra_client: EntraTokens
) -> None:
    entra.managed_identity = CLIENT
    assert entra_refusal(entra_client, material=NO_KEY_MATERIAL).reason == "InvalidCredential"
    assert entra.calls() == 0
