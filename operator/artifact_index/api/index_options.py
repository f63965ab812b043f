"""IndexOptions: which indexes, in what order, written where."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field

from artifact_index.api.base import ApiModel
from artifact_index.api.conditions import Condition
from artifact_index.api.duration import GoDuration, duration_between
from artifact_index.api.fields import IndexName, ObjectName, Url
from artifact_index.api.labels import LabelSelector
from artifact_index.api.rules import ATOMIC, SET, ListType, Rule
from artifact_index.api.timestamps import Timestamp

IndexStrategy = Literal["first-index", "unsafe-first-match", "unsafe-best-match"]
OutputKind = Literal["Secret", "ConfigMap"]
OutputFormat = Literal["UvToml", "Netrc", "PipConf", "Pypirc", "PdmToml", "Environment"]
IndexKind = Literal["ArtifactIndex", "ClusterArtifactIndex"]
DeletionPolicy = Literal["Delete", "Retain"]

MAX_FORMATS: Final = len(get_args(OutputFormat)) - 1
"""Formats in one output: all but `Environment`, which stands alone."""
MAX_OUTPUTS: Final = 8
MAX_STATUS_INDEXES: Final = 512
MAX_STATUS_KEYS: Final = 2048


class PublicIndex(ApiModel):
    """The public index: PyPI, or what stands in its place."""

    enabled: bool = True
    """Whether the file names a public index. With false uv asks the private indexes only."""

    name: IndexName = "pypi"
    """Name of the public index in uv.toml."""

    url: Url | None = None
    """URL of a mirror in PyPI's place. Absent: PyPI itself."""


class Output(ApiModel):
    """One object that the operator writes and owns."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!('Environment' in self.formats) || size(self.formats) == 1",
            message="must hold `Environment` alone, since each of its keys is a variable of the "
            "pods that take it by `envFrom`; add a second output for the files",
            holds=lambda output: "Environment" not in output.formats or len(output.formats) == 1,
        ),
        Rule(
            cel="self.kind != 'ConfigMap' || "
            "!self.formats.exists(format, format in ['Netrc', 'Environment'])",
            message="must be a `Secret` where it holds `Netrc` or `Environment`, which are nothing "
            "but credentials; a `ConfigMap` never gets one",
            holds=lambda output: (
                output.kind != "ConfigMap" or {"Netrc", "Environment"}.isdisjoint(output.formats)
            ),
        ),
    )

    kind: OutputKind
    """Secret, or ConfigMap; a ConfigMap never gets a credential."""

    name: ObjectName
    """Name of the object, in this namespace. One that is there and that this object does not own is
    left alone."""

    formats: Annotated[
        tuple[OutputFormat, ...], Field(min_length=1, max_length=MAX_FORMATS), SET
    ] = ("UvToml",)
    """Files to write. UvToml: key `uv.toml`, for uv. Netrc: key `netrc`. PipConf: key `pip.conf`.
    Pypirc: key `.pypirc`, for twine, with the indexes of `publish`. PdmToml: key `config.toml`,
    for PDM. Environment: each key is a variable, for all but pip and curl; it is alone in its
    Secret."""


class OptionsSpec(ApiModel):
    """What IndexOptions and ClusterIndexOptions have in common."""

    index_selector: LabelSelector | None = None
    """Selects indexes by their labels. Absent: all of them."""

    prefer_private: bool = True
    """Whether private indexes are searched before the public one. With false the public index
    comes first, which is open to dependency confusion."""

    index_strategy: IndexStrategy = "first-index"
    """uv's `index-strategy`, in uv's spelling. The unsafe strategies may take a public package in
    place of a private one of the same name."""

    public_index: PublicIndex = PublicIndex()
    """The public index: replace PyPI with a mirror, or leave it out."""

    max_build_duration: Annotated[
        GoDuration,
        duration_between(
            "1s", "12h", message="must be between `1s` and `12h`: no cloud's token lives longer"
        ),
    ] = GoDuration("30m")
    """The promise: a build of this length, started at any moment, never sees its credential die."""

    outputs: (
        Annotated[
            tuple[Output, ...],
            Field(min_length=1, max_length=MAX_OUTPUTS),
            ListType("map", keys=("kind", "name")),
        ]
        | None
    ) = None
    """Objects to write. Absent: one Secret, named like this object, with uv.toml."""

    deletion_policy: DeletionPolicy = "Delete"
    """What becomes of the outputs when this object is deleted or no longer names them. It takes
    effect while this object is suspended, too. Wait until `status.observedGeneration` repeats the
    change before you delete this object."""

    suspend: bool = False
    """Stop writing: outputs are neither changed nor repaired, nothing is minted for them, and no
    token is withdrawn from them. Their owner references still follow `deletionPolicy`."""

    def selects(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an index with these labels is selected."""
        return self.index_selector is None or self.index_selector.matches(labels or {})

    def outputs_of(self, object_name: str) -> tuple[Output, ...]:
        """The outputs of the object of this name, with the default where none are given."""
        return self.outputs or _default_outputs(object_name)


@lru_cache(maxsize=64)
def _default_outputs(object_name: str) -> tuple[Output, ...]:
    """Kept: one pass asks for them several times."""
    return (Output(kind="Secret", name=object_name),)


class IndexOptionsSpec(OptionsSpec):
    """Which indexes go into the file, how uv searches them, and where the file is written."""

    index_selector: LabelSelector | None = None
    """Selects ArtifactIndex objects of this namespace by their labels. Absent: all of them."""

    cluster_index_selector: LabelSelector | None = None
    """Selects ClusterArtifactIndex objects by their labels, of those that may be served in this
    namespace; `{}` selects all of them. Absent: none. In the file such an index keeps its name
    against an ArtifactIndex."""

    def selects_cluster_index(self, labels: Mapping[str, str] | None) -> bool:
        """Whether a ClusterArtifactIndex with these labels is asked for."""
        selector = self.cluster_index_selector
        return selector is not None and selector.matches(labels or {})


class IndexStatus(ApiModel):
    """One selected index, as it is in the file."""

    kind: IndexKind | None = None
    """Kind of the object behind it. Absent: ArtifactIndex."""

    artifact_index: Annotated[str, Field(max_length=253)]
    """Name of the object behind it."""

    uid: Annotated[str, Field(max_length=64)]
    """UID of the object behind it: the index name stays allotted to it."""

    name: Annotated[str, Field(max_length=253)] | None = None
    """Name of the index in uv.toml. Absent: none has been allotted yet."""

    ready: bool
    """Whether the file holds a usable entry of it."""

    reason: Annotated[str, Field(max_length=1024)]
    """Reason of the index's Ready condition."""

    expires_at: Timestamp | None = None
    """When the credential in the file expires; absent where it has no known expiry."""


class OutputStatus(ApiModel):
    """One object that was written."""

    kind: OutputKind
    """Kind of the object."""

    name: Annotated[str, Field(max_length=253)]
    """Name of the object."""

    keys: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=MAX_STATUS_KEYS), ATOMIC
    ] = ()
    """Keys that were written into it, at most 2048 of them."""


class OptionsStatus(ApiModel):
    """What the statuses of IndexOptions and ClusterIndexOptions have in common."""

    observed_generation: int | None = None
    """`metadata.generation` that was last handled; -1 before the first time."""

    conditions: Annotated[
        tuple[Condition, ...], Field(max_length=16), ListType("map", keys=("type",))
    ] = ()
    """Observations: Ready always; Reconciling, Stalled, RefreshFailing, FreshnessNotGuaranteed,
    DependencyConfusionRisk, FormatLimited and HostShared only while they are True."""

    warning: Annotated[str, Field(max_length=316)] | None = None
    """The first of RefreshFailing, FreshnessNotGuaranteed and DependencyConfusionRisk that is True,
    for `kubectl get`; absent if none is."""

    index_count: Annotated[int, Field(ge=0)] | None = None
    """How many indexes are selected."""

    ready_index_count: Annotated[int, Field(ge=0)] | None = None
    """How many of them have a usable entry in the file."""

    indexes: Annotated[tuple[IndexStatus, ...], Field(max_length=MAX_STATUS_INDEXES), ATOMIC] = ()
    """The selected indexes in search order, at most 512 of them; `indexCount` counts all."""

    earliest_expiry: Timestamp | None = None
    """When the first credential in the outputs expires, in UTC and whole seconds."""

    guaranteed_until: Timestamp | None = None
    """Until when a build that starts now can rely on what it reads: `earliestExpiry` less the
    time that a pod takes to start and the clocks' difference."""

    last_handled_refresh_at: Timestamp | None = None
    """The annotation `artifactindex.dev/refresh-requested-at` that was last fulfilled, as it was
    written."""

    last_refused_refresh_at: Timestamp | None = None
    """The annotation that was last tried in vain, as it was written; Ready or RefreshFailing says
    why. The operator goes on trying."""


class IndexOptionsStatus(OptionsStatus):
    """What the operator last saw and did; written by the operator alone."""

    outputs: Annotated[tuple[OutputStatus, ...], Field(max_length=64), ATOMIC] = ()
    """The objects that were written."""
