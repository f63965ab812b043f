"""An index without a login."""

from artifact_index.api.sources.anonymous import AnonymousSource
from artifact_index.sources.base import Digester, Inputs, ResolvedSource, Source


class Anonymous(Source[AnonymousSource]):
    """A URL that everybody may read."""

    __slots__ = ()
    field = "spec.anonymous"
    to_read = "open the repository to everybody, or use spec.basicAuth with a login"

    def urls(self) -> list[tuple[str, str]]:
        """The index's URL."""
        return [(f"{self.field}.url", self.model.url)]

    def url(self) -> str | None:
        """The URL of the spec."""
        return self.model.url

    def resolve(self, inputs: Inputs, digester: Digester) -> ResolvedSource:
        """The URL alone."""
        return ResolvedSource(url=self.model.url)
