"""The stand-ins, and an environment without this machine's own cloud configuration."""

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from google.auth import _exponential_backoff as google_backoff
from google.auth.compute_engine import _metadata

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.azure.client import EntraTokens
from artifact_index.credentials.exchange.client import ExchangedTokens
from artifact_index.credentials.exchange.requests import Answer
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.requests import SUBJECT_TOKEN, Token
from artifact_index.credentials.web.http import HttpClient
from support.clouds import AwsStandIn, EntraStandIn, GoogleStandIn
from support.clouds.entra import App
from support.clouds.exchanges import ExchangeStandIn, IdentityMapping, Workspace
from support.clouds.exchanging import AUDIENCE, LEAST, request_of
from support.clouds.logins import CLIENT_SECRET, google_client, sealed
from support.clouds.signed_tokens import ISSUER, SignedTokens
from support.clouds.signed_tokens import SUBJECT as SERVICE_ACCOUNT
from support.clouds.steps import LAST, PROVIDER, ROLE, SUBJECT

_FOREIGN = (
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "GCE_",
    "CLOUDSDK_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith((*_FOREIGN, "NO_GCE_CHECK", "REQUESTS_CA", "CURL_CA")):
            monkeypatch.delenv(name)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStandIn]:
    """The stand-in; the process itself has no AWS identity."""
    with AwsStandIn() as stand_in:
        for name, value in stand_in.env().items():
            monkeypatch.setenv(name, value)
        yield stand_in


@pytest.fixture
def google_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that google-auth waits between its attempts; they take no time."""
    pauses: list[float] = []
    no_time = SimpleNamespace(sleep=pauses.append)
    monkeypatch.setattr(google_backoff, "time", no_time)
    return pauses


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, google_pauses: list[float]) -> Iterator[GoogleStandIn]:
    """The stand-in; its metadata server has no identity until a test sets one."""
    with GoogleStandIn() as stand_in:
        for name, value in stand_in.env().items():
            monkeypatch.setenv(name, value)
        # google-auth reads GCE_METADATA_HOST at its import, once for all tests of this process.
        host = stand_in.env()["GCE_METADATA_HOST"]
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
        yield stand_in


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntraStandIn]:
    """The stand-in; its metadata server has no identity until a test sets one."""
    with EntraStandIn() as stand_in:
        for name, value in stand_in.env().items():
            monkeypatch.setenv(name, value)
        yield stand_in


@pytest.fixture
def app(entra: EntraStandIn) -> App:
    """An app registration with a client secret, and with one that has expired."""
    return entra.add_app(secrets={CLIENT_SECRET}, expired_secrets={"old"})


@pytest.fixture(scope="module")
def cluster() -> SignedTokens:
    """Signs tokens of ServiceAccounts."""
    return SignedTokens()


@pytest.fixture
def entra_client(entra: EntraStandIn, app: App) -> EntraTokens:
    """Sent to the stand-in by the operator's own setting."""
    return EntraTokens(entra.url)


@pytest.fixture
def code_artifact(aws: AwsStandIn) -> CodeArtifact:
    """One attempt, so that an injected error is seen at once."""
    return CodeArtifact(attempts=1)


@pytest.fixture
def google_tokens(google: GoogleStandIn) -> GoogleTokens:
    """Sent to the stand-in by the operator's own settings."""
    return google_client(google)


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


@pytest.fixture
def registry(cluster: SignedTokens) -> Iterator[ExchangeStandIn]:
    """All three registries, which trust one ServiceAccount of the cluster."""
    with ExchangeStandIn() as stand_in:
        claims = {"iss": ISSUER, "sub": SERVICE_ACCOUNT, "aud": AUDIENCE}
        stand_in.issuer = cluster.issuer
        stand_in.add_mapping("kubernetes", IdentityMapping("read", claims, expires_in=3600))
        stand_in.workspaces["acme"] = Workspace(claims, {"builders"})
        stand_in.audiences["pypi"] = AUDIENCE
        yield stand_in


@pytest.fixture
def exchange(registry: ExchangeStandIn, cluster: SignedTokens) -> Any:
    """Ask once, with a fresh token of the ServiceAccount."""

    client = ExchangedTokens(HttpClient(connect_timeout=5, read_timeout=5), least_life=LEAST)

    def ask(
        preset: str, *, subject: str = "", answer: Answer | None = None, **parameters: str
    ) -> Token:
        token = subject or cluster.token(AUDIENCE)
        request = request_of(registry, preset, answer, **parameters)
        return client.issue(request, sealed({SUBJECT_TOKEN: token}))

    return ask
