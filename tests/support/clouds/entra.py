"""Entra's token endpoint, the metadata server of a managed identity, and what a feed believes."""

import base64
import itertools
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from support.clouds import jwt
from support.clouds.cluster_issuer import ClusterIssuer
from support.clouds.http_stand_in import (
    Fault,
    HttpAnswer,
    HttpRequest,
    HttpStandIn,
    RefusedError,
    json_answer,
)
from support.clouds.tokens import IssuedToken, TokenStore

AZURE_DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"
TENANT = "72f988bf-0000-4000-8000-2d7cd011db47"
CLIENT = "11111111-2222-4333-8444-555555555555"
AUDIENCE = "api://AzureADTokenExchange"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN_PATH = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_DISCOVERY_PATH = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration")
_INSTANCE_PATH = "/common/discovery/instance"
_METADATA_PATH = "/metadata/identity/oauth2/token"


@dataclass(frozen=True)
class Trust:
    """A federated credential: `cluster` has the keys that the issuer publishes."""

    cluster: ClusterIssuer
    issuer: str
    subject: str
    audience: str = AUDIENCE


@dataclass
class App:
    """An app registration of a tenant, and its credentials."""

    client: str
    secrets: set[str] = field(default_factory=set)
    expired_secrets: set[str] = field(default_factory=set)
    certificates: dict[str, rsa.RSAPublicKey] = field(default_factory=dict)
    trusts: list[Trust] = field(default_factory=list)
    disabled: bool = False


@dataclass(frozen=True)
class SignIn:
    """A line of the sign-in log: the operator's correlation ID, the app, and who stood behind."""

    correlation_id: str
    client: str
    subject: str


class EntraStandIn(HttpStandIn):
    """Operations: `Token`, `Discovery` (for MSAL), `Metadata`, and `Feed`, which asks for a login.

    `lifetime` is the life of tokens in seconds; `cap_seconds` bounds it so that one dies while one
    watches. The managed identity exists once `managed_identity` is its client ID; its token is the
    same until five minutes before its end. `now` gives POSIX seconds.
    """

    def __init__(
        self,
        *,
        lifetime: int = 3599,
        cap_seconds: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.lifetime = lifetime
        self.cap_seconds = cap_seconds
        self.managed_identity: str | None = None
        self.tokens = TokenStore(now=now)
        self.sign_ins: list[SignIn] = []
        self._now = now
        self._apps: dict[str, dict[str, App]] = {}
        self.assertions: set[str] = set()
        self._cached: IssuedToken | None = None
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        self._numbers = itertools.count(1)

    # -- what exists

    def add_app(self, client: str = CLIENT, tenant: str = TENANT, **has: Any) -> App:
        """Register an app, with what it has."""
        app = App(client, **has)
        with self.lock:
            self._apps.setdefault(tenant, {})[client] = app
        return app

    def make_certificate(
        self, app: App, ends: datetime = datetime(2049, 1, 1, tzinfo=UTC)
    ) -> tuple[str, str]:
        """A certificate that the app registration knows, and its private key, as PEM."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, app.client)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(ends)
            .sign(key, hashes.SHA256())
        )
        for digest in (hashes.SHA1(), hashes.SHA256()):
            app.certificates[jwt.encode(certificate.fingerprint(digest))] = key.public_key()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()

    # -- what the feed asks

    def is_valid(self, username: str, password: str) -> bool:
        """Whether a feed lets this login in now: any user name goes with an app's token.

        `VssSessionToken` goes with tokens of people, which these are not.
        """
        token = self.tokens.live(password)
        named = username not in ("", "VssSessionToken")
        return named and token is not None and token.scope == AZURE_DEVOPS

    def env(self) -> dict[str, str]:
        """Variables that keep a process from this machine's own identity."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url}

    def settings(self) -> dict[str, str]:
        """The operator's settings that send it here: fields of its settings dataclass."""
        return {"azure_authority_url": self.url}

    # -- the service

    def operation_of(self, request: HttpRequest) -> str:
        """By path."""
        if _TOKEN_PATH.fullmatch(request.path):
            return "Token"
        if _DISCOVERY_PATH.fullmatch(request.path) or request.path == _INSTANCE_PATH:
            return "Discovery"
        return "Metadata" if request.path == _METADATA_PATH else "Feed"

    def inputs_of(self, operation: str, request: HttpRequest) -> Mapping[str, str]:
        """Parameters, and the app as the principal."""
        inputs = dict(super().inputs_of(operation, request))
        return inputs | {"principal": inputs.get("client_id", "")}

    def answer(self, operation: str, request: HttpRequest) -> HttpAnswer:
        """Dispatch."""
        if operation == "Token":
            return self._token(request)
        if operation == "Metadata":
            return self._metadata(request)
        return self._discovery(request) if operation == "Discovery" else self._feed(request)

    def error_answer(self, operation: str, fault: Fault) -> HttpAnswer:
        """Entra's form; `message` is the number with its text."""
        body = {
            "error": fault.code,
            "error_description": f"{fault.message} Trace ID: 0 Correlation ID: 0",
            "error_codes": [int(number) for number in re.findall(r"^AADSTS(\d+)", fault.message)],
            "timestamp": "2026-11-30 12:00:00Z",
            "trace_id": "00000000-0000-0000-0000-000000000000",
            "correlation_id": "00000000-0000-0000-0000-000000000000",
            **fault.extra,
        }
        answer = json_answer(body, status=fault.status)
        return HttpAnswer(answer.status, answer.body, answer.content_type, fault.headers)

    def _token(self, request: HttpRequest) -> HttpAnswer:
        form = request.form
        if request.headers.get("content-type", "").partition(";")[0] != (
            "application/x-www-form-urlencoded"
        ):
            raise _refusal(400, "invalid_request", 900144, "The request body must contain a form")
        app = self._app(request.path, form.get("client_id", ""))
        if form.get("grant_type") != "client_credentials":
            raise _refusal(400, "unsupported_grant_type", 70003, "The app requested a grant")
        if form.get("scope") != f"{AZURE_DEVOPS}/.default":
            raise _refusal(400, "invalid_scope", 1002012, "The provided value for scope")
        subject = self._proven(app, form, request)
        with self.lock:
            named = request.headers.get("client-request-id", "")
            self.sign_ins.append(SignIn(named, app.client, subject))
        token = self._issue("Token", app.client)
        life = int(token.expires_at - self._now())
        body = {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life}
        return json_answer({**body, "access_token": token.value})

    def _app(self, path: str, client: str) -> App:
        match = _TOKEN_PATH.fullmatch(path)
        assert match is not None
        with self.lock:
            apps = self._apps.get(match[1])
        if apps is None:
            raise _refusal(400, "invalid_request", 90002, f"Tenant '{match[1]}' not found.")
        app = apps.get(client)
        if app is None:
            message = f"Application with identifier '{client}' was not found in the directory"
            raise _refusal(400, "unauthorized_client", 700016, message)
        if app.disabled:
            raise _refusal(400, "unauthorized_client", 7000112, f"Application '{client}' disabled")
        return app

    def _proven(self, app: App, form: Mapping[str, str], request: HttpRequest) -> str:
        """Who stands behind the app. Raises RefusedError."""
        if secret := form.get("client_secret"):
            if secret in app.expired_secrets:
                raise _refusal(401, "invalid_client", 7000222, "The client secret keys are expired")
            if secret not in app.secrets:
                message = f"Invalid client secret provided: '{secret}'"
                raise _refusal(401, "invalid_client", 7000215, message)
            return "secret"
        assertion = form.get("client_assertion", "")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not assertion:
            raise _refusal(401, "invalid_client", 7000218, "The request body must contain a proof")
        header, claims = _unverified(assertion)
        subject = (
            self._by_certificate(app, assertion, header, claims, request)
            if claims.get("iss") == app.client
            else self._by_federation(app, assertion, claims)
        )
        if not claims.get("nbf", 0) - 300 <= self._now() < claims.get("exp", 0):
            raise _refusal(401, "invalid_client", 700024, "Client assertion is not within its time")
        with self.lock:
            if assertion in self.assertions:  # stricter than Entra: every login is a new one
                raise _refusal(401, "invalid_client", 70001, "The assertion was seen before")
            self.assertions.add(assertion)
        return subject

    def _by_federation(self, app: App, assertion: str, claims: Mapping[str, Any]) -> str:
        named = f"issuer '{claims.get('iss')}' subject '{claims.get('sub')}' '{claims.get('aud')}'"
        if not app.trusts:
            raise _refusal(401, "invalid_client", 70025, f"No configured credentials. {named}")
        fitting = [each for each in app.trusts if each.issuer == claims.get("iss")]
        if not fitting:
            raise _refusal(401, "invalid_client", 700211, f"No matching record for {named}")
        fitting = [each for each in fitting if each.subject == claims.get("sub")]
        if not fitting:
            raise _refusal(401, "invalid_client", 700213, f"No matching record for {named}")
        fitting = [
            each for each in fitting if claims.get("aud") in (each.audience, [each.audience])
        ]
        if not fitting:
            raise _refusal(401, "invalid_client", 700212, f"No matching record for {named}")
        if not any(each.cluster.claims(assertion) for each in fitting):
            raise _refusal(401, "invalid_client", 5000131, "Signature validation failed")
        return fitting[0].subject

    def _by_certificate(
        self,
        app: App,
        assertion: str,
        header: Mapping[str, Any],
        claims: Mapping[str, Any],
        request: HttpRequest,
    ) -> str:
        thumbprint = str(header.get("x5t") or header.get("x5t#S256"))
        key = app.certificates.get(thumbprint.rstrip("="))  # MSAL pads it
        if key is None or not _signed(key, assertion, str(header.get("alg"))):
            raise _refusal(401, "invalid_client", 700027, "The certificate is not registered")
        audience = str(claims.get("aud")).partition("://")[2]
        if audience != request.headers.get("host", "") + request.path:
            raise _refusal(401, "invalid_client", 700023, "Client assertion audience claim")
        if claims.get("sub") != app.client or not claims.get("jti"):
            raise _refusal(401, "invalid_client", 700021, "Client assertion subject claim")
        return "certificate"

    def _issue(self, operation: str, client: str) -> IssuedToken:
        issued_at = self._now()
        life = self.lifetime if self.cap_seconds is None else self.cap_seconds
        # Whole seconds, as the answers and the claims have them.
        expires_at = int(issued_at) + life
        claims = {
            "aud": AZURE_DEVOPS,
            "iss": f"https://sts.windows.net/{TENANT}/",
            "appid": client,
            "idtyp": "app",
            "tid": TENANT,
            "iat": int(issued_at),
            "nbf": int(issued_at),
            "exp": expires_at,
            "uti": str(next(self._numbers)),
        }
        value = jwt.sign(self._key, {"typ": "JWT"}, claims)
        self.granted(operation, client)
        return self.tokens.add(IssuedToken(value, client, AZURE_DEVOPS, issued_at, expires_at))

    def _metadata(self, request: HttpRequest) -> HttpAnswer:
        if request.headers.get("metadata") != "true" or "x-forwarded-for" in request.headers:
            raise RefusedError(400, "bad_request_102", "Required metadata header not specified")
        if request.query.get("resource") != AZURE_DEVOPS or "api-version" not in request.query:
            raise RefusedError(400, "invalid_resource", "AADSTS500011: The resource")
        client = request.query.get("client_id", self.managed_identity)
        if self.managed_identity is None or client != self.managed_identity:
            raise RefusedError(400, "invalid_request", "Identity not found")
        with self.lock:
            cached = self._cached
            if cached is None or cached.expires_at - self._now() <= 300:
                cached = self._cached = self._issue("Metadata", self.managed_identity)
        body = {
            "access_token": cached.value,
            "client_id": client,
            "expires_in": str(int(cached.expires_at - self._now())),
            "expires_on": str(int(cached.expires_at)),
            "resource": AZURE_DEVOPS,
            "token_type": "Bearer",
        }
        return json_answer(body)

    def _discovery(self, request: HttpRequest) -> HttpAnswer:
        if request.path == _INSTANCE_PATH:
            return json_answer({"metadata": []})
        match = _DISCOVERY_PATH.fullmatch(request.path)
        assert match is not None
        base = f"https://{request.headers['host']}/{match[1]}"
        return json_answer(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
            }
        )

    def _feed(self, request: HttpRequest) -> HttpAnswer:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        login = base64.b64decode(given).decode() if scheme.lower() == "basic" else ""
        if self.is_valid(*login.partition(":")[::2]):
            return HttpAnswer(200, b"<!DOCTYPE html>", "text/html")
        challenge = (
            f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}, "
            'Basic realm="https://pkgs.dev.azure.com/"'
        )
        authority = {"X-VSS-AuthorizationEndpoint": "https://vssps.dev.azure.com/acme/"}
        headers = {"WWW-Authenticate": challenge, **authority}
        return HttpAnswer(401, b"", "text/plain", headers)


def _refusal(status: int, code: str, number: int, message: str) -> RefusedError:
    return RefusedError(status, code, f"AADSTS{number}: {message}")


def _signed(key: rsa.RSAPublicKey, assertion: str, algorithm: str) -> bool:
    signed, _, mark = assertion.rpartition(".")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    paddings = {"RS256": padding.PKCS1v15(), "PS256": pss}
    try:
        key.verify(jwt.decode(mark), signed.encode(), paddings[algorithm], hashes.SHA256())
    except (InvalidSignature, KeyError, ValueError):
        return False
    return True


def _unverified(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims. Raises RefusedError if there are none."""
    try:
        header, claims = (json.loads(jwt.decode(part)) for part in assertion.split(".")[:2])
        return dict(header), dict(claims)
    except (TypeError, ValueError):
        raise _refusal(400, "invalid_request", 50027, "Invalid JWT token") from None


def client_of(number: int) -> str:
    """A client ID by its number."""
    return str(uuid.UUID(int=number))
