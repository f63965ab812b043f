"""What is asked of a token exchange.

The fields are inputs of a digest that outputs keep: a renamed field is another token for everyone.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import SecretStr

from artifact_index.credentials.requests import ServiceAccountIdentity, Token
from artifact_index.formats.urls import address_of

Preset = Literal["jfrog", "cloudsmith", "rfc8693"]

_LIFE: Final = 3600
"""Seconds that a token usually lives."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of the members of the answer: the token, its life in seconds, its user name."""

    token: str
    life: str | None = None
    username: str | None = None


@dataclass(frozen=True, slots=True)
class ExchangeTokenRequest:
    """A registry's token in exchange for a ServiceAccount's, at the URL `identity.exchange`.

    `parameters` are those of the request that the spec decides, sorted by name.
    """

    identity: ServiceAccountIdentity
    preset: Preset
    parameters: tuple[tuple[str, str], ...]
    answer: Answer
    provider: str = field(default="exchange-token", init=False)

    @property
    def host(self) -> str:
        """Host and, if the URL names one, port of the endpoint."""
        return address_of(self.identity.exchange) or ""

    @property
    def service(self) -> str:
        """One host."""
        return f"exchange/{self.host}"

    @property
    def target(self) -> str:
        """The host."""
        return self.host

    def stand_in(self, value: SecretStr, now: int) -> Token:
        """A token with a usual life, for a user of the same name."""
        return Token(value, now, now + _LIFE, username=value.get_secret_value())
