"""CodeArtifact, with all of AWS that its callers log in by."""

import base64
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping

from support.clouds.aws_identities import ACCOUNT, AwsIdentities
from support.clouds.http_stand_in import HttpAnswer, HttpRequest, RefusedError, json_answer
from support.clouds.sigv4 import Signed
from support.clouds.tokens import IssuedToken, TokenStore

STANDARD_ENDPOINT = (
    "https://{domain}-{owner}.d.codeartifact.{region}.amazonaws.com/pypi/{repository}/"
)
DUALSTACK_ENDPOINT = "https://{domain}-{owner}.codeartifact.{region}.on.aws/pypi/{repository}/"
MAX_DURATION = 12 * 3600
_CODE_ARTIFACT = {
    ("POST", "/v1/authorization-token"): "GetAuthorizationToken",
    ("GET", "/v1/repository/endpoint"): "GetRepositoryEndpoint",
}


class AwsStandIn(AwsIdentities):
    """One server for all of it; operations are named as in the API reference, and `Imds`,
    `ImdsToken`, `ContainerCredentials`.

    `cap_seconds` bounds the life of CodeArtifact tokens, so that one dies while one watches; the
    answers tell the true expiry. `endpoint_template` is what GetRepositoryEndpoint answers, with
    `{domain}`, `{owner}`, `{region}` and `{repository}`; None answers as AWS would. `now` gives
    POSIX seconds.
    """

    def __init__(
        self,
        *,
        cap_seconds: int | None = None,
        endpoint_template: str | None = None,
        session_seconds: int = 3600,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(session_seconds=session_seconds, now=now)
        self.cap_seconds = cap_seconds
        self.endpoint_template = endpoint_template
        self.tokens = TokenStore(now=now)
        self.requests: list[dict[str, str]] = []
        self._domains: set[tuple[str, str]] | None = None

    # -- what exists

    def add_domain(self, domain: str, owner: str = ACCOUNT) -> None:
        """Once one is added, every other domain is unknown; before, all exist."""
        with self.lock:
            self._domains = (self._domains or set()) | {(owner, domain)}

    # -- what the index asks

    def is_valid(self, username: str, password: str, *, domain: str | None = None) -> bool:
        """Whether a repository endpoint lets this login in now."""
        token = self.tokens.live(password) if username == "aws" else None
        return token is not None and domain in (None, token.scope.split("/")[-1])

    def expire_tokens(self) -> None:
        """Every token issued so far dies now; no answer ever said so."""
        self.tokens.revoke()

    # -- the service

    def operation_of(self, request: HttpRequest) -> str:
        """By method and path; STS by its form."""
        known = _CODE_ARTIFACT.get((request.method, request.path))
        return known or super().operation_of(request)

    def answer(self, operation: str, request: HttpRequest) -> HttpAnswer:
        """Dispatch."""
        if operation in _CODE_ARTIFACT.values():
            signed = self.signed(request, "codeartifact")
            with self.lock:
                self.requests.append(
                    {"operation": operation, "region": signed.region, **request.query}
                )
            if operation == "GetAuthorizationToken":
                return self._authorization_token(request.query, signed)
            return self._repository_endpoint(request.query, signed)
        return super().answer(operation, request)

    # -- CodeArtifact

    def _authorization_token(self, query: Mapping[str, str], signed: Signed) -> HttpAnswer:
        domain, owner = self._domain(query)
        duration = int(query.get("duration", MAX_DURATION))
        if duration != 0 and not 900 <= duration <= MAX_DURATION:
            raise RefusedError(
                400, "ValidationException", "duration", reason="FIELD_VALIDATION_FAILED"
            )
        issued_at = self._now()
        if duration == 0 and signed.key.expires_at is not None:
            life = signed.key.expires_at - issued_at
        else:
            life = duration or MAX_DURATION
        if self.cap_seconds is not None:
            life = min(life, self.cap_seconds)
        expires_at = round(issued_at + life, 3)
        token = IssuedToken(
            value=_token_text(issued_at, expires_at),
            principal=signed.key.principal,
            scope=f"{owner}/{domain}",
            issued_at=issued_at,
            expires_at=expires_at,
        )
        self.tokens.add(token)
        self.granted("GetAuthorizationToken", token.principal)
        return json_answer({"authorizationToken": token.value, "expiration": expires_at})

    def _repository_endpoint(self, query: Mapping[str, str], signed: Signed) -> HttpAnswer:
        domain, owner = self._domain(query)
        if query.get("format") != "pypi" or not query.get("repository"):
            raise RefusedError(
                400, "ValidationException", "format", reason="FIELD_VALIDATION_FAILED"
            )
        own = DUALSTACK_ENDPOINT if query.get("endpointType") == "dualstack" else STANDARD_ENDPOINT
        url = (self.endpoint_template or own).format(
            domain=domain, owner=owner, region=signed.region, repository=query["repository"]
        )
        self.granted("GetRepositoryEndpoint", signed.key.principal)
        return json_answer({"repositoryEndpoint": url})

    def _domain(self, query: Mapping[str, str]) -> tuple[str, str]:
        domain, owner = query.get("domain", ""), query.get("domain-owner", ACCOUNT)
        if not domain:
            raise RefusedError(400, "ValidationException", reason="FIELD_VALIDATION_FAILED")
        with self.lock:
            known = self._domains is None or (owner, domain) in self._domains
        if not known:
            raise RefusedError(
                404, "ResourceNotFoundException", resourceId=domain, resourceType="domain"
            )
        return domain, owner


def _token_text(issued_at: float, expires_at: float) -> str:
    """In the form of real ones: a JWE whose clear header names the times, over 1 KB long."""
    header = {
        "ver": 1,
        "isu": int(issued_at),
        "exp": int(expires_at),
        "enc": "A128GCM",
        "tag": hashlib.sha256(os.urandom(8)).hexdigest()[:22],
        "alg": "A128GCMKW",
        "iv": secrets.token_urlsafe(12),
    }
    parts = [json.dumps(header).encode(), os.urandom(16), os.urandom(12), os.urandom(800)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, secrets.token_urlsafe(16)])
