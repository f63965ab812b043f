"""The stand-ins, and an environment without this machine's own cloud configuration."""

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from google.auth import _exponential_backoff as google_backoff
from google.auth.compute_engine import _metadata

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.google.client import GoogleTokens
from support.clouds import AwsStandIn, GoogleStandIn
from support.clouds.logins import google_client
from support.clouds.steps import LAST, PROVIDER, ROLE, SUBJECT

_FOREIGN = ("AWS_", "GOOGLE_", "GCE_", "CLOUDSDK_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


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
