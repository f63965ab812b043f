"""Tokens for `render --mint`: whoever runs the command logs in, and nobody of the manifests."""

from dataclasses import fields, replace
from typing import Any, Final, get_type_hints

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.cli.offline.stand_ins import REDACTED
from artifact_index.credentials.calls import Issue
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.providers import providers_of
from artifact_index.credentials.requests import (
    NO_KEY_MATERIAL,
    KeyMaterial,
    OperatorIdentity,
    ServiceAccountIdentity,
    Token,
    TokenRequest,
)
from artifact_index.credentials.threads import CloudThreads
from artifact_index.settings import Settings

_STEPS: Final = ("role", "impersonate")
"""The fields of requests that name a last step of a login."""


def issue_as_caller(settings: Settings, *, show_secrets: bool) -> Issue:
    """Ask the clouds with the identity of this process: its environment, files and metadata.

    Without `show_secrets` a token is REDACTED, and only its times and the URLs are told.
    """
    threads = CloudThreads(providers_of(settings, of_caller=True).issue)

    async def issue(request: TokenRequest, _: KeyMaterial) -> Token:
        token = await threads.issue(_as_caller(request), NO_KEY_MATERIAL)
        is_url = token.expires_at is None
        return token if show_secrets or is_url else replace(token, value=SecretStr(REDACTED))

    return issue


def _as_caller(request: Any) -> TokenRequest:
    """The request as the caller makes it, who needs neither keys nor a role in between.

    Raises LoginError if it is one for ServiceAccounts alone.
    """
    if get_type_hints(type(request))["identity"] is ServiceAccountIdentity:
        raise LoginError(
            Reason.NO_OPERATOR_IDENTITY,
            "only the operator has its token, for which you have no login of your own: take the "
            "file from the output's Secret, or leave --mint out and fill in a login of yours",
        )
    steps = {each.name: None for each in fields(request) if each.name in _STEPS}
    asked: TokenRequest = replace(request, identity=OperatorIdentity(), **steps)
    return asked
