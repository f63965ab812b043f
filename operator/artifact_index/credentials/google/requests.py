"""What Google is asked for: access tokens.

The fields are inputs of a digest that outputs keep: a renamed field is another token for everyone.
"""

from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from artifact_index.credentials.requests import Identity, Token

_LIFE: Final = 3600
"""Seconds that a token lives unless its impersonation says otherwise."""


@dataclass(frozen=True, slots=True)
class Impersonation:
    """A Google service account as the last step of a login; `lifetime` is in seconds.

    `delegates` are e-mail addresses, from the one that the login may impersonate onwards.
    """

    service_account: str
    delegates: tuple[str, ...]
    lifetime: int


@dataclass(frozen=True, slots=True)
class GoogleTokenRequest:
    """A Google access token, scope cloud-platform: it is the principal's, not a repository's."""

    identity: Identity
    impersonate: Impersonation | None = None
    provider: str = field(default="google-token", init=False)

    @property
    def service(self) -> str:
        """Google as a whole."""
        return "google"

    @property
    def target(self) -> str:
        """The service account that is impersonated; empty if none is."""
        return self.impersonate.service_account if self.impersonate else ""

    def stand_in(self, value: SecretStr, now: int) -> Token:
        """A token with the life that the impersonation asks for."""
        return Token(value, now, now + (self.impersonate.lifetime if self.impersonate else _LIFE))
