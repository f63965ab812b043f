"""A login that was found for an index, with everything that it was made from."""

from dataclasses import dataclass, field

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.reconcile.cache.objects import ServiceAccountResult, SourceSecret
from artifact_index.reconcile.resolve.policy import Inputs, Policy
from artifact_index.sources.resolved import ResolvedSource


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

    def has_inputs_of_spec(self, facts: Inputs) -> bool:
        """Whether all that is known before the source is read is what it was.

        A record of the same generation takes over the very spec, so that identity says it all.
        """
        return (
            self.spec is facts.record.spec
            and self.policy == facts.policy
            and self.secret_is_output == facts.secret_is_output
        )
