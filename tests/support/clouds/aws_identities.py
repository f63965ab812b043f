"""AWS identities: access keys, STS, the instance metadata service, container credentials."""

import base64
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from support.clouds.http_stand_in import (
    Fault,
    HttpAnswer,
    HttpRequest,
    HttpStandIn,
    RefusedError,
    json_answer,
)
from support.clouds.sigv4 import REST_CODES, STS_CODES, AccessKey, Signed, verify

ACCOUNT = "111122223333"
CHAINED_SECONDS = 3600
"""The longest session of a role that a role assumes."""

_STS_OPERATIONS = ("AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity")
_STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class AwsIdentities(HttpStandIn):
    """Operations: `AssumeRole`, `AssumeRoleWithWebIdentity`, `GetCallerIdentity`, `Imds`,
    `ImdsToken`, `ContainerCredentials`. `session_seconds` is the life of temporary keys.
    """

    def __init__(
        self, *, session_seconds: int = 3600, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self.session_seconds = session_seconds
        self.imds_role: str | None = None
        self.container_role: str | None = None
        self._now = now
        self._keys: dict[str, AccessKey] = {}
        self._web_identities: dict[str, Callable[[str], str | None]] = {}
        self._roles: dict[str, tuple[str | None, str | None]] = {}
        self.sts_requests: list[dict[str, str]] = []
        self._imds_tokens: set[str] = set()
        self._container_secret = secrets.token_urlsafe(24)

    # -- what exists

    def add_access_key(
        self,
        principal: str = f"arn:aws:iam::{ACCOUNT}:user/ci",
        *,
        session: bool = False,
        expires_in: float | None = None,
    ) -> AccessKey:
        """New keys; `session` makes them temporary ones, `expires_in` in seconds."""
        temporary = session or expires_in is not None
        life = self.session_seconds if expires_in is None else expires_in
        key = AccessKey(
            access_key_id=("ASIA" if temporary else "AKIA") + secrets.token_hex(8).upper(),
            # The alphabet of real ones, slash and plus included.
            secret_access_key=base64.b64encode(secrets.token_bytes(30)).decode(),
            session_token=base64.b64encode(secrets.token_bytes(300)).decode()
            if temporary
            else None,
            principal=principal,
            expires_at=self._now() + life if temporary else None,
        )
        with self.lock:
            self._keys[key.access_key_id] = key
        return key

    def remove_access_key(self, access_key_id: str) -> None:
        """Delete keys: their next call is refused. Tokens live on, as in AWS."""
        with self.lock:
            self._keys.pop(access_key_id, None)

    def expire_access_key(self, access_key_id: str) -> None:
        """Let temporary keys be past their time."""
        with self.lock:
            self._keys[access_key_id] = replace(self._keys[access_key_id], expires_at=0)

    def trust_web_identity(self, role_arn: str, subject_of: Callable[[str], str | None]) -> None:
        """A role for web identities: `subject_of(token)` is None where it is not trusted."""
        with self.lock:
            self._web_identities[role_arn] = subject_of

    def trust_role(
        self, role_arn: str, *, principal: str | None = None, external_id: str | None = None
    ) -> None:
        """A role that may be assumed, by everybody or one principal, with an ExternalId or not."""
        with self.lock:
            self._roles[role_arn] = (principal, external_id)

    # -- what the operator's process needs

    def env(self, key: AccessKey | None = None) -> dict[str, str]:
        """Variables that send boto3 here, cut off from this machine's own AWS configuration.

        With `key`, the process' own identity is that key; without, it has none.
        """
        variables = {
            "AWS_ENDPOINT_URL_CODEARTIFACT": self.url,
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        if key is not None:
            variables["AWS_ACCESS_KEY_ID"] = key.access_key_id
            variables["AWS_SECRET_ACCESS_KEY"] = key.secret_access_key
            if key.session_token is not None:
                variables["AWS_SESSION_TOKEN"] = key.session_token
        return variables

    def imds_env(self, role: str = "node-role") -> dict[str, str]:
        """As `env`, with the identity of a node's role from IMDSv2."""
        self.imds_role = role
        endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{self.url}/"}
        return self.env() | endpoint | {"AWS_EC2_METADATA_DISABLED": "false"}

    def container_env(self, token_file: Path, role: str = "pod-role") -> dict[str, str]:
        """As `env`, with EKS Pod Identity; the token file is written here."""
        self.container_role = role
        token_file.write_text(self._container_secret)
        return self.env() | {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
        }

    def web_identity_env(self, role_arn: str, token_file: Path) -> dict[str, str]:
        """As `env`, with IRSA: the token in the file is shown to STS."""
        return self.env() | {
            "AWS_ROLE_ARN": role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
            "AWS_DEFAULT_REGION": "eu-west-1",
        }

    # -- the service

    def operation_of(self, request: HttpRequest) -> str:
        """By path; STS by its form."""
        if request.path == "/v1/credentials":
            return "ContainerCredentials"
        if request.path == "/latest/api/token":
            return "ImdsToken"
        if request.path.startswith("/latest/"):
            return "Imds"
        return request.form.get("Action", "Unknown")

    def answer(self, operation: str, request: HttpRequest) -> HttpAnswer:
        """Dispatch."""
        if operation in _STS_OPERATIONS:
            return self._sts(operation, request)
        if operation == "ContainerCredentials":
            return self._container(request)
        if operation.startswith("Imds"):
            return self._imds(operation, request)
        raise RefusedError(404, "UnknownOperationException")

    def inputs_of(self, operation: str, request: HttpRequest) -> Mapping[str, str]:
        """Parameters, and the principal of the access key that the request names."""
        inputs = dict(super().inputs_of(operation, request))
        authorization = request.headers.get("authorization", "")
        named = authorization.partition("Credential=")[2].partition("/")[0]
        with self.lock:
            key = self._keys.get(named)
        return inputs if key is None else inputs | {"principal": key.principal}

    def error_answer(self, operation: str, fault: Fault) -> HttpAnswer:
        """JSON with the code in a header for REST, XML for STS."""
        request_id = secrets.token_hex(8)
        headers = {"x-amzn-RequestId": request_id, **fault.headers}
        if operation in _STS_OPERATIONS:
            body = (
                f'<ErrorResponse xmlns="{_STS_NAMESPACE}"><Error><Type>Sender</Type>'
                f"<Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message></Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>"
            )
            return HttpAnswer(fault.status, body.encode(), "text/xml", headers)
        headers["x-amzn-ErrorType"] = fault.code
        body = json.dumps({"message": fault.message, **fault.extra})
        return HttpAnswer(fault.status, body.encode(), "application/json", headers)

    def signed(self, request: HttpRequest, service: str) -> Signed:
        codes = STS_CODES if service == "sts" else REST_CODES
        return verify(
            request, service=service, find_key=self._find_key, codes=codes, now=self._now()
        )

    def _find_key(self, access_key_id: str) -> AccessKey | None:
        with self.lock:
            return self._keys.get(access_key_id)

    # -- STS

    def _sts(self, operation: str, request: HttpRequest) -> HttpAnswer:
        form = request.form
        with self.lock:
            shown = {name: text for name, text in form.items() if name != "WebIdentityToken"}
            self.sts_requests.append(shown)
        if operation == "AssumeRoleWithWebIdentity":
            with self.lock:
                subject_of = self._web_identities.get(form.get("RoleArn", ""))
            if subject_of is None:
                raise RefusedError(403, "AccessDenied", "Not authorized to perform sts:AssumeRole…")
            if subject_of(form.get("WebIdentityToken", "")) is None:
                raise RefusedError(400, "InvalidIdentityToken", "The token is not accepted")
            return self._session_answer(operation, form)
        signed = self.signed(request, "sts")
        if operation == "GetCallerIdentity":
            self.granted(operation, signed.key.principal)
            result = (
                f"<Arn>{escape(signed.key.principal)}</Arn><UserId>AIDAEXAMPLE</UserId>"
                f"<Account>{ACCOUNT}</Account>"
            )
            return _xml(operation, result)
        with self.lock:
            trusted = self._roles.get(form.get("RoleArn", ""))
        allowed = trusted is not None and trusted[0] in (None, signed.key.principal)
        if trusted is None or not allowed or trusted[1] not in (None, form.get("ExternalId")):
            raise RefusedError(403, "AccessDenied", "is not authorized to perform: sts:AssumeRole")
        if signed.key.session_token and int(form.get("DurationSeconds", "3600")) > CHAINED_SECONDS:
            raise RefusedError(400, "ValidationError", "exceeds the 1 hour session limit")
        return self._session_answer(operation, form)

    def _session_answer(self, operation: str, form: Mapping[str, str]) -> HttpAnswer:
        role, name = form["RoleArn"], form.get("RoleSessionName", "session")
        seconds = int(form.get("DurationSeconds", self.session_seconds))
        assumed = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + f"/{name}"
        key = self.add_access_key(assumed, expires_in=seconds)
        self.granted(operation, role)
        result = (
            f"<Credentials><AccessKeyId>{key.access_key_id}</AccessKeyId>"
            f"<SecretAccessKey>{key.secret_access_key}</SecretAccessKey>"
            f"<SessionToken>{key.session_token}</SessionToken>"
            f"<Expiration>{_rfc3339(key.expires_at)}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>{escape(assumed)}</Arn>"
            "<AssumedRoleId>AROAEXAMPLE:session</AssumedRoleId></AssumedRoleUser>"
        )
        return _xml(operation, result)

    # -- identities of the process' surroundings

    def _container(self, request: HttpRequest) -> HttpAnswer:
        if request.headers.get("authorization") != self._container_secret:
            raise RefusedError(401, "Unauthorized")
        if self.container_role is None:
            raise RefusedError(404, "NotFound")
        return self._surrounding_keys("ContainerCredentials", self.container_role)

    def _imds(self, operation: str, request: HttpRequest) -> HttpAnswer:
        if operation == "ImdsToken":
            if request.method != "PUT":
                raise RefusedError(405, "MethodNotAllowed")
            token = secrets.token_urlsafe(24)
            with self.lock:
                self._imds_tokens.add(token)
            return HttpAnswer(200, token.encode(), "text/plain")
        if request.headers.get("x-aws-ec2-metadata-token") not in self._imds_tokens:
            raise RefusedError(401, "Unauthorized")
        if self.imds_role is None:
            raise RefusedError(404, "NotFound")
        if request.path.rstrip("/").endswith("/security-credentials"):
            return HttpAnswer(200, self.imds_role.encode(), "text/plain")
        return self._surrounding_keys("Imds", self.imds_role)

    def _surrounding_keys(self, operation: str, role: str) -> HttpAnswer:
        principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/i-0123456789abcdef0"
        key = self.add_access_key(principal, session=True)
        self.granted(operation, principal)
        return json_answer(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "AccessKeyId": key.access_key_id,
                "SecretAccessKey": key.secret_access_key,
                "Token": key.session_token,
                "Expiration": _rfc3339(key.expires_at),
                "LastUpdated": _rfc3339(self._now()),
            }
        )


def _xml(operation: str, result: str) -> HttpAnswer:
    body = (
        f'<{operation}Response xmlns="{_STS_NAMESPACE}"><{operation}Result>{result}'
        f"</{operation}Result><ResponseMetadata><RequestId>{secrets.token_hex(8)}</RequestId>"
        f"</ResponseMetadata></{operation}Response>"
    )
    return HttpAnswer(200, body.encode(), "text/xml")


def _rfc3339(seconds: float | None) -> str:
    assert seconds is not None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
