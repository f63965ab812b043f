"""Asks Entra for access tokens: one POST, or one GET of the metadata server."""

import math
import os
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import SecretStr

from artifact_index.credentials.azure import errors, identities
from artifact_index.credentials.azure.command_line import token_of_caller
from artifact_index.credentials.azure.identities import EntraLogin
from artifact_index.credentials.azure.requests import AZURE_DEVOPS, EntraTokenRequest
from artifact_index.credentials.errors import LoginError, UnreachableError
from artifact_index.credentials.requests import (
    KeyMaterial,
    SecretIdentity,
    ServiceAccountIdentity,
    Token,
)
from artifact_index.credentials.web.failures import unreachable
from artifact_index.credentials.web.http import HttpAnswer, HttpClient
from artifact_index.credentials.web.jwt import expiry_of, is_token

_METADATA_HOST: Final = "http://169.254.169.254"
# Outside Azure nothing answers at the metadata server's address.
_METADATA_CONNECT_TIMEOUT: Final = 3.0


class EntraTokens:
    """A thread-safe, synchronous client: call it from a worker thread, never from the event loop.

    `authority_url` is Entra of the public cloud. Each call is a new login: nothing is cached. With
    `of_caller` Azure's command line stands in for the metadata server.
    """

    def __init__(
        self,
        authority_url: str = identities.AUTHORITIES["Public"],
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        now: Callable[[], float] = time.time,
        of_caller: bool = False,
    ) -> None:
        self._of_caller = of_caller
        self._authorities = {**identities.AUTHORITIES, "Public": authority_url}
        self._post = HttpClient(connect_timeout=connect_timeout, read_timeout=read_timeout, now=now)
        connect = min(connect_timeout, _METADATA_CONNECT_TIMEOUT)
        self._get = HttpClient(connect_timeout=connect, read_timeout=read_timeout, now=now)
        self._now = now
        self._seen_metadata = False

    @property
    def calls(self) -> Mapping[type[Any], Callable[[Any, KeyMaterial], Token]]:
        """The method that answers each type of request."""
        return {EntraTokenRequest: self.issue}

    def issue(self, request: EntraTokenRequest, key_material: KeyMaterial) -> Token:
        """Get a token for Azure DevOps; `issued_at` is read before the call.

        The metadata server hands out its cached token, perhaps hours old. Raises LoginError:
        `UnknownExpiry` if the token names no expiry in the future.
        """
        login = self._login(request, key_material)
        # Entra's sign-in log shows it as the correlation ID.
        correlation_id = str(uuid.uuid4()) if login is not None else ""
        issued_at = math.floor(self._now())
        try:
            if login is not None:
                body = self._entra(login, correlation_id).body
            else:
                body = token_of_caller() if self._of_caller else self._metadata().body
            who = "the operator's managed identity" if login is None else f"app {login.client}"
            value = body["access_token"]
            ends = expires_at(body, issued_at)
            if ends is None or ends <= issued_at:
                raise errors.unknown_expiry(who)
        except LoginError as error:
            error.request_id = correlation_id
            raise
        return Token(SecretStr(value), issued_at, ends, correlation_id)

    def _login(self, request: EntraTokenRequest, material: KeyMaterial) -> EntraLogin | None:
        """Who asks Entra; None if the metadata server has to, for a managed identity."""
        authority, identity = self._authorities[request.cloud], request.identity
        if isinstance(identity, SecretIdentity):
            return identities.secret_login(request, material, authority, now=self._now())
        if isinstance(identity, ServiceAccountIdentity):
            return identities.account_login(request, identity, material, authority)
        # Whatever cloud a spec names: it may not choose where the operator's own token goes.
        return identities.operator_login(self._authorities["Public"])

    def _entra(self, login: EntraLogin, correlation_id: str) -> HttpAnswer:
        form = {
            "grant_type": "client_credentials",
            "client_id": login.client,
            "scope": f"{AZURE_DEVOPS}/.default",
            **login.proof,
        }
        headers = {"client-request-id": correlation_id}
        try:
            answer = self._post(login.token_url, urlencode(form).encode(), headers=headers)
        except UnreachableError as error:
            why = str(error)
        else:
            if _has_token(answer):
                return answer
            raise errors.refused(answer, login)
        raise unreachable("Entra", why)

    def _metadata(self) -> HttpAnswer:
        """The managed identity's token, as azure-identity asks for it."""
        host = os.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", _METADATA_HOST).rstrip("/")
        query = {"api-version": "2018-02-01", "resource": AZURE_DEVOPS}
        if client := os.environ.get("AZURE_CLIENT_ID"):
            query["client_id"] = client
        url = f"{host}/metadata/identity/oauth2/token?{urlencode(query)}"
        try:
            answer = self._get(url, None, headers={"Metadata": "true"})
        except UnreachableError as error:
            why = str(error)
        else:
            if _has_token(answer):
                self._seen_metadata = True
                return answer
            raise errors.metadata_refused(answer)
        if not self._seen_metadata:
            raise identities.no_identity(
                "the operator has no Azure identity of its own (no token file, no metadata server)"
            )
        raise unreachable("the metadata server", why)


def expires_at(body: Mapping[str, Any], issued_at: int) -> int | None:
    """When the token expires, in whole POSIX seconds; None if nothing says so.

    The metadata server names the moment in `expires_on`, since its token may be old. Entra names
    the seconds from now in `expires_in`; without either the token itself may say it.
    """
    moment = _seconds(body.get("expires_on"))
    if moment is None and (life := _seconds(body.get("expires_in"))) is not None:
        moment = issued_at + life
    return expiry_of(body["access_token"]) if moment is None else math.floor(moment)


def _seconds(value: object) -> float | None:
    """A number, which the metadata server writes as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # the latter for a whole number of hundreds of digits
        return None
    return number if 0 <= number < 1e11 else None


def _has_token(answer: HttpAnswer) -> bool:
    return answer.status == 200 and is_token(answer.body.get("access_token"))
