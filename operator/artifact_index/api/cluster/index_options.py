"""ClusterIndexOptions: which indexes, in what order, written into which namespaces."""

from typing import Annotated, Final

from pydantic import Field

from artifact_index.api.base import ApiModel
from artifact_index.api.index_options import OptionsSpec, OptionsStatus
from artifact_index.api.labels import LabelSelector
from artifact_index.api.rules import ATOMIC

MAX_FAILING_NAMESPACES: Final = 20
"""Failing namespaces that a status names; it counts them all."""


class ClusterIndexOptionsSpec(OptionsSpec):
    """Which indexes go into the file, how uv searches them, and into which namespaces the file is
    written."""

    index_selector: LabelSelector | None = None
    """Selects ClusterArtifactIndex objects by their labels. Absent: all of them. Each namespace
    gets those of them that may be served there."""

    namespace_selector: LabelSelector
    """Selects the namespaces into which the outputs are written, by their labels; `{}` selects
    every namespace. One that is no longer selected loses the outputs at once."""


class NamespaceCounts(ApiModel):
    """How many namespaces there are of each kind."""

    selected: Annotated[int, Field(ge=0)]
    """Namespaces that are selected, and to which a selected index consents."""

    written: Annotated[int, Field(ge=0)]
    """Those of them whose outputs are as they should be."""

    failing: Annotated[int, Field(ge=0)]
    """Those of them with an output that could not be written. An index that is not ready is not
    counted here: Ready says so."""


class FailingNamespace(ApiModel):
    """A namespace whose outputs are not as they should be."""

    namespace: Annotated[str, Field(max_length=63)]
    """Name of the namespace."""

    reason: Annotated[str, Field(max_length=1024)]
    """Why, as one CamelCase word; the API reference lists all of them."""

    message: Annotated[str, Field(max_length=1024)] | None = None
    """What is wrong, with which object, and what to do next; for people."""


class ClusterIndexOptionsStatus(OptionsStatus):
    """What the operator last saw and did; written by the operator alone."""

    namespaces: NamespaceCounts | None = None
    """How many namespaces are selected, written and failing."""

    failing_namespaces: Annotated[
        tuple[FailingNamespace, ...], Field(max_length=MAX_FAILING_NAMESPACES), ATOMIC
    ] = ()
    """The first 20 failing namespaces by name; `namespaces.failing` counts all."""
