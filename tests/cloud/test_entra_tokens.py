"""Entra tokens by each identity, and how long they live."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

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
    OPERATOR,
    assert_lasts,
    by_secret,
    entra_refusal,
    entra_request,
    sealed,
)
from support.clouds.signed_tokens import ISSUER, SUBJECT, SignedTokens

pytestmark = pytest.mark.cloud

ACCOUNT = ServiceAccountIdentity("builders", "builder", "u", (AUDIENCE,), f"{TENANT}/{CLIENT}")
HTML = {"Content-Type": "text/html"}


def test_a_client_secret_gets_a_token_that_a_feed_takes(
    entra: EntraStandIn, entra_client: EntraTokens
) -> None:
    before = time.time()
    token = entra_client.issue(entra_request(), by_secret())
    assert_lasts(token, entra.lifetime, since=before)
    value = token.value.get_secret_value()
    assert entra.is_valid("bearer", value) and not entra.is_valid("VssSessionToken", value)
    assert entra.calls() == entra.calls("Token") == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_certificate_signs_for_its_app(
    entra: EntraStandIn, entra_client: EntraTokens, app: App, together: bool
) -> None:
    certificate, key = entra.make_certificate(app)
    material = {"certificate": certificate, "private_key": key}
    if together:
        issuer, _ = entra.make_certificate(app)  # what stands behind it is of a chain
        material = {"certificate": f"{key}\n{certificate}\n{issuer}"}
    for _ in range(2):  # each with an assertion of its own
        assert entra_client.issue(entra_request(), sealed(material)).expires_at
    assert entra.calls() == 2


def test_a_service_accounts_token_is_the_assertion(
    entra: EntraStandIn, entra_client: EntraTokens, app: App, cluster: SignedTokens
) -> None:
    app.trusts.append(Trust(cluster.issuer, ISSUER, SUBJECT))
    token = entra_client.issue(
        entra_request(ACCOUNT), sealed({SUBJECT_TOKEN: cluster.token(AUDIENCE)})
    )
    (sign_in,) = entra.sign_ins
    # What the log of the operator names is what Entra's sign-in log names.
    assert (sign_in.subject, sign_in.correlation_id) == (SUBJECT, token.request_id)
    assert token.request_id


def test_the_operators_workload_identity_is_read_anew_from_its_file(
    entra: EntraStandIn,
    entra_client: EntraTokens,
    app: App,
    cluster: SignedTokens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app.trusts.append(Trust(cluster.issuer, ISSUER, SUBJECT))
    file = tmp_path / "token"
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(file))
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"{entra.url}/")
    elsewhere = EntraTokens("http://127.0.0.1:9")
    own = EntraTokenRequest(OPERATOR, "Public")
    for _ in range(2):
        file.write_text(cluster.token(AUDIENCE) + "\n")
        assert elsewhere.issue(own, NO_KEY_MATERIAL).expires_at
    file.unlink()
    error = entra_refusal(elsewhere, own, NO_KEY_MATERIAL)
    assert error.reason == "NoOperatorIdentity" and str(file) in error.message


def test_a_managed_identity_has_the_life_that_is_left(
    entra: EntraStandIn, entra_client: EntraTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    entra.lifetime, entra.managed_identity = 86_400, CLIENT
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    own = EntraTokenRequest(OPERATOR, "Public")
    first, second = (entra_client.issue(own, NO_KEY_MATERIAL) for _ in range(2))
    assert first.value == second.value and first.expires_at == second.expires_at
    assert entra.mints("Metadata") == 1


@pytest.mark.parametrize("there", [True, False])
def test_an_operator_without_an_identity_says_so(
    entra: EntraStandIn, entra_client: EntraTokens, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if not there:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    error = entra_refusal(entra_client, EntraTokenRequest(OPERATOR, "Public"), NO_KEY_MATERIAL)
    assert (error.reason, error.permanent) == ("NoOperatorIdentity", True)


@pytest.mark.parametrize("status", [429, 410, 500, 504])
def test_a_metadata_server_that_is_busy_is_asked_again(
    entra: EntraStandIn, entra_client: EntraTokens, status: int
) -> None:
    entra.inject("Metadata", Fault(status, "busy", headers={"Retry-After": "7"}))
    error = entra_refusal(entra_client, EntraTokenRequest(OPERATOR, "Public"), NO_KEY_MATERIAL)
    assert not error.permanent and error.retry_after == 7


@pytest.mark.parametrize(
    ("more", "life"),
    [
        ({"expires_in": 600}, 600),
        ({"expires_in": "600"}, 600),
        ({"expires_in": 600.9}, 600),
        ({"expires_in": 9999, "expires_on": "+900"}, 900),
        ({}, 1800),
    ],
)
def test_the_life_is_the_answers_or_else_the_tokens(
    entra: EntraStandIn,
    entra_client: EntraTokens,
    cluster: SignedTokens,
    more: dict[str, Any],
    life: int,
) -> None:
    if "expires_on" in more:
        more = {**more, "expires_on": str(int(time.time()) + int(more["expires_on"]))}
    body = {"access_token": cluster.token("x", life=1800), "token_type": "Bearer", **more}
    entra.inject("Token", Fault(200, body=json.dumps(body)))
    before = time.time()
    assert_lasts(entra_client.issue(entra_request(), by_secret()), life, since=before)


@pytest.mark.parametrize(
    "life", [{}, *({"expires_in": each} for each in (None, 0, -1, "x", "NaN", "1e400", 10**400))]
)
def test_a_token_without_a_known_life_is_entra_refusal(
    entra: EntraStandIn, entra_client: EntraTokens, life: dict[str, Any]
) -> None:
    entra.inject("Token", Fault(200, body=json.dumps({"access_token": "opaque", **life})))
    error = entra_refusal(entra_client)
    assert (error.reason, error.permanent) == ("UnknownExpiry", True)


@pytest.mark.parametrize("cloud", ["USGovernment", "China"])
def test_a_spec_does_not_choose_where_the_operators_token_goes(
    entra: EntraStandIn,
    entra_client: EntraTokens,
    app: App,
    cluster: SignedTokens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cloud: str,
) -> None:
    app.trusts.append(Trust(cluster.issuer, ISSUER, SUBJECT))
    (tmp_path / "token").write_text(cluster.token(AUDIENCE))
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    assert entra_client.issue(EntraTokenRequest(OPERATOR, cloud), NO_KEY_MATERIAL).expires_at
    assert entra.mints("Token") == 1


@pytest.mark.parametrize(
    ("cloud", "host"),
    [("USGovernment", "login.microsoftonline.us"), ("China", "login.chinacloudapi.cn")],
)
def test_a_national_cloud_is_asked_at_its_own_entra(
    entra_client: EntraTokens, monkeypatch: pytest.MonkeyPatch, cloud: str, host: str
) -> None:
    asked: list[str] = []

    def post(url: str, body: bytes | None, **more: Any) -> Any:
        asked.append(url)
        raise ConnectionError

    monkeypatch.setattr(entra_client, "_post", post)
    request = EntraTokenRequest(entra_request().identity, cloud, TENANT, CLIENT)
    with pytest.raises(ConnectionError):
        entra_client.issue(request, by_secret())
    assert asked == [f"https://{host}/{TENANT}/oauth2/v2.0/token"]
