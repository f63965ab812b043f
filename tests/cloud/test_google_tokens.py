"""Google access tokens through real google-auth, from each identity."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.auth import compute_engine
from google.auth.transport.requests import Request

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.google.identities import SCOPE
from artifact_index.credentials.requests import NO_KEY_MATERIAL, Token
from support.clouds import GoogleStandIn
from support.clouds.logins import (
    OPERATOR,
    assert_lasts,
    google_client,
    google_request,
    grant_in_new_process,
    sealed,
)
from support.control_plane.certificates import Authority

pytestmark = pytest.mark.cloud

EMAIL = "ci@my-project.iam.gserviceaccount.com"
AUDIENCE = (
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/k8s"
)
# No server of Google: whoever goes there has not been sent to the stand-in.
ELSEWHERE = "http://127.0.0.1:1"

AdcFile = Callable[[dict[str, Any]], Path]


@pytest.fixture
def adc_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AdcFile:
    """Writes a file and points GOOGLE_APPLICATION_CREDENTIALS at it."""

    def write(content: dict[str, Any]) -> Path:
        path = tmp_path / "adc.json"
        path.write_text(json.dumps(content))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        return path

    return write


def external_account(folder: Path, **changes: Any) -> dict[str, Any]:
    """As `gcloud iam workload-identity-pools create-cred-config` writes it."""
    token = folder / "subject-token"
    token.write_text("subject-token-text")
    return {
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{ELSEWHERE}/v1/token",
        "credential_source": {"file": str(token)},
        "universe_domain": "googleapis.com",
        **changes,
    }


def trust_subject(google: GoogleStandIn) -> None:
    google.trust_provider(
        AUDIENCE, lambda token: "principal://sa" if token == "subject-token-text" else None
    )


def assert_good(google: GoogleStandIn, mint: Callable[[], Token], life: int = 3600) -> Token:
    since = time.time()
    grant = mint()
    assert_lasts(grant, life, since=since)
    assert google.is_valid("oauth2accesstoken", grant.value.get_secret_value())
    issued = google.tokens.all()[-1]
    assert grant.expires_at is not None
    # Never later than the truth.
    assert grant.expires_at <= issued.expires_at
    return grant


def test_a_key_in_a_secret_gets_a_token_that_the_index_accepts(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    material = sealed({"key_json": google.make_key_json(EMAIL)})
    assert_good(google, lambda: google_tokens.issue(google_request(), material))
    assert google.mints("Token", EMAIL) == google.calls() == 1
    assert google.tokens.all()[-1].scope == SCOPE


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_the_expiry_does_not_depend_on_the_local_time_zone(
    google: GoogleStandIn,
    google_tokens: GoogleTokens,
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        material = sealed({"key_json": google.make_key_json(EMAIL)})
        assert_good(google, lambda: google_tokens.issue(google_request(), material))
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_capped_token_tells_its_true_life(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    google.cap_seconds = 20
    material = sealed({"key_json": google.make_key_json(EMAIL)})
    assert_good(google, lambda: google_tokens.issue(google_request(), material), life=20)


def test_a_keys_token_uri_is_never_asked(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    with GoogleStandIn() as attacker:
        key = google.make_key_json(EMAIL, token_uri=f"{attacker.url}/token")
        assert_good(
            google, lambda: google_tokens.issue(google_request(), sealed({"key_json": key}))
        )
        assert attacker.calls() == 0


REFUSED_KEYS: list[tuple[str, dict[str, Any] | str, str]] = [
    ("not JSON", "not json", "JSON"),
    ("encoded twice", "eyJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCJ9", "JSON"),
    ("a list", "[]", "JSON"),
    ("empty", "", "JSON"),
    ("external account", {"type": "external_account"}, "type external_account"),
    ("user", {"type": "authorized_user"}, "type authorized_user"),
    ("unknown type", {"type": "x" * 5000}, "another type"),
    ("another universe", {"universe_domain": "example.com"}, "universe_domain"),
    ("no e-mail", {"client_email": ""}, "client_email"),
    ("e-mail of a wrong type", {"client_email": 5}, "client_email"),
    ("no key", {"private_key": ""}, "private_key"),
    ("broken key", {"private_key": "-----BEGIN PRIVATE KEY-----\nx\n"}, "private_key"),
]


@pytest.mark.parametrize(
    ("changes", "word"), [case[1:] for case in REFUSED_KEYS], ids=[case[0] for case in REFUSED_KEYS]
)
def test_anything_but_a_whole_service_account_key_is_refused_before_any_request(
    google: GoogleStandIn, google_tokens: GoogleTokens, changes: dict[str, Any] | str, word: str
) -> None:
    key = changes
    if isinstance(changes, dict):
        key = json.dumps(json.loads(google.make_key_json(EMAIL)) | changes)
    with pytest.raises(LoginError) as caught:
        google_tokens.issue(google_request(), sealed({"key_json": str(key)}))
    assert (caught.value.reason, caught.value.permanent) == ("InvalidCredential", True)
    assert word in caught.value.message
    assert google.calls() == 0


def test_a_missing_key_never_falls_back_to_the_operators_identity(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    google.metadata_email = "operator@my-project.iam.gserviceaccount.com"
    with pytest.raises(LoginError) as caught:
        google_tokens.issue(google_request(), NO_KEY_MATERIAL)
    assert caught.value.reason == "InvalidCredential"
    assert google.calls() == 0


# -- the operator's own identity


def test_the_metadata_server_is_found_by_google_auths_own_variable() -> None:
    with GoogleStandIn(metadata_email=EMAIL) as google:
        answer = grant_in_new_process("google", google.env())
        assert google.is_valid("oauth2accesstoken", answer.get("value", "")), answer
        assert google.mints("Metadata", EMAIL) == 1


def test_the_metadata_server_gives_its_cached_token_until_shortly_before_its_end(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    google.metadata_email = EMAIL
    first = assert_good(
        google, lambda: google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    )
    again = google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert first.value == again.value
    google.metadata_renews_before = 3601
    later = google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert later.value != first.value
    assert google.mints("Metadata") == 2


def test_without_file_and_metadata_server_there_is_quickly_no_identity(
    google: GoogleStandIn, google_tokens: GoogleTokens, google_pauses: list[float]
) -> None:
    google.stop()
    with pytest.raises(LoginError) as caught:
        google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert (caught.value.reason, caught.value.permanent) == ("NoOperatorIdentity", True)
    assert "secretRef" in caught.value.message
    assert sum(google_pauses) < 5


def test_a_metadata_server_that_was_there_before_is_retried(
    google: GoogleStandIn, google_tokens: GoogleTokens
) -> None:
    google.metadata_email = EMAIL
    google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    google.stop()
    with pytest.raises(LoginError) as caught:
        google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert (caught.value.reason, caught.value.permanent) == ("CloudUnavailable", False)


def test_no_gce_check_keeps_the_metadata_server_unasked(
    google: GoogleStandIn, google_tokens: GoogleTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(LoginError) as caught:
        google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert caught.value.reason == "NoOperatorIdentity"
    assert google.calls() == 0


def test_a_file_with_a_service_account_key_is_the_operators_identity(
    google: GoogleStandIn, google_tokens: GoogleTokens, adc_file: AdcFile
) -> None:
    adc_file(json.loads(google.make_key_json(EMAIL, token_uri=f"{ELSEWHERE}/token")))
    assert_good(google, lambda: google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL))
    assert google.mints("Token", EMAIL) == google.calls() == 1


def test_a_users_file_is_the_operators_identity(
    google: GoogleStandIn, google_tokens: GoogleTokens, adc_file: AdcFile
) -> None:
    adc_file(
        {
            "type": "authorized_user",
            "client_id": "id",
            "client_secret": "secret",
            "refresh_token": google.add_refresh_token("me@example.com"),
        }
    )
    assert_good(google, lambda: google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL))
    assert google.mints("Token", "me@example.com") == google.calls() == 1


def test_gclouds_own_file_is_found(
    google: GoogleStandIn,
    google_tokens: GoogleTokens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "application_default_credentials.json"
    path.write_text(google.make_key_json(EMAIL))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    assert_good(google, lambda: google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL))


def test_a_federated_file_asks_sts_and_nothing_else(
    google: GoogleStandIn, google_tokens: GoogleTokens, adc_file: AdcFile, tmp_path: Path
) -> None:
    trust_subject(google)
    adc_file(external_account(tmp_path))
    assert_good(google, lambda: google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL))
    assert google.mints("Exchange", "principal://sa") == google.calls() == 1


def test_a_federated_file_without_our_settings_uses_its_own_urls(
    google: GoogleStandIn, adc_file: AdcFile, tmp_path: Path
) -> None:
    trust_subject(google)
    google.allow_impersonation(EMAIL)
    url = f"{google.url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    adc_file(
        external_account(
            tmp_path, token_url=f"{google.url}/v1/token", service_account_impersonation_url=url
        )
    )
    assert_good(google, lambda: GoogleTokens().issue(google_request(OPERATOR), NO_KEY_MATERIAL))


def test_a_federated_file_that_impersonates_gets_that_accounts_token(
    google: GoogleStandIn, google_tokens: GoogleTokens, adc_file: AdcFile, tmp_path: Path
) -> None:
    trust_subject(google)
    google.allow_impersonation(EMAIL, principal="principal://sa")
    path = f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    adc_file(
        external_account(
            tmp_path,
            service_account_impersonation_url=f"{ELSEWHERE}{path}",
            service_account_impersonation={"token_lifetime_seconds": 1800},
        )
    )
    mint = lambda: google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)  # noqa: E731
    assert_good(google, mint, life=1800)
    assert google.mints("GenerateAccessToken", EMAIL) == 1
    assert google.calls() == 2


@pytest.mark.parametrize(
    "content",
    [
        {"type": "external_account", "credential_source": {"executable": {"command": "/bin/x"}}},
        {"type": "external_account", "credential_source": {"environment_id": "aws1"}},
        {"type": "external_account", "credential_source": {"file": "/x"}},
        {"type": "gdch_service_account"},
        {"type": "authorized_user"},
        {},
    ],
)
def test_a_file_that_does_not_serve_says_so_instead_of_another_identity(
    google: GoogleStandIn, google_tokens: GoogleTokens, adc_file: AdcFile, content: dict[str, Any]
) -> None:
    google.metadata_email = EMAIL
    adc_file(content)
    with pytest.raises(LoginError) as caught:
        google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert (caught.value.reason, caught.value.permanent) == ("NoOperatorIdentity", True)
    assert google.calls() == 0


def test_a_missing_file_names_its_path(
    google: GoogleStandIn, google_tokens: GoogleTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/adc.json")
    with pytest.raises(LoginError) as caught:
        google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert caught.value.reason == "NoOperatorIdentity"
    assert "/nowhere/adc.json" in caught.value.message


def test_a_missing_subject_token_is_no_identity(
    google: GoogleStandIn, google_tokens: GoogleTokens, adc_file: AdcFile, tmp_path: Path
) -> None:
    adc_file(external_account(tmp_path, credential_source={"file": str(tmp_path / "absent")}))
    with pytest.raises(LoginError) as caught:
        google_tokens.issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert caught.value.reason == "NoOperatorIdentity"


@pytest.fixture
def agent_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pod has a certificate to which Google would bind its tokens."""
    pair = Authority(tmp_path).spiffe(
        "agent", "spiffe://agents.global.proj-42.system.id.goog/ns/builders/sa/operator"
    )
    config = tmp_path / "certificate_config.json"
    workload = {"cert_path": str(pair.certificate), "key_path": str(pair.key)}
    config.write_text(json.dumps({"cert_configs": {"workload": workload}}))
    monkeypatch.setenv("GOOGLE_API_CERTIFICATE_CONFIG", str(config))


BOUND_TOKENS = (
    "GOOGLE_API_ENABLE_RUNTIME_BOUND_TOKEN",
    "GOOGLE_API_PREVENT_AGENT_TOKEN_SHARING_FOR_GCP_SERVICES",
)
"""What asks for such tokens, in google-auth since 2.61 and before."""


@pytest.mark.usefixtures("agent_identity")
def test_a_token_bound_to_this_pods_certificate_is_never_asked_for(
    google: GoogleStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.metadata_email = EMAIL
    for variable in BOUND_TOKENS:
        monkeypatch.setenv(variable, "true")
    by_itself = compute_engine.Credentials()
    by_itself.refresh(Request())
    assert not google.is_valid("oauth2accesstoken", by_itself.token)

    token = google_client(google).issue(google_request(OPERATOR), NO_KEY_MATERIAL)
    assert google.is_valid("oauth2accesstoken", token.value.get_secret_value())


@pytest.mark.usefixtures("agent_identity")
def test_a_process_of_its_own_asks_for_no_bound_token_either(google: GoogleStandIn) -> None:
    google.metadata_email = EMAIL
    env = {name: os.environ[name] for name in ("GOOGLE_API_CERTIFICATE_CONFIG",)}
    answer = grant_in_new_process("google", {**google.env(), **env})
    assert google.is_valid("oauth2accesstoken", answer["value"])
