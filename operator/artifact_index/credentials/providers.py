"""Sends a request for a token to the cloud that answers it."""

from typing import Protocol

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
    GoogleTokenRequest,
    KeyMaterial,
    Token,
    TokenRequest,
)


class CodeArtifactClient(Protocol):
    """What the token manager needs of CodeArtifact."""

    def mint(self, request: CodeArtifactTokenRequest, material: KeyMaterial) -> Token:
        """A token; raises LoginError."""

    def endpoint(self, request: CodeArtifactEndpointRequest, material: KeyMaterial) -> Token:
        """A repository's URL; raises LoginError."""


class GoogleClient(Protocol):
    """What the token manager needs of Google."""

    def mint(self, request: GoogleTokenRequest, material: KeyMaterial) -> Token:
        """An access token; raises LoginError."""


class Providers:
    """All clouds behind one synchronous call, which blocks for seconds: call it in a thread."""

    def __init__(self, code_artifact: CodeArtifactClient, google: GoogleClient) -> None:
        self._code_artifact = code_artifact
        self._google = google

    def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        """What the request's cloud issues. Raises LoginError and nothing else.

        `material` holds the values of the request's Secret, or a ServiceAccount's token; it is
        empty for the operator's own identity.
        """
        try:
            return self._ask(request, material)
        except LoginError:
            raise
        except Exception as error:
            # Its text may quote a secret: only the class is told.
            message = f"the login failed within the operator: {type(error).__name__}; it is retried"
        raise LoginError(Reason.INTERNAL_ERROR, message)

    def _ask(self, request: TokenRequest, material: KeyMaterial) -> Token:
        match request:
            case CodeArtifactTokenRequest():
                return self._code_artifact.mint(request, material)
            case CodeArtifactEndpointRequest():
                return self._code_artifact.endpoint(request, material)
            case GoogleTokenRequest():
                return self._google.mint(request, material)
