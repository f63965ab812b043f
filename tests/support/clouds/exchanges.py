"""Registries that trust a cluster: JFrog, Cloudsmith and a token endpoint of RFC 8693.

JFrog's checks rest on its documentation and the source of its clients, since no client that speaks
to it is on the package index; those of Cloudsmith on its own command line, which logs in here.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.clouds.cluster_issuer import ClusterIssuer
from support.clouds.http_stand_in import (
    Fault,
    HttpAnswer,
    HttpRequest,
    HttpStandIn,
    RefusedError,
    json_answer,
)
from support.clouds.jwt import encode_json
from support.clouds.tokens import IssuedToken, TokenStore

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "urn:ietf:params:oauth:token-type:"
JFROG_PATH = "/access/api/v1/oidc/token"


@dataclass
class IdentityMapping:
    """An identity mapping of JFrog. Lower numbers of `priority` come first."""

    name: str
    claims: Mapping[str, str]
    username: str | None = "builder"
    expires_in: int | None = None
    audience: str = "*@*"
    priority: int = 1


@dataclass
class Workspace:
    """A workspace of Cloudsmith with one OIDC provider: required claims, service accounts."""

    claims: Mapping[str, str]
    services: set[str] = field(default_factory=set)


class ExchangeStandIn(HttpStandIn):
    """One server for all. Operations: `JFrog`, `Cloudsmith`, `RFC8693`.

    `issuer` are the cluster's keys: without them nobody is trusted. `life` is that of Cloudsmith's
    and RFC 8693's tokens, in seconds; `cap_seconds` bounds all. `says_life` False leaves
    `expires_in` out of the answers; `opaque` issues tokens that are no JWTs.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.issuer: ClusterIssuer | None = None
        self.life = 7200
        self.cap_seconds: int | None = None
        self.says_life = True
        self.opaque = False
        self.tokens = TokenStore(now=now)
        self.providers: dict[str, list[IdentityMapping]] = {}
        self.workspaces: dict[str, Workspace] = {}
        self.audiences: dict[str, str] = {}
        """Of RFC 8693: the audience of the subject token that may get tokens for each audience."""
        self.bodies: list[dict[str, str]] = []
        self._now = now
        self._seen: set[str] = set()

    # -- what exists

    def add_mapping(self, provider: str, mapping: IdentityMapping) -> None:
        """Add an identity mapping to an OIDC integration of JFrog."""
        with self.lock:
            mappings = self.providers.setdefault(provider, [])
            mappings.append(mapping)
            mappings.sort(key=lambda each: each.priority)

    def is_valid(self, username: str, password: str) -> bool:
        """Whether the index lets this login in now; `scope` of a token is its user."""
        token = self.tokens.live(password)
        return token is not None and username in ("", token.scope)

    # -- the service

    def operation_of(self, request: HttpRequest) -> str:
        """By path."""
        if request.path == JFROG_PATH:
            return "JFrog"
        return "Cloudsmith" if request.path.startswith("/openid/") else "RFC8693"

    def inputs_of(self, operation: str, request: HttpRequest) -> Mapping[str, str]:
        """Parameters, and the subject as principal."""
        try:
            inputs = dict(_json(request)) if operation != "RFC8693" else request.form
        except RefusedError:
            return {}
        token = inputs.get("subject_token") or inputs.get("oidc_token") or ""
        claims = self.issuer.claims(token) if self.issuer else None
        return {**inputs, "principal": (claims or {}).get("sub", "")}

    def answer(self, operation: str, request: HttpRequest) -> HttpAnswer:
        """Dispatch."""
        if request.method != "POST" or "authorization" in request.headers:
            raise RefusedError(405, "METHOD_NOT_ALLOWED")
        if operation == "JFrog":
            return self._jfrog(_json(request))
        if operation == "Cloudsmith":
            return self._cloudsmith(request.path, _json(request))
        return self._rfc8693(request)

    def error_answer(self, operation: str, fault: Fault) -> HttpAnswer:
        """Each in the words of its vendor."""
        body: dict[str, Any] = {"error": fault.code, "error_description": fault.message}
        if operation == "JFrog":
            body = {"errors": [{"code": fault.code, "message": fault.message}]}
        elif operation == "Cloudsmith":
            body = {"detail": fault.message or "Unable to authenticate with the given token."}
        headers = {name: text for name, text in fault.headers.items() if name != "Content-Type"}
        return HttpAnswer(fault.status, json.dumps(body).encode(), headers=headers)

    def _claims(self, token: object) -> dict[str, Any] | None:
        """The claims of a token of the cluster that is in time and comes for the first time."""
        if not isinstance(token, str) or self.issuer is None:
            return None
        claims = self.issuer.claims(token)
        if claims is None or not claims["nbf"] - 60 <= self._now() < claims["exp"]:
            return None
        with self.lock:
            if token in self._seen:
                return None
            self._seen.add(token)
        return claims

    def _jfrog(self, body: dict[str, Any]) -> HttpAnswer:
        self._keep(body)
        wanted = {"grant_type": GRANT, "subject_token_type": f"{TYPE}id_token"}
        if any(body.get(name) != value for name, value in wanted.items()):
            raise RefusedError(400, "BAD_REQUEST", "Unsupported grant or token type")
        mappings = self.providers.get(body.get("provider_name", ""))
        if mappings is None:
            raise RefusedError(400, "BAD_REQUEST", "Provider not found")
        claims = self._claims(body.get("subject_token"))
        if claims is None:
            raise RefusedError(401, "UNAUTHORIZED", "Invalid token")
        name = body.get("identity_mapping_name")
        mapping = next(
            (each for each in mappings if name in (None, each.name) and _fits(each.claims, claims)),
            None,
        )
        if mapping is None:
            raise RefusedError(403, "FORBIDDEN", "No identity mapping matches")
        if body.get("audience", mapping.audience) != mapping.audience:
            raise RefusedError(400, "BAD_REQUEST", "Invalid audience")
        user = mapping.username
        subject = f"jfac@x/users/{user}" if user is not None else claims["sub"]
        life = 60 if mapping.expires_in is None else mapping.expires_in
        token = self._issue("JFrog", claims["sub"], user or "", life, {"sub": subject})
        answer = {"access_token": token.value, "token_type": "Bearer", "refresh_token": "r-canary"}
        answer |= {"issued_token_type": f"{TYPE}access_token", "scope": "applied-permissions/user"}
        named = {"username": user} if user is not None else {}
        return json_answer(answer | named | self._life(token))

    def _cloudsmith(self, path: str, body: dict[str, Any]) -> HttpAnswer:
        self._keep(body)
        slug = path.removeprefix("/openid/")
        workspace = self.workspaces.get(slug.removesuffix("/"))
        if not slug.endswith("/") or workspace is None:
            raise RefusedError(404, "", "Not found.")
        if not body.get("oidc_token") or not body.get("service_slug"):
            raise RefusedError(422, "", "Missing or invalid parameters.")
        claims = self._claims(body["oidc_token"])
        if claims is None or not _fits(workspace.claims, claims):
            raise RefusedError(401, "")
        if body["service_slug"] not in workspace.services:
            raise RefusedError(401, "")
        token = self._issue("Cloudsmith", claims["sub"], "token", self.life, {})
        return json_answer({"token": token.value}, status=201)

    def _rfc8693(self, request: HttpRequest) -> HttpAnswer:
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            raise RefusedError(400, "invalid_request")
        form = request.form
        self._keep(form)
        if form.get("grant_type") != GRANT:
            raise RefusedError(400, "unsupported_grant_type")
        if form.get("subject_token_type") != f"{TYPE}jwt":
            raise RefusedError(400, "invalid_request")
        audience = self.audiences.get(form.get("audience", ""))
        if audience is None:
            raise RefusedError(400, "invalid_target")
        claims = self._claims(form.get("subject_token"))
        if claims is None or audience not in claims["aud"]:
            raise RefusedError(400, "invalid_grant")
        token = self._issue("RFC8693", claims["sub"], "exchanged", self.life, {})
        answer = {"access_token": token.value, "token_type": "Bearer", "user": "exchanged"}
        answer |= {"issued_token_type": f"{TYPE}access_token", "refresh_token": "r-canary"}
        return json_answer(answer | self._life(token))

    def _issue(
        self, operation: str, principal: str, user: str, life: float, claims: dict[str, Any]
    ) -> IssuedToken:
        now = self._now()
        if self.cap_seconds is not None and life:
            life = min(life, self.cap_seconds)
        ends = now + (life or 10**9)
        value = secrets.token_urlsafe(80)
        if not self.opaque:
            expiry = {"exp": int(ends)} if life else {}
            value = f"{encode_json({'alg': 'RS256'})}.{encode_json({**claims, **expiry})}.{value}"
        self.granted(operation, principal)
        return self.tokens.add(IssuedToken(value, principal, user, now, ends))

    def _life(self, token: IssuedToken) -> dict[str, int]:
        """JFrog's life of 0 is for ever."""
        life = int(token.expires_at - token.issued_at)
        return {"expires_in": life if life < 10**8 else 0} if self.says_life else {}

    def _keep(self, body: Mapping[str, Any]) -> None:
        with self.lock:
            self.bodies.append({name: str(value) for name, value in body.items()})


def _json(request: HttpRequest) -> dict[str, Any]:
    if request.headers.get("content-type") != "application/json":
        raise RefusedError(415, "UNSUPPORTED_MEDIA_TYPE")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise RefusedError(400, "BAD_REQUEST") from None
    return body if isinstance(body, dict) else {}


def _fits(wanted: Mapping[str, str], claims: Mapping[str, Any]) -> bool:
    """Whether all claims that are wanted are there; of an audience one is enough."""
    return all(
        value in claims.get(name, ()) if name == "aud" else claims.get(name) == value
        for name, value in wanted.items()
    )
