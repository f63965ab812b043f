"""What AWS is asked for: tokens of a CodeArtifact domain, and URLs of its repositories.

The fields are inputs of a digest that outputs keep: a renamed field is another token for everyone.
"""

from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from artifact_index.api.sources.code_artifact import EndpointType
from artifact_index.credentials.requests import Identity, Token

_LONGEST: Final = 43200
"""Seconds that a token of CodeArtifact lives at most."""


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """An IAM role as the last step of an AWS login. `tags` are sorted by key."""

    role_arn: str
    session_name: str
    external_id: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _DomainRequest:
    """What both requests of a domain have in common."""

    region: str
    domain: str
    domain_owner: str

    @property
    def service(self) -> str:
        """CodeArtifact in one region."""
        return f"codeartifact/{self.region}"

    @property
    def target(self) -> str:
        """The domain."""
        return f"{self.region}/{self.domain_owner}/{self.domain}"


@dataclass(frozen=True, slots=True)
class CodeArtifactTokenRequest(_DomainRequest):
    """A token for every repository of one CodeArtifact domain.

    `duration` is in seconds: 900 to 43200, or 0 for "until the caller's session ends".
    """

    duration: int
    identity: Identity
    role: AssumedRole | None = None
    provider: str = field(default="codeartifact-token", init=False)

    @property
    def repository(self) -> None:
        """None: the token is for all repositories of the domain."""

    def stand_in(self, value: SecretStr, now: int) -> Token:
        """A token that lives as long as it may."""
        return Token(value, now, now + (self.duration or _LONGEST))


@dataclass(frozen=True, slots=True)
class CodeArtifactEndpointRequest(_DomainRequest):
    """The URL of one CodeArtifact repository, as GetRepositoryEndpoint answers it.

    The answer is no secret and is the same for everyone, but not everyone may ask.
    """

    repository: str
    endpoint_type: EndpointType
    identity: Identity
    role: AssumedRole | None = None
    provider: str = field(default="codeartifact-endpoint", init=False)

    @property
    def duration(self) -> None:
        """None: a URL never expires."""

    def stand_in(self, value: SecretStr, now: int) -> Token:
        """The URL by AWS's rule for them, which its User Guide shows ("Repository endpoints")."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        host = f"{self.domain}-{self.domain_owner}.d.codeartifact.{self.region}.{suffix}"
        if self.endpoint_type == "DualStack":
            host = f"{self.domain}-{self.domain_owner}.codeartifact.{self.region}.on.aws"
        return Token(SecretStr(f"https://{host}/pypi/{self.repository}/"), now, None)


CodeArtifactRequest = CodeArtifactTokenRequest | CodeArtifactEndpointRequest
