"""Asks CodeArtifact for tokens and repository URLs, through boto3."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.call import AwsCall
from artifact_index.credentials.aws.errors import login_error, request_id_of, unusable_answer
from artifact_index.credentials.aws.login import signing_keys
from artifact_index.credentials.aws.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.aws.session import AwsSession
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import KeyMaterial, Token

# GetRepositoryEndpoint's `endpointType` as the API spells it.
_ENDPOINT_TYPES: Final = {"IPv4": "ipv4", "DualStack": "dualstack"}
_METHODS: Final = {
    "GetAuthorizationToken": "get_authorization_token",
    "GetRepositoryEndpoint": "get_repository_endpoint",
}


class CodeArtifact:
    """A thread-safe, synchronous client: call it from a worker thread, never from the event loop.

    A login has at most three steps. Each takes at most about `attempts` times (`connect_timeout` +
    `read_timeout`) seconds plus botocore's pauses. See `AwsSession` for endpoints.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        attempts: int = 3,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._session = AwsSession(
            connect_timeout=connect_timeout, read_timeout=read_timeout, attempts=attempts, now=now
        )

    @property
    def calls(self) -> Mapping[type[Any], Callable[[Any, KeyMaterial], Token]]:
        """The method that answers each type of request."""
        return {CodeArtifactTokenRequest: self.issue, CodeArtifactEndpointRequest: self.endpoint}

    def issue(self, request: CodeArtifactTokenRequest, key_material: KeyMaterial) -> Token:
        """Get a token for the request's domain; `issued_at` is read before the call.

        Raises LoginError: `UnknownExpiry` if the answer names no expiry in the future.
        """
        call = AwsCall("GetAuthorizationToken", request)
        issued_at = math.floor(self._now())
        answer = self._ask(call, key_material, durationSeconds=request.duration)
        token = answer.get("authorizationToken")
        if not isinstance(token, str) or not token:
            raise unusable_answer(call)
        expiration = answer.get("expiration")
        # An aware datetime in the local zone: only its timestamp is free of the zone.
        expires_at = math.floor(expiration.timestamp()) if isinstance(expiration, datetime) else 0
        if expires_at <= issued_at:
            which = "an expiry that has passed" if expires_at else "no expiry"
            raise LoginError(
                Reason.UNKNOWN_EXPIRY,
                f"CodeArtifact's token for {call.resource} has {which}: it is not used; check the "
                "operator's clock and the AWS_ENDPOINT_URL… variables of the operator",
            )
        return Token(SecretStr(token), issued_at, expires_at, request_id_of(answer))

    def endpoint(self, request: CodeArtifactEndpointRequest, key_material: KeyMaterial) -> Token:
        """Look up the URL of the repository's PyPI endpoint, without `simple/`.

        It never expires. Raises LoginError.
        """
        call = AwsCall("GetRepositoryEndpoint", request)
        asked_at = math.floor(self._now())
        answer = self._ask(
            call,
            key_material,
            repository=request.repository,
            format="pypi",
            endpointType=_ENDPOINT_TYPES[request.endpoint_type],
        )
        url = answer.get("repositoryEndpoint")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise unusable_answer(call)
        return Token(SecretStr(url), asked_at, None, request_id_of(answer))

    def _ask(
        self, call: AwsCall, key_material: KeyMaterial, **parameters: object
    ) -> dict[str, Any]:
        request, method = call.request, _METHODS[call.operation]
        try:
            keys = signing_keys(self._session, call, key_material)
            with self._session.client("codeartifact", request.region, keys) as client:
                answer: dict[str, Any] = getattr(client, method)(
                    domain=request.domain, domainOwner=request.domain_owner, **parameters
                )
        except LoginError:
            raise
        except Exception as error:  # boto3 raises far more than its own classes
            failure = login_error(error, call, now=self._now())
            if failure.reason is Reason.NO_OPERATOR_IDENTITY:
                for service in ("codeartifact", "sts"):
                    self._session.forget_own(service, request.region)
            raise failure from None
        return answer
