"""What is asked of a cloud, with every input of the answer, and what the cloud issues."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from pydantic import SecretStr

EndpointType = Literal["IPv4", "DualStack"]


@dataclass(frozen=True, slots=True)
class OperatorIdentity:
    """The operator's own cloud identity; it belongs to no namespace."""

    kind: str = field(default="operator", init=False)


@dataclass(frozen=True, slots=True)
class SecretIdentity:
    """Keys in one Secret. `digest` is a keyed digest of the referenced keys' values."""

    namespace: str
    secret_uid: str
    digest: str
    kind: str = field(default="secret", init=False)


@dataclass(frozen=True, slots=True)
class ServiceAccountIdentity:
    """The token of one Kubernetes ServiceAccount.

    `audiences` are the token's own; `exchange` is what it is shown to: the ARN of the IAM role, or
    the audience of Google's STS (a workload identity provider).
    """

    namespace: str
    name: str
    service_account_uid: str
    audiences: tuple[str, ...]
    exchange: str
    kind: str = field(default="serviceaccount", init=False)


Identity = OperatorIdentity | SecretIdentity | ServiceAccountIdentity


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """An IAM role as the last step of an AWS login. `tags` are sorted by key."""

    role_arn: str
    session_name: str
    external_id: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Impersonation:
    """A Google service account as the last step of a login; `lifetime` is in seconds.

    `delegates` are e-mail addresses, from the one that the login may impersonate onwards.
    """

    service_account: str
    delegates: tuple[str, ...]
    lifetime: int


@dataclass(frozen=True, slots=True)
class CodeArtifactTokenRequest:
    """A token for every repository of one CodeArtifact domain.

    `duration` is in seconds: 900 to 43200, or 0 for "until the caller's session ends".
    """

    region: str
    domain: str
    domain_owner: str
    duration: int
    identity: Identity
    role: AssumedRole | None = None
    provider: str = field(default="codeartifact-token", init=False)

    @property
    def service(self) -> str:
        """The remote service that answers: its calls are bounded together."""
        return f"codeartifact/{self.region}"


@dataclass(frozen=True, slots=True)
class CodeArtifactEndpointRequest:
    """The URL of one CodeArtifact repository, as GetRepositoryEndpoint answers it.

    The answer is no secret and does not depend on who asks, but whether one gets it does.
    """

    region: str
    domain: str
    domain_owner: str
    repository: str
    endpoint_type: EndpointType
    identity: Identity
    role: AssumedRole | None = None
    provider: str = field(default="codeartifact-endpoint", init=False)

    @property
    def service(self) -> str:
        """The remote service that answers: its calls are bounded together."""
        return f"codeartifact/{self.region}"


@dataclass(frozen=True, slots=True)
class GoogleTokenRequest:
    """A Google access token, scope cloud-platform: it is the principal's, not a repository's."""

    identity: Identity
    impersonate: Impersonation | None = None
    provider: str = field(default="google-token", init=False)

    @property
    def service(self) -> str:
        """The remote service that answers: its calls are bounded together."""
        return "google"


CodeArtifactRequest = CodeArtifactTokenRequest | CodeArtifactEndpointRequest
TokenRequest = CodeArtifactRequest | GoogleTokenRequest


def canonical(request: TokenRequest) -> bytes:
    """All inputs of the request as one unambiguous byte string, for a keyed digest.

    A step that the login does not have leaves no trace, so that a digest in an output outlives a
    release that knows more steps.
    """
    inputs = {name: value for name, value in _fields_of(request).items() if value is not None}
    return _ENCODER.encode(inputs).encode()


def _fields_of(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_fields_of)


KeyMaterial = Mapping[str, SecretStr]
"""Values that a login needs and a key must not hold.

For AWS: `access_key_id`, `secret_access_key` and perhaps `session_token`; for Google: `key_json`;
for a ServiceAccount: `subject_token`, made anew for each attempt. Empty for the operator's own
identity.
"""
SUBJECT_TOKEN: Final = "subject_token"  # noqa: S105 - the name of a value
NO_KEY_MATERIAL: Final[KeyMaterial] = {}


@dataclass(frozen=True, slots=True)
class Token:
    """What a cloud granted. Times are whole POSIX seconds; `expires_at` None means never."""

    value: SecretStr
    issued_at: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Requirement:
    """A login that a consumer needs, for builds of up to `max_build` seconds.

    `digest` is the keyed digest of the request. `fresh_after`, in whole POSIX seconds, asks for a
    token that was issued then or later, and has a failing login tried at once. `needed_by` is when
    the consumer loses the token that it publishes now, as far as it knows, in POSIX seconds; None:
    it publishes none.
    """

    digest: str
    request: TokenRequest
    key_material: KeyMaterial = field(default_factory=lambda: NO_KEY_MATERIAL, repr=False)
    max_build: float = 0
    fresh_after: int | None = None
    needed_by: float | None = None
