"""What Entra is asked for: access tokens for Azure DevOps.

The fields are inputs of a digest that outputs keep: a renamed field is another token for everyone.
"""

from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from artifact_index.credentials.requests import Identity, Token

AZURE_DEVOPS: Final = "499b84ac-1321-427f-aa17-267ca6975798"
"""Azure DevOps as a resource of Entra, in every tenant."""

_LIFE: Final = 3600
"""Seconds that a token usually lives; a policy of the tenant may say otherwise."""


@dataclass(frozen=True, slots=True)
class EntraTokenRequest:
    """An Entra token for Azure DevOps: it is the identity's, not a feed's.

    `cloud` is the Azure cloud. `tenant` and `client` are None for the operator's own identity,
    whose environment tells them.
    """

    identity: Identity
    cloud: str
    tenant: str | None = None
    client: str | None = None
    provider: str = field(default="azure-token", init=False)

    @property
    def service(self) -> str:
        """Entra as a whole."""
        return "azure"

    @property
    def target(self) -> str:
        """The client ID; empty for the operator's own identity."""
        return self.client or ""

    def stand_in(self, value: SecretStr, now: int) -> Token:
        """A token with the usual life."""
        return Token(value, now, now + _LIFE)
