"""What is asked of a cloud, with every input of the answer, and what the cloud granted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, Literal

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


Identity = OperatorIdentity | SecretIdentity


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
    provider: str = field(default="codeartifact-token", init=False)


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
    provider: str = field(default="codeartifact-endpoint", init=False)


@dataclass(frozen=True, slots=True)
class GoogleTokenRequest:
    """A Google access token, scope cloud-platform: it is the principal's, not a repository's."""

    identity: Identity
    provider: str = field(default="google-token", init=False)


GrantRequest = CodeArtifactTokenRequest | CodeArtifactEndpointRequest | GoogleTokenRequest


def canonical(request: GrantRequest) -> bytes:
    """All inputs of the request as one unambiguous byte string, for a keyed digest."""
    return json.dumps(asdict(request), sort_keys=True, separators=(",", ":")).encode()


def lane(request: GrantRequest) -> str:
    """The remote service that answers: calls of one lane are bounded together."""
    if isinstance(request, GoogleTokenRequest):
        return "google"
    return f"codeartifact/{request.region}"


Material = Mapping[str, SecretStr]
"""Values that a login needs and a key must not hold.

For AWS: `access_key_id`, `secret_access_key` and perhaps `session_token`; for Google: `key_json`.
Empty for the operator's own identity.
"""
NO_MATERIAL: Final[Material] = {}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a cloud granted. Times are whole POSIX seconds; `expires_at` None means never."""

    value: SecretStr
    minted_at: int
    expires_at: int | None
