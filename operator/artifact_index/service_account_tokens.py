"""Requests ServiceAccount tokens, the first step of a login as a ServiceAccount."""

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
from artifact_index.kube.permissions import account_permissions
from artifact_index.kube.port import KubePort

TOKEN_SECONDS: Final = 3600
"""Life of a ServiceAccount's token. A Google token without impersonation expires with it; an AWS
session does not depend on it. The API server extends 3607 seconds, as old clients ask for, to a
year: this is another number."""


class ServiceAccountTokens:
    """Wraps `issue`: each attempt at a login as a ServiceAccount gets a fresh token of it.

    The token is requested on the event loop, before the cloud call takes a thread.
    """

    def __init__(self, api: KubePort, issue: Issue) -> None:
        self._api = api
        self._issue = issue

    async def issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        """Issue a token, with the ServiceAccount's own one as key material. Raises LoginError."""
        identity = request.identity
        if not isinstance(identity, ServiceAccountIdentity):
            return await self._issue(request, key_material)
        namespace, name = identity.namespace, identity.name
        try:
            token = await self._api.request_token(
                namespace, name, audiences=identity.audiences, seconds=TOKEN_SECONDS
            )
        except ApiError as error:
            failure = _login_error(error, identity)
        else:
            return await self._issue(request, {**key_material, SUBJECT_TOKEN: SecretStr(token)})
        raise failure


def _login_error(error: ApiError, identity: ServiceAccountIdentity) -> LoginError:
    who = f"ServiceAccount {identity.namespace}/{identity.name}"
    if error.not_found:
        message = f"{who} does not exist any more; create it"
        return LoginError(Reason.SERVICE_ACCOUNT_NOT_FOUND, message)
    if error.forbidden:
        needed = account_permissions(identity.namespace, identity.name)
        message = f"the operator may not ask for tokens of {who}; it needs {needed}"
        return LoginError(Reason.TOKEN_REQUEST_DENIED, message)
    if error.transient or error.conflict:
        what = error.status or error.reason
        message = f"the API server gave no token of {who} ({what}); the operator tries again"
        return LoginError(Reason.TOKEN_REQUEST_FAILED, message, retry_after=error.retry_after)
    message = f"the API server does not take the request for a token of {who} ({error.status} "
    message += f"{error.reason}): correct the audiences in serviceAccountRef"
    return LoginError(Reason.TOKEN_REQUEST_DENIED, message)
