"""The first step of a login as a ServiceAccount: its token, from the API server."""

import logging
from typing import Final

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.calls import Issue
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    SUBJECT_TOKEN,
    KeyMaterial,
    ServiceAccountIdentity,
    Token,
    TokenRequest,
)
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.reconcile.resolve.identity_checks import ACCOUNT_PERMISSIONS

TOKEN_SECONDS: Final = 3600
"""Life of a ServiceAccount's token. A Google token that nobody is impersonated with dies with it;
of an AWS session it decides nothing. Not 3607, which the API server takes for a sign of old
clients and stretches to a year."""

logger = logging.getLogger(__name__)


class ServiceAccountTokens:
    """Stands before `issue`: each attempt at a login as a ServiceAccount gets a fresh token.

    It is asked for on the event loop, before the cloud's call takes up a thread.
    """

    def __init__(self, api: KubePort, issue: Issue) -> None:
        self._api = api
        self._issue = issue

    async def issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        """What `issue` answers. Raises LoginError."""
        if isinstance(request.identity, ServiceAccountIdentity):
            token = await self._token(request.identity)
            key_material = {**key_material, SUBJECT_TOKEN: SecretStr(token)}
        return await self._issue(request, key_material)

    async def _token(self, identity: ServiceAccountIdentity) -> str:
        try:
            return await self._api.request_token(
                identity.namespace,
                identity.name,
                audiences=identity.audiences,
                seconds=TOKEN_SECONDS,
            )
        except ApiError as error:
            logger.info(
                "no token of ServiceAccount %s/%s: %s", identity.namespace, identity.name, error
            )
            failure = _login_error(error, identity)
        raise failure


def _login_error(error: ApiError, identity: ServiceAccountIdentity) -> LoginError:
    who = f"ServiceAccount {identity.namespace}/{identity.name}"
    if error.not_found:
        message = f"{who} does not exist any more; create it"
        return LoginError(Reason.SERVICE_ACCOUNT_NOT_FOUND, message)
    if error.forbidden:
        message = f"the operator may not ask for tokens of {who}; it needs {ACCOUNT_PERMISSIONS}"
        return LoginError(Reason.TOKEN_REQUEST_DENIED, message)
    if error.transient or error.conflict:
        message = f"the API server gave no token of {who} ({error.status or error.reason}); it is "
        message += "asked again"
        return LoginError(Reason.TOKEN_REQUEST_FAILED, message, retry_after=error.retry_after)
    message = f"the API server does not take the request for a token of {who} ({error.status} "
    message += f"{error.reason}): correct the audiences in serviceAccountRef"
    return LoginError(Reason.TOKEN_REQUEST_DENIED, message)
