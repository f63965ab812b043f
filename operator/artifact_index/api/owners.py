"""Who owns an output: by its owner reference, or by the marks that also hold without one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from artifact_index.api.constants import (
    API_VERSION,
    CLUSTER_INDEX_OPTIONS_KIND,
    INDEX_OPTIONS_KIND,
    OWNER_ANNOTATION,
)

_OWNERS: Final = (INDEX_OPTIONS_KIND, CLUSTER_INDEX_OPTIONS_KIND)
_OF_CLUSTER: Final = f"{CLUSTER_INDEX_OPTIONS_KIND}/"


def cluster_mark(name: str) -> str:
    """How outputs name a ClusterIndexOptions as their owner, and are adopted by it.

    The mark of an IndexOptions is its name, in which there is no slash.
    """
    return _OF_CLUSTER + name


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller reference of an output; `ours` if it names an IndexOptions.

    `name` is that of the mark then, so that a ClusterIndexOptions is told from its namesake.
    """

    ours: bool
    name: str
    uid: str


def owner_mark(controller: Owner | None, annotations: Mapping[str, str]) -> str | None:
    """Who owns an output: by its owner reference, else by our annotation."""
    if controller is not None:
        return controller.name if controller.ours else None
    return annotations.get(OWNER_ANNOTATION)


def owner_in_words(mark: str | None) -> str:
    """The kind and the name of an owner, for messages."""
    kind, _, name = (mark or "").rpartition("/")
    return f"{kind or INDEX_OPTIONS_KIND} {name!r}"


def is_of_cluster(mark: str | None) -> bool:
    """Whether the owner of an output is a ClusterIndexOptions.

    The content of all its outputs may be the same, so the digest is not bound to the namespace.
    """
    return mark is not None and mark.startswith(_OF_CLUSTER)


def controller_of(references: Iterable[Mapping[str, Any]]) -> Owner | None:
    """The controller among the owner references of an object, if it has one."""
    for reference in references:
        if reference.get("controller"):
            name, kind = reference["name"], reference.get("kind")
            ours = reference.get("apiVersion") == API_VERSION and kind in _OWNERS
            if kind == CLUSTER_INDEX_OPTIONS_KIND:
                name = cluster_mark(name)
            return Owner(ours, name, reference["uid"])
    return None
