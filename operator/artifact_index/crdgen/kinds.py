"""The kinds as the API server knows them: names, models and the columns of `kubectl get`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from artifact_index.api import constants
from artifact_index.api.artifact_index import ArtifactIndexSpec, ArtifactIndexStatus
from artifact_index.api.base import ApiModel
from artifact_index.api.cluster.artifact_index import ClusterArtifactIndexSpec
from artifact_index.api.cluster.index_options import (
    ClusterIndexOptionsSpec,
    ClusterIndexOptionsStatus,
)
from artifact_index.api.conditions import (
    DEPENDENCY_CONFUSION_RISK,
    FRESHNESS_NOT_GUARANTEED,
    READY,
    REFRESH_FAILING,
)
from artifact_index.api.index_options import IndexOptionsSpec, IndexOptionsStatus

CATEGORY: Final = "artifact-index"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; a wide column is shown with `-o wide` only."""

    name: str
    json_path: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of the API."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[ApiModel]
    status: type[ApiModel]
    columns: tuple[Column, ...]
    namespaced: bool = True
    wording: Mapping[str, str] = field(default_factory=dict)
    """What replaces parts of the descriptions of models that this kind shares with another."""


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


_READY = Column("Ready", _condition(READY, "status"))
_REASON = Column("Reason", _condition(READY, "reason"))
_WARNING = Column("Warning", ".status.warning")
_AGE = Column("Age", ".metadata.creationTimestamp", type="date")
# The message of Ready says nothing of a warning beside it.
_MESSAGES = tuple(
    Column(name, _condition(type_, "message"), wide=True)
    for name, type_ in (
        ("Message", READY),
        ("Refresh failing", REFRESH_FAILING),
        ("Freshness", FRESHNESS_NOT_GUARANTEED),
    )
)
_CONFUSION = Column(
    "Dependency confusion", _condition(DEPENDENCY_CONFUSION_RISK, "message"), wide=True
)

# Expiry is text: a column of type date shows `<invalid>` for a time in the future.
ARTIFACT_INDEX: Final = Kind(
    kind=constants.ARTIFACT_INDEX_KIND,
    plural=constants.ARTIFACT_INDEX_PLURAL,
    short_name="aidx",
    description="ArtifactIndex is one Python package index and the way to log in to it. It is "
    "served through the IndexOptions objects of its namespace that select it.",
    spec=ArtifactIndexSpec,
    status=ArtifactIndexStatus,
    columns=(
        _READY,
        _REASON,
        _WARNING,
        Column("Expires", ".status.credential.expiresAt"),
        _AGE,
        Column("URL", ".status.url", wide=True),
        Column("Refresh", ".status.credential.refreshAt", wide=True),
        *_MESSAGES,
    ),
)
INDEX_OPTIONS: Final = Kind(
    kind=constants.INDEX_OPTIONS_KIND,
    plural=constants.INDEX_OPTIONS_PLURAL,
    short_name="idxopt",
    description="IndexOptions writes the selected ArtifactIndex objects of its namespace, with "
    "live credentials, into the files that uv reads.",
    spec=IndexOptionsSpec,
    status=IndexOptionsStatus,
    columns=(
        _READY,
        _REASON,
        _WARNING,
        Column("Expires", ".status.earliestExpiry"),
        _AGE,
        # Not their names: the API server shows only the first value of a list.
        Column("Indexes", ".status.indexCount", type="integer", wide=True),
        Column("Guaranteed until", ".status.guaranteedUntil", wide=True),
        *_MESSAGES,
        _CONFUSION,
    ),
)
CLUSTER_ARTIFACT_INDEX: Final = Kind(
    kind=constants.CLUSTER_ARTIFACT_INDEX_KIND,
    plural=constants.CLUSTER_ARTIFACT_INDEX_PLURAL,
    short_name="caidx",
    description="ClusterArtifactIndex is one Python package index and the way to log in to it, for "
    "the namespaces that `spec.namespaces` names. It is served through ClusterIndexOptions, and "
    "through IndexOptions that ask for it.",
    spec=ClusterArtifactIndexSpec,
    status=ArtifactIndexStatus,
    columns=ARTIFACT_INDEX.columns,
    namespaced=False,
    wording={
        "in this namespace": "in the namespace of --cluster-resource-namespace",
        "of this namespace": "of the namespace of --cluster-resource-namespace",
        "for this namespace": "for the namespace of --cluster-resource-namespace",
    },
)
CLUSTER_INDEX_OPTIONS: Final = Kind(
    kind=constants.CLUSTER_INDEX_OPTIONS_KIND,
    plural=constants.CLUSTER_INDEX_OPTIONS_PLURAL,
    short_name="cidxopt",
    description="ClusterIndexOptions writes the selected ClusterArtifactIndex objects, with live "
    "credentials, into files in each of the selected namespaces.",
    spec=ClusterIndexOptionsSpec,
    status=ClusterIndexOptionsStatus,
    columns=(
        _READY,
        _REASON,
        _WARNING,
        Column("Namespaces", ".status.namespaces.selected", type="integer"),
        Column("Failing", ".status.namespaces.failing", type="integer"),
        Column("Expires", ".status.earliestExpiry"),
        _AGE,
        Column("Written", ".status.namespaces.written", type="integer", wide=True),
        *INDEX_OPTIONS.columns[5:],
    ),
    namespaced=False,
    wording={"in this namespace": "in each of the namespaces"},
)
KINDS: Final = (ARTIFACT_INDEX, INDEX_OPTIONS, CLUSTER_ARTIFACT_INDEX, CLUSTER_INDEX_OPTIONS)
