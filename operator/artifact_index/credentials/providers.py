"""The clouds that issue tokens: a new one is one line in `providers_of`."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.azure.client import EntraTokens
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.exchange.client import ExchangedTokens
from artifact_index.credentials.google.client import GoogleTokens
from artifact_index.credentials.google.identities import ServiceURLs
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.credentials.tokens.freshness import margins_of
from artifact_index.credentials.web.http import HttpClient
from artifact_index.settings import Settings


class CloudClient(Protocol):
    """A synchronous client of one cloud."""

    @property
    def calls(self) -> Mapping[type[Any], Callable[[Any, KeyMaterial], Token]]:
        """The method that answers each type of request; it raises LoginError."""


class Providers:
    """All clouds behind one synchronous call, which blocks for seconds: call it in a thread."""

    def __init__(self, *clients: CloudClient) -> None:
        self._calls = dict(item for client in clients for item in client.calls.items())

    def issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        """What the request's cloud issues. Raises LoginError and nothing else.

        `key_material` holds the values of the request's Secret, or a ServiceAccount's token; it is
        empty for the operator's own identity.
        """
        try:
            return self._calls[type(request)](request, key_material)
        except LoginError:
            raise
        except Exception as error:
            # Its text may quote a secret: only its class is shown.
            failure = type(error).__name__
            message = f"the login failed within the operator ({failure}), which tries again"
        raise LoginError(Reason.INTERNAL_ERROR, message)


def providers_of(settings: Settings, *, of_caller: bool = False) -> Providers:
    """The clients of all clouds, with the time limits and endpoints of the settings.

    With `of_caller` their own identity is that of whoever runs a command, not the operator's.
    """
    connect, read = settings.cloud_connect_timeout, settings.cloud_read_timeout
    urls = ServiceURLs(
        token_url=settings.google_token_url,
        sts_url=settings.google_sts_url,
        iam_credentials_url=settings.google_iam_credentials_url,
    )
    return Providers(
        CodeArtifact(connect_timeout=connect, read_timeout=read),
        GoogleTokens(urls, connect_timeout=connect, read_timeout=read),
        EntraTokens(
            settings.azure_authority_url,
            connect_timeout=connect,
            read_timeout=read,
            of_caller=of_caller,
        ),
        ExchangedTokens(
            HttpClient(connect_timeout=connect, read_timeout=read),
            least_life=margins_of(settings).first_use,
        ),
    )
