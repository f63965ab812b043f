"""Google's OAuth token endpoint, STS, IAM Credentials and the metadata server."""

import base64
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from support.clouds.http_stand_in import (
    Fault,
    HttpAnswer,
    HttpRequest,
    HttpStandIn,
    RefusedError,
    json_answer,
)
from support.clouds.tokens import IssuedToken, TokenStore

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"
MAX_ASSERTION_LIFE = 3600
BOUND = "bound"
"""The scope of a token that is good only over a connection with its pod's certificate."""
_ACCOUNT_PREFIX = "projects/-/serviceAccounts/"
_IMPERSONATE = re.compile(r"/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken")


class GoogleStandIn(HttpStandIn):
    """One server for all of it. Operations: `Token` (key assertions and refresh tokens),
    `Exchange` (STS), `GenerateAccessToken`, `Metadata` (the token), `MetadataInfo`.

    `lifetime` is the life of tokens in seconds, `cap_seconds` bounds it so that one dies while one
    watches; the answers tell the true life. The metadata server has an identity once
    `metadata_email` is set, and gives the same token until `metadata_renews_before` seconds before
    its end. `now` gives POSIX seconds.
    """

    def __init__(
        self,
        *,
        lifetime: int = 3600,
        cap_seconds: int | None = None,
        metadata_email: str | None = None,
        metadata_renews_before: int = 300,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.lifetime = lifetime
        self.cap_seconds = cap_seconds
        self.metadata_email = metadata_email
        self.metadata_renews_before = metadata_renews_before
        self.tokens = TokenStore(now=now)
        self._now = now
        self._public_keys: dict[str, tuple[str, rsa.RSAPublicKey]] = {}
        self._refresh_tokens: dict[str, str] = {}
        self._providers: dict[str, Callable[[str], str | None]] = {}
        self._impersonators: dict[str, str | None] = {}
        self._metadata_token: IssuedToken | None = None
        self.impersonations: list[dict[str, Any]] = []
        self.reasons: list[str] = []
        """What the audit log has of each request."""

    # -- what exists

    def make_key_json(self, email: str, **overrides: str) -> str:
        """A new service account key as a file's text; its public half is known here."""
        # Half of Google's size, for a sixth of the time to make it and to load it.
        private = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        key_id = secrets.token_hex(20)
        with self.lock:
            self._public_keys[key_id] = (email, private.public_key())
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        project = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
        fields = {
            "type": "service_account",
            "project_id": project,
            "private_key_id": key_id,
            "private_key": pem.decode(),
            "client_email": email,
            "client_id": "100000000000000000001",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": TOKEN_AUDIENCE,
            "universe_domain": "googleapis.com",
        }
        return json.dumps(fields | overrides, indent=2)

    def remove_keys(self, email: str) -> None:
        """Delete every key of a service account: the next assertion is refused."""
        with self.lock:
            self._public_keys = {
                key_id: known for key_id, known in self._public_keys.items() if known[0] != email
            }

    def add_refresh_token(self, email: str) -> str:
        """A user's refresh token, as gcloud stores it."""
        token = "1//" + secrets.token_urlsafe(40)
        with self.lock:
            self._refresh_tokens[token] = email
        return token

    def trust_provider(self, audience: str, subject_of: Callable[[str], str | None]) -> None:
        """A workload identity provider: `subject_of(token)` is None where it is not trusted."""
        with self.lock:
            self._providers[audience] = subject_of

    def allow_impersonation(self, email: str, *, principal: str | None = None) -> None:
        """A service account that may be impersonated, by everybody or one principal."""
        with self.lock:
            self._impersonators[email] = principal

    # -- what the index asks

    def is_valid(self, username: str, password: str) -> bool:
        """Whether Artifact Registry lets this login in now."""
        token = self.tokens.live(password)
        return username == "oauth2accesstoken" and token is not None and token.scope != BOUND

    def expire_tokens(self) -> None:
        """Every token issued so far dies now; no answer ever said so."""
        self.tokens.revoke()
        with self.lock:
            self._metadata_token = None

    # -- what the operator's process needs

    def env(self) -> dict[str, str]:
        """Variables that send google-auth here and cut it off from this machine's own files."""
        host = f"127.0.0.1:{self.port}"
        return {
            "GCE_METADATA_HOST": host,
            "GCE_METADATA_IP": host,
            "CLOUDSDK_CONFIG": os.devnull,
        }

    def settings(self) -> dict[str, str]:
        """The operator's settings that send it here: fields of its settings dataclass."""
        return {
            "google_token_url": f"{self.url}/token",
            "google_sts_url": f"{self.url}/v1/token",
            "google_iam_credentials_url": self.url,
        }

    # -- the service

    def operation_of(self, request: HttpRequest) -> str:
        """By path."""
        if request.path == "/token":
            return "Token"
        if request.path == "/v1/token":
            return "Exchange"
        if _IMPERSONATE.fullmatch(request.path):
            return "GenerateAccessToken"
        return "Metadata" if request.path.endswith("/token") else "MetadataInfo"

    def inputs_of(self, operation: str, request: HttpRequest) -> Mapping[str, str]:
        """Parameters, and the service account that an assertion names."""
        inputs = dict(super().inputs_of(operation, request))
        try:
            issuer = json.loads(_decoded(inputs["assertion"].split(".")[1]))["iss"]
        except (KeyError, IndexError, ValueError):
            return inputs
        return inputs | {"principal": issuer}

    def answer(self, operation: str, request: HttpRequest) -> HttpAnswer:
        """Dispatch."""
        with self.lock:
            self.reasons.append(request.headers.get("x-goog-request-reason", ""))
        if operation == "Token":
            return self._token(request.form)
        if operation == "Exchange":
            return self._exchange(request.form)
        if operation == "GenerateAccessToken":
            return self._generate_access_token(request)
        return self._metadata(operation, request)

    def error_answer(self, operation: str, fault: Fault) -> HttpAnswer:
        """OAuth's form, a Google API's, or the metadata server's plain text."""
        if operation == "GenerateAccessToken":
            detail = {"code": fault.status, "status": fault.code, "message": fault.message}
            return _with(
                json_answer({"error": {**detail, **fault.extra}}, status=fault.status), fault
            )
        if operation.startswith("Metadata"):
            text = fault.message or fault.code
            return _with(HttpAnswer(fault.status, text.encode(), "text/html"), fault)
        body = {"error": fault.code, "error_description": fault.message, **fault.extra}
        return _with(json_answer(body, status=fault.status), fault)

    def _issue(self, operation: str, principal: str, scope: str, life: float) -> IssuedToken:
        issued_at = self._now()
        if self.cap_seconds is not None:
            life = min(life, self.cap_seconds)
        token = IssuedToken(
            value="ya29." + secrets.token_urlsafe(120),
            principal=principal,
            scope=scope,
            issued_at=issued_at,
            expires_at=issued_at + life,
        )
        self.granted(operation, principal)
        return self.tokens.add(token)

    def _oauth_answer(self, token: IssuedToken, **extra: str) -> HttpAnswer:
        # Whole seconds, rounded down as Google does.
        left = int(token.expires_at - self._now())
        body = {"access_token": token.value, "expires_in": left, "token_type": "Bearer"}
        return json_answer(body | extra)

    def _token(self, form: Mapping[str, str]) -> HttpAnswer:
        grant = form.get("grant_type")
        if grant == "refresh_token":
            with self.lock:
                email = self._refresh_tokens.get(form.get("refresh_token", ""))
            if email is None:
                raise RefusedError(400, "invalid_grant", "Bad Request")
            token = self._issue("Token", email, form.get("scope", ""), self.lifetime)
            return self._oauth_answer(token)
        if grant != JWT_GRANT:
            raise RefusedError(400, "unsupported_grant_type", "Invalid grant_type")
        email, scope = self._verified(form.get("assertion", ""))
        return self._oauth_answer(self._issue("Token", email, scope, self.lifetime))

    def _verified(self, assertion: str) -> tuple[str, str]:
        """Service account and scope of an RS256 assertion (RFC 7523). Raises RefusedError."""
        try:
            head, body, signature = assertion.split(".")
            header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
            algorithm, key_id = header["alg"], header["kid"]
            issued_at, ends = float(claims["iat"]), float(claims["exp"])
            issuer, audience, scope = claims["iss"], claims["aud"], claims["scope"]
            mark = _decoded(signature)
        except (KeyError, TypeError, ValueError):
            raise RefusedError(400, "invalid_grant", "Bad assertion") from None
        with self.lock:
            known = self._public_keys.get(key_id)
        if known is None or known[0] != issuer:
            raise RefusedError(400, "invalid_grant", "Invalid grant: account not found")
        if algorithm != "RS256" or not _signed_by(known[1], f"{head}.{body}".encode(), mark):
            raise RefusedError(400, "invalid_grant", "Invalid JWT Signature.")
        now = self._now()
        timely = issued_at <= now + 300 and now < ends <= issued_at + MAX_ASSERTION_LIFE
        if not timely or audience != TOKEN_AUDIENCE:
            raise RefusedError(400, "invalid_grant", "Invalid JWT: not a short-lived token")
        if not scope:
            raise RefusedError(400, "invalid_scope", "Empty or missing scope not allowed.")
        return issuer, scope

    def _exchange(self, form: Mapping[str, str]) -> HttpAnswer:
        if form.get("grant_type") != EXCHANGE_GRANT:
            raise RefusedError(400, "invalid_request", "grant_type")
        with self.lock:
            subject_of = self._providers.get(form.get("audience", ""))
        if subject_of is None:
            raise RefusedError(400, "invalid_target", "The target service is unknown")
        subject = subject_of(form.get("subject_token", ""))
        if subject is None:
            raise RefusedError(400, "invalid_grant", "The subject token is not accepted")
        # A federated token dies with the token that it was exchanged for.
        life = min(self.lifetime, _remaining(form.get("subject_token", ""), self._now()))
        token = self._issue("Exchange", subject, form.get("scope", ""), life)
        return self._oauth_answer(
            token, issued_token_type="urn:ietf:params:oauth:token-type:access_token"
        )

    def _generate_access_token(self, request: HttpRequest) -> HttpAnswer:
        match = _IMPERSONATE.fullmatch(request.path)
        assert match is not None
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        caller = self.tokens.live(bearer)
        if caller is None:
            raise RefusedError(401, "UNAUTHENTICATED", "Request had invalid credentials")
        with self.lock:
            allowed = match[1] in self._impersonators
            only = self._impersonators.get(match[1])
        if not allowed or only not in (None, caller.principal):
            raise RefusedError(403, "PERMISSION_DENIED", "iam.serviceAccounts.getAccessToken")
        wanted = json.loads(request.body)
        with self.lock:
            self.impersonations.append({"caller": caller.principal, "account": match[1], **wanted})
        if not all(name.startswith(_ACCOUNT_PREFIX) for name in wanted.get("delegates") or ()):
            raise RefusedError(400, "INVALID_ARGUMENT", "delegates")
        life = int(str(wanted.get("lifetime", "3600s")).removesuffix("s"))
        scope = " ".join(wanted.get("scope") or [])
        token = self._issue("GenerateAccessToken", match[1], scope, life)
        expire_time = datetime.fromtimestamp(token.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return json_answer({"accessToken": token.value, "expireTime": expire_time})

    def _metadata(self, operation: str, request: HttpRequest) -> HttpAnswer:
        if request.headers.get("metadata-flavor") != "Google":
            raise RefusedError(403, "Forbidden", "Missing Metadata-Flavor:Google header.")
        if request.path == "/":
            return json_answer({}, Metadata_Flavor="Google")
        email = self.metadata_email
        if email is None or "/instance/service-accounts/" not in request.path:
            raise RefusedError(404, "NotFound", "Not Found")
        if operation == "MetadataInfo":
            info = {"email": email, "aliases": ["default"], "scopes": []}
            return json_answer(info, Metadata_Flavor="Google")
        # As google-auth asks for it since 2.61, and as it did before.
        by_chain = request.method == "POST" and "certificate_chain" in json.loads(request.body)
        if by_chain or "bindCertificateFingerprint" in request.query:
            return self._oauth_answer(self._issue("Metadata", email, BOUND, self.lifetime))
        with self.lock:
            cached = self._metadata_token
            if cached is None or cached.expires_at - self._now() <= self.metadata_renews_before:
                scope = request.query.get("scopes", "")
                cached = self._issue("Metadata", email, scope, self.lifetime)
                self._metadata_token = cached
        answer = self._oauth_answer(cached)
        return HttpAnswer(200, answer.body, headers={"Metadata-Flavor": "Google"})


def _remaining(token: str, now: float) -> float:
    """Seconds that a JWT has left; for ever where the text is none."""
    try:
        claims = json.loads(_decoded(token.split(".")[1]))
        return float(claims["exp"]) - now
    except (IndexError, KeyError, TypeError, ValueError):
        return float("inf")


def _with(answer: HttpAnswer, fault: Fault) -> HttpAnswer:
    return HttpAnswer(answer.status, answer.body, answer.content_type, fault.headers)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _signed_by(key: rsa.RSAPublicKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
