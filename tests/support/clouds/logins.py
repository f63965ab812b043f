"""Requests, materials and clients as the operator makes them, for tests against the stand-ins."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.aws.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.azure.client import EntraTokens
from artifact_index.credentials.azure.requests import EntraTokenRequest
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.google.identities import ServiceURLs
from artifact_index.credentials.google.requests import GoogleTokenRequest, Impersonation
from artifact_index.credentials.providers import Providers
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    Identity,
    KeyMaterial,
    OperatorIdentity,
    SecretIdentity,
    Token,
)
from support.clouds.aws_identities import ACCOUNT
from support.clouds.entra import CLIENT, TENANT
from support.clouds.google import GoogleStandIn

OPERATOR = OperatorIdentity()
CLIENT_SECRET = "client-secret~value.1"
SECRET = SecretIdentity(namespace="builders", secret_uid="uid-1", digest="digest-1")


def token_request(
    identity: Identity = SECRET, *, duration: int = 43200, **changes: Any
) -> CodeArtifactTokenRequest:
    """A request for a CodeArtifact token."""
    fields: dict[str, Any] = {"region": "eu-west-1", "domain": "acme", "domain_owner": ACCOUNT}
    fields |= changes
    return CodeArtifactTokenRequest(identity=identity, duration=duration, **fields)


def endpoint_request(identity: Identity = SECRET, **changes: Any) -> CodeArtifactEndpointRequest:
    """A request for a repository's URL."""
    fields: dict[str, Any] = {
        "region": "eu-west-1",
        "domain": "acme",
        "domain_owner": ACCOUNT,
        "repository": "python",
        "endpoint_type": "IPv4",
    }
    return CodeArtifactEndpointRequest(identity=identity, **(fields | changes))


def google_request(
    identity: Identity = SECRET, impersonate: Impersonation | None = None
) -> GoogleTokenRequest:
    """A request for a Google access token."""
    return GoogleTokenRequest(identity=identity, impersonate=impersonate)


def entra_request(
    identity: Identity = SECRET, *, tenant: str | None = TENANT, client: str | None = CLIENT
) -> EntraTokenRequest:
    """A request for an Entra token."""
    return EntraTokenRequest(identity, "Public", tenant, client)


def by_secret(secret: str = CLIENT_SECRET) -> KeyMaterial:
    """The key material of an app with a client secret."""
    return sealed({"client_secret": secret})


def entra_refusal(
    client: EntraTokens,
    request: EntraTokenRequest | None = None,
    material: KeyMaterial | None = None,
) -> LoginError:
    """Why a login at Entra fails, with the client secret unless told."""
    try:
        client.issue(request or entra_request(), by_secret() if material is None else material)
    except LoginError as error:
        return error
    raise AssertionError("Entra gave a token")


def sealed(values: Mapping[str, str]) -> KeyMaterial:
    """Plain values as the token manager hands them over."""
    return {name: SecretStr(value) for name, value in values.items()}


def google_client(google: GoogleStandIn, **options: Any) -> GoogleTokens:
    """A client with the stand-in's settings, and time limits of the test."""
    settings = {name.removeprefix("google_"): url for name, url in google.settings().items()}
    return GoogleTokens(ServiceURLs(**settings), **options)


def assert_lasts(grant: Token, seconds: int, *, since: float) -> None:
    """A login that began at `since` (POSIX seconds) and has just ended gave a token of this life.

    All times are whole seconds, rounded down. The more time the login took, the less can be told.
    """
    now = time.time()
    assert int(since) <= grant.issued_at <= now
    assert grant.expires_at is not None
    assert since + seconds - (now - since) - 2 <= grant.expires_at <= now + seconds


def grant_in_new_process(
    cloud: str, env: Mapping[str, str], settings: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What the operator's own identity gets in a process with exactly these variables.

    For what SDKs read from the environment at their import. `cloud` is `aws` or `google`;
    `settings` are fields of ServiceURLs. The value, times, or reason and message.
    """
    done = subprocess.run(
        [sys.executable, "-m", "support.clouds.logins", cloud, json.dumps(settings or {})],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _main() -> None:
    cloud, settings = sys.argv[1], json.loads(sys.argv[2])
    clouds = Providers(CodeArtifact(attempts=1), GoogleTokens(ServiceURLs(**settings)))
    request = token_request(OPERATOR) if cloud == "aws" else google_request(OPERATOR)
    try:
        grant = clouds.issue(request, NO_KEY_MATERIAL)
    except LoginError as error:
        json.dump({"reason": error.reason, "message": error.message}, sys.stdout)
    else:
        answer = {
            "value": grant.value.get_secret_value(),
            "issued_at": grant.issued_at,
            "expires_at": grant.expires_at,
        }
        json.dump(answer, sys.stdout)


if __name__ == "__main__":
    _main()
