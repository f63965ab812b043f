"""A login that was found for an index, with everything that it was made from."""

from dataclasses import dataclass, field

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.sources.base import (
    Inputs,
    ResolvedSource,
    ServiceAccountResult,
    SourceSecret,
)
from artifact_index.sources.policy import Policy


@dataclass(frozen=True, slots=True)
class KeptLogin:
    """It stands while its inputs do. The operator's key is one more, which no process changes."""

    spec: ArtifactIndexSpec
    policy: Policy
    secret_is_output: bool
    secret: SourceSecret | None = field(repr=False)
    account: ServiceAccountResult
    scope: str
    login: ResolvedSource
    secret_name: str | None = None
    account_name: str | None = None

    def has_inputs_of_spec(self, spec: ArtifactIndexSpec, inputs: Inputs) -> bool:
        """Whether all that is known before the source is read is what it was.

        A record of the same generation takes over the very spec, so that identity says it all.
        """
        return (
            self.spec is spec
            and self.policy == inputs.policy
            and self.secret_is_output == inputs.secret_is_output
        )
