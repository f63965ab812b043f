"""Exchanges of a ServiceAccount's token, and what each registry checks."""

import json
import time
from typing import Any

import pytest
from google.auth.exceptions import OAuthError
from google.auth.transport.requests import Request
from google.oauth2.sts import Client

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.exchange.requests import Answer
from support.clouds import Fault
from support.clouds.exchanges import GRANT, JFROG_PATH, TYPE, ExchangeStandIn
from support.clouds.exchanging import AUDIENCE, CANARY, PRESETS, refused
from support.clouds.jwt import encode_json
from support.clouds.signed_tokens import ISSUER, SUBJECT, SignedTokens

pytestmark = pytest.mark.cloud


# -- what an exchange gives


@pytest.mark.parametrize("preset", PRESETS)
def test_the_token_is_the_registrys_and_lives_as_it_says(
    registry: ExchangeStandIn, exchange: Any, preset: str
) -> None:
    before = time.time()
    token = exchange(preset)
    issued = registry.tokens.live(token.value.get_secret_value())
    assert issued is not None and issued.principal == SUBJECT
    assert int(before) <= token.issued_at <= time.time()
    assert issued.expires_at - 3 <= token.expires_at <= issued.expires_at


REQUESTS = {
    "jfrog": {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "provider_name": "kubernetes",
        "subject_token": "SUBJECT",
    },
    "cloudsmith": {"service_slug": "builders", "oidc_token": "SUBJECT"},
    "rfc8693": {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": "pypi",
        "subject_token": "SUBJECT",
    },
}
"""The whole request of each preset."""


@pytest.mark.parametrize("preset", PRESETS)
def test_a_request_has_these_parameters_and_no_others(
    registry: ExchangeStandIn, exchange: Any, cluster: SignedTokens, preset: str
) -> None:
    subject = cluster.token(AUDIENCE)
    exchange(preset, subject=subject)
    (body,) = registry.bodies
    assert body == {k: subject if v == "SUBJECT" else v for k, v in REQUESTS[preset].items()}


def test_what_is_optional_is_sent_if_the_spec_has_it(
    registry: ExchangeStandIn, exchange: Any
) -> None:
    exchange("jfrog", identity_mapping_name="read", project_key="p", audience="*@*")
    assert registry.bodies[0]["identity_mapping_name"] == "read"
    assert registry.bodies[0]["project_key"] == "p"


def test_jfrogs_user_is_the_answers_or_the_tokens(registry: ExchangeStandIn, exchange: Any) -> None:
    assert exchange("jfrog").username == "builder"
    body = {"access_token": "opaque-reference-token", "expires_in": 3600}
    registry.inject("JFrog", Fault(200, body=json.dumps(body)))
    assert exchange("jfrog").username == ""
    for subject, user in {
        "jfac@x/users/ci": "ci", "jfrt@x/groups/g": "g", "a-group": "a-group",
        "a:b": "", "a\n": "", "\ud800": "", "x" * 257: "", 5: "",
    }.items():  # fmt: skip
        registry.inject("JFrog", Fault(200, body=jwt_answer({"sub": subject}, expires_in=900)))
        assert exchange("jfrog").username == user


def test_other_members_may_hold_the_answer(registry: ExchangeStandIn, exchange: Any) -> None:
    body = {"id_token": "t-1", "expiration": "900", "login": "ci"}
    registry.inject("RFC8693", Fault(200, body=json.dumps(body)))
    token = exchange("rfc8693", answer=Answer("id_token", "expiration", "login"))
    assert (token.value.get_secret_value(), token.username) == ("t-1", "ci")
    assert token.expires_at == token.issued_at + 900


@pytest.mark.parametrize(
    "username", [None, 5, "a:b", "a\nb", "\x00", "\ud800", "a\udfffb", "x" * 257]
)
def test_a_user_name_that_no_client_can_send_is_not_used(
    registry: ExchangeStandIn, exchange: Any, username: Any
) -> None:
    body = {"access_token": CANARY, "expires_in": 900, "login": username}
    registry.inject("RFC8693", Fault(200, body=json.dumps(body)))
    error = refused(exchange, "rfc8693", answer=Answer("access_token", "expires_in", "login"))
    assert (error.reason, error.permanent) == ("InvalidRequest", True)
    assert "spec.tokenExchange.exchange.rfc8693.answer.username" in error.message
    registry.inject("JFrog", Fault(200, body=json.dumps({**body, "username": username})))
    assert exchange("jfrog").username == ""


def test_a_token_under_another_name_leads_to_the_field_that_names_it(
    registry: ExchangeStandIn, exchange: Any
) -> None:
    registry.inject("RFC8693", Fault(200, body=json.dumps({"id_token": CANARY, "expires_in": 9})))
    error = refused(exchange, "rfc8693")
    assert error.reason == "CloudUnavailable" and "answer.token" in error.message


# -- how long a token lives


def jwt_answer(claims: dict[str, Any], **members: Any) -> str:
    return json.dumps({"access_token": f"e30.{encode_json(claims)}.x", **members})


def test_the_earlier_of_both_ends_counts(registry: ExchangeStandIn, exchange: Any) -> None:
    for life, expiry in ((600, 900), (900, 600)):
        end = int(time.time()) + expiry
        registry.inject("JFrog", Fault(200, body=jwt_answer({"exp": end}, expires_in=life)))
        token = exchange("jfrog")
        assert 597 <= token.expires_at - time.time() <= 600


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"access_token": CANARY}),
        json.dumps({"access_token": CANARY, "expires_in": 0}),
        json.dumps({"access_token": CANARY, "expires_in": -5}),
        json.dumps({"access_token": CANARY, "expires_in": True}),
        json.dumps({"access_token": CANARY, "expires_in": "soon"}),
        json.dumps({"access_token": CANARY, "expires_in": [3600]}),
        '{"access_token": "t", "expires_in": 1e300}',
        '{"access_token": "t", "expires_in": NaN}',
        jwt_answer({"sub": CANARY}),
        jwt_answer({"exp": "tomorrow"}),
        jwt_answer({"exp": 1}),
    ],
)
@pytest.mark.parametrize("preset", ["jfrog", "rfc8693"])
def test_a_token_without_a_known_life_is_refused(
    registry: ExchangeStandIn, exchange: Any, preset: str, body: str
) -> None:
    registry.inject(PRESETS[preset], Fault(200, body=body))
    error = refused(exchange, preset)
    assert (error.reason, error.permanent) == ("UnknownExpiry", True)
    field = {"jfrog": "token_spec.expires_in", "rfc8693": "answer.expiresIn"}[preset]
    assert field in error.message


def test_cloudsmiths_token_must_be_a_jwt_with_an_expiry(
    registry: ExchangeStandIn, exchange: Any
) -> None:
    registry.opaque = True
    assert refused(exchange, "cloudsmith").reason == "UnknownExpiry"


def test_jfrogs_60_seconds_are_refused_with_the_field_that_ends_them(
    registry: ExchangeStandIn, exchange: Any
) -> None:
    registry.providers["kubernetes"][0].expires_in = None
    error = refused(exchange, "jfrog")
    assert (error.reason, error.permanent) == ("TokenLifeTooShort", True)
    assert "lives 60 s" in error.message and "less than 280 s" in error.message
    assert "token_spec.expires_in" in error.message


# -- what each registry checks


def wrong_claims(error: LoginError) -> bool:
    return all(part in error.message for part in (ISSUER, SUBJECT, AUDIENCE))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("how", ["audience", "expired", "forged", "replayed"])
def test_a_subject_token_that_does_not_hold_is_refused(
    registry: ExchangeStandIn, exchange: Any, cluster: SignedTokens, preset: str, how: str
) -> None:
    token = cluster.token("elsewhere" if how == "audience" else AUDIENCE)
    if how == "expired":
        token = cluster.token(AUDIENCE, life=-30)
    elif how == "forged":
        token = SignedTokens().token(AUDIENCE)
    elif how == "replayed":
        exchange(preset, subject=token)
    error = refused(exchange, preset, subject=token)
    assert error.permanent and error.reason in ("InvalidCredential", "AccessDenied")
    assert wrong_claims(error)
    assert token not in error.message


@pytest.mark.parametrize("preset", PRESETS)
def test_another_service_account_is_refused(
    registry: ExchangeStandIn, exchange: Any, cluster: SignedTokens, preset: str
) -> None:
    registry.audiences.clear()
    token = cluster.token(AUDIENCE, "system:serviceaccount:other:builder")
    assert refused(exchange, preset, subject=token).permanent


def test_an_unknown_provider_or_mapping_is_named(exchange: Any) -> None:
    error = refused(exchange, "jfrog", provider_name="typo")
    assert "BAD_REQUEST" in error.message and "'typo'" in error.message
    error = refused(exchange, "jfrog", identity_mapping_name="missing")
    assert error.reason == "AccessDenied" and "'missing'" in error.message


def test_jfrogs_audience_is_the_mappings(exchange: Any) -> None:
    error = refused(exchange, "jfrog", audience="jfmc@*")
    assert error.reason == "InvalidRequest"
    assert "exchange.jfrog.audience" in error.message and "token_spec.audience" in error.message


def test_a_disabled_service_account_is_named(registry: ExchangeStandIn, exchange: Any) -> None:
    registry.workspaces["acme"].services.clear()
    error = refused(exchange, "cloudsmith")
    assert error.reason == "InvalidCredential" and "'builders'" in error.message


@pytest.mark.parametrize(
    ("preset", "path", "field"),
    [
        ("jfrog", "/artifactory" + JFROG_PATH, "jfrog.url"),
        ("cloudsmith", "/openid/nobody/", "cloudsmith.workspace"),
        ("rfc8693", "/nowhere", "rfc8693.endpoint"),
    ],
)
def test_what_is_not_there_names_its_field(
    registry: ExchangeStandIn, exchange: Any, preset: str, path: str, field: str
) -> None:
    registry.inject("RFC8693", Fault(404, body="<h1>nothing</h1>"))
    error = refused(exchange, preset, path=path)
    assert (error.reason, error.permanent) == ("CloudResourceNotFound", True)
    assert f"spec.tokenExchange.exchange.{field}" in error.message


# -- what checks the stand-in


def test_googles_client_of_rfc_8693_logs_in_to_the_same_endpoint(
    registry: ExchangeStandIn, cluster: SignedTokens
) -> None:
    client = Client(f"{registry.url}/token")
    form = {"grant_type": GRANT, "subject_token_type": f"{TYPE}jwt"}
    token = cluster.token(AUDIENCE)
    answer = client.exchange_token(Request(), subject_token=token, audience="pypi", **form)
    assert registry.is_valid("exchanged", answer["access_token"])
    with pytest.raises(OAuthError, match="invalid_target"):
        client.exchange_token(Request(), subject_token=token, audience="other", **form)
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.exchange_token(Request(), subject_token=token, audience="pypi", **form)
