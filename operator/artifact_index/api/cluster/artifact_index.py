"""ClusterArtifactIndex: one index, and the namespaces in which it may be served."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from pydantic import Field

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import ApiModel
from artifact_index.api.fields import NamespaceName
from artifact_index.api.labels import LabelSelector
from artifact_index.api.rules import SET, Rule, exactly_one

MAX_NAMES: Final = 256
"""Namespaces that can be named one by one; more are selected by a label."""


class NamespaceConsent(ApiModel):
    """Namespaces, by their labels or by their names."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one(
            ("selector", "names"),
            "must set exactly one of `selector` and `names`; `selector: {}` is every namespace",
        ),
    )

    selector: LabelSelector | None = None
    """Selects namespaces by their labels; `{}` selects every namespace. Exactly one of `selector`
    and `names` must be set."""

    names: (
        Annotated[tuple[NamespaceName, ...], Field(min_length=1, max_length=MAX_NAMES), SET] | None
    ) = None
    """Names of the namespaces. Exactly one of `selector` and `names` must be set."""

    def includes(self, name: str, labels: Mapping[str, str] | None) -> bool:
        """Whether a namespace of this name and with these labels is one of them."""
        if self.names is not None:
            return name in self.names
        return self.selector is not None and self.selector.matches(labels or {})


class ClusterArtifactIndexSpec(ArtifactIndexSpec):
    """Where the index is, how to log in to it, how it appears in uv.toml, and in which namespaces
    it may be served."""

    namespaces: NamespaceConsent
    """Consent: the namespaces in which this index may be served, whoever asks for it. A namespace
    that is no longer among them loses the entry at once."""
