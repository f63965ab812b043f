"""Objects of our kinds as a reader of their statuses needs them. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import SpecError, parse_spec
from artifact_index.api.cluster.artifact_index import ClusterArtifactIndexSpec
from artifact_index.api.cluster.index_options import ClusterIndexOptionsSpec
from artifact_index.api.conditions import READY, RECONCILING, REFRESH_FAILING, STALLED
from artifact_index.api.constants import (
    ARTIFACT_INDEX_KIND,
    CLUSTER_ARTIFACT_INDEX_KIND,
    CLUSTER_INDEX_OPTIONS_KIND,
    FIELD_MANAGER,
    GROUP,
    INDEX_OPTIONS_KIND,
)
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.timestamps import parse_time
from artifact_index.cli.reports import ObjectRef
from artifact_index.kube.port import Object
from artifact_index.reconcile.cache.status_parsing import (
    LAST_HANDLED_REFRESH,
    LAST_REFUSED_REFRESH,
    readable_status,
)
from artifact_index.sources.base import Source
from artifact_index.sources.registry import of


class Condition(NamedTuple):
    """A condition of an object; `since` is its last transition."""

    type: str
    status: str
    reason: str
    message: str
    since: str


@dataclass(frozen=True, slots=True)
class Observed:
    """One object with its status, of which only what is in the form that we write is read.

    The namespace of an object of cluster scope is empty.
    """

    kind: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    generation: int
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    written_at: str | None = None
    """When the operator last wrote the status, by the API server."""
    changed_at: str | None = None
    """When somebody else last changed the object, by the API server."""

    @property
    def ref(self) -> ObjectRef:
        """Its reference in reports."""
        return ObjectRef(kind=self.kind, namespace=self.namespace, name=self.name)

    @property
    def argument(self) -> str:
        """How commands of the program name it: `NAME`, or such as `indexoptions/NAME`."""
        return argument_of(self.ref)

    @property
    def arguments(self) -> str:
        """The argument, with the flag of its namespace where it has one."""
        return arguments_of(self.ref)

    @property
    def is_index(self) -> bool:
        """Whether it is an index, of either scope, rather than one that has outputs."""
        return self.kind in (ARTIFACT_INDEX_KIND, CLUSTER_ARTIFACT_INDEX_KIND)

    @property
    def handled(self) -> bool:
        """Whether the operator has seen the spec as it is now."""
        return self.status.get("observedGeneration") == self.generation

    @property
    def conditions(self) -> Iterator[Condition]:
        """All conditions."""
        for each in self.status.get("conditions") or ():
            yield Condition(
                each["type"], each["status"], each["reason"], each["message"],
                each["lastTransitionTime"],
            )  # fmt: skip

    @property
    def ready(self) -> Condition | None:
        """The condition Ready, if there is one."""
        return next((each for each in self.conditions if each.type == READY), None)

    @property
    def warnings(self) -> list[Condition]:
        """What is wrong although the object may be ready."""
        usual = (READY, RECONCILING, STALLED)
        return [
            each for each in self.conditions if each.type not in usual and each.status == "True"
        ]

    @property
    def refresh_fails(self) -> bool:
        """Whether a condition says so."""
        return any(each.type == REFRESH_FAILING for each in self.warnings)

    @property
    def expires_at(self) -> int | None:
        """When the served credential, or the first of a file's, expires; POSIX seconds."""
        return _time(self._credential.get("expiresAt") or self.status.get("earliestExpiry"))

    @property
    def refresh_at(self) -> int | None:
        """When the credential is due to be replaced; POSIX seconds. None while suspended."""
        return None if self.suspended else _time(self._credential.get("refreshAt"))

    @property
    def suspended(self) -> bool:
        """Whether the spec says so."""
        return bool(self.spec.get("suspend"))

    @property
    def handled_refresh_at(self) -> int | None:
        """The last refresh request that was fulfilled; POSIX seconds."""
        return _time(self.status.get(LAST_HANDLED_REFRESH))

    @property
    def refused_refresh_at(self) -> int | None:
        """The last refresh request that was answered by a problem; POSIX seconds."""
        return _time(self.status.get(LAST_REFUSED_REFRESH))

    @property
    def stalled(self) -> bool:
        """Whether somebody must act before the operator can go on."""
        return any(each.type == STALLED and each.status == "True" for each in self.conditions)

    @property
    def _credential(self) -> dict[str, Any]:
        found = self.status.get("credential")
        return found if isinstance(found, dict) else {}


def observed(kind: str, body: Object) -> Observed:
    """Read what an API server sent."""
    metadata = body["metadata"]
    return Observed(
        kind=kind,
        namespace=metadata.get("namespace") or "",
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        generation=metadata.get("generation") or 0,
        spec=body.get("spec") or {},
        status=readable_status(body.get("status") or {}),
        written_at=last_write(metadata, ours=True),
        changed_at=last_write(metadata, ours=False),
    )


def last_write(metadata: Object, *, ours: bool) -> str | None:
    """When the operator, or somebody else, last wrote an object, as the API server noted it."""
    times = [
        each["time"]
        for each in metadata.get("managedFields") or ()
        if (each.get("manager") == FIELD_MANAGER) is ours and each.get("time")
    ]
    # All are of one form, in UTC.
    return max(times, default=None)


def spec_of(each: Observed) -> Any:
    """The model of an object's spec; None for one that cannot be read."""
    try:
        return parse_spec(_MODELS[each.kind], each.spec)
    except SpecError:
        return None


def selects(options: Observed, index: Observed) -> bool:
    """Whether an object with outputs selects an index, whatever the index consents to."""
    spec = spec_of(options)
    if spec is None:
        return False
    if options.namespace and not index.namespace:
        return bool(spec.selects_cluster_index(index.labels))
    return options.namespace == index.namespace and bool(spec.selects(index.labels))


def login_of(index: Observed) -> str:
    """Who logs in: `secret/NAME`, `sa/NAME`, `operator`, or `-` for nobody."""
    spec = spec_of(index)
    if spec is None:
        return "?"
    source = of(spec)
    if (use := source.secret()) is not None:
        return f"secret/{use.name}"
    if (account := source.service_account()) is not None:
        return f"sa/{account.name}"
    return "operator" if source.uses_operator_identity() else "-"


def account_of(index: Observed) -> str | None:
    """The ServiceAccount of its namespace as which the index logs in."""
    source = source_of(index)
    use = source.service_account() if source is not None else None
    return use.name if use is not None else None


def source_of(index: Observed) -> Source[Any] | None:
    """The source of an index; None for a spec that cannot be read."""
    spec = spec_of(index)
    return of(spec) if spec is not None else None


def outputs_of(options: Observed) -> list[str]:
    """The outputs, each as `KIND/NAME`: those that there are, else those of the spec."""
    listed = options.status.get("outputs")
    items = listed if isinstance(listed, list) else []
    written = [each for each in items if isinstance(each, dict)]
    if written:
        return [f"{each.get('kind')}/{each.get('name')}" for each in written]
    spec = spec_of(options)
    declared = spec.outputs_of(options.name) if spec is not None else ()
    return [f"{each.kind}/{each.name}" for each in declared]


def unready_indexes(options: Observed) -> list[tuple[str, str]]:
    """Kind and name of each selected index that is not ready, as the status lists them."""
    return [index for index, item in listed_indexes(options) if not item.get("ready")]


def listed_indexes(options: Observed) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Kind and name of each selected index, and what the status says of it."""
    default = ARTIFACT_INDEX_KIND if options.namespace else CLUSTER_ARTIFACT_INDEX_KIND
    for each in options.status.get("indexes") or ():
        yield (str(each.get("kind") or default), str(each.get("artifactIndex"))), each


def argument_of(ref: ObjectRef) -> str:
    """How commands of the program name an object of our kinds."""
    return ref.name if ref.kind == ARTIFACT_INDEX_KIND else f"{ref.kind.lower()}/{ref.name}"


def arguments_of(ref: ObjectRef) -> str:
    """The argument of an object, with the flag of its namespace where it has one."""
    return f"-n {ref.namespace} {argument_of(ref)}" if ref.namespace else argument_of(ref)


def named(text: str) -> tuple[str, str]:
    """Kind and name of an argument such as `acme` or `indexoptions/uv-config`.

    Raises ValueError for another kind, or for no name.
    """
    kind_text, slash, name = text.rpartition("/")
    if not name:
        raise ValueError(f"{text!r} names no object: {_HOW_TO_NAME}")
    kind = kind_of(kind_text) if slash else ARTIFACT_INDEX_KIND
    if kind is not None:
        return kind, name
    raise ValueError(f"{text} names another kind: {_HOW_TO_NAME}")


def kind_of(text: str) -> str | None:
    """The kind of one of the names that kubectl accepts for it; None for any other text."""
    for kind, names in _KINDS.items():
        if re.fullmatch(rf"({names})(\.{re.escape(GROUP)})?", text.lower()):
            return kind
    return None


_KINDS: Final = {
    ARTIFACT_INDEX_KIND: "artifactindex|artifactindexes|aidx",
    INDEX_OPTIONS_KIND: "indexoptions|idxopt",
    CLUSTER_ARTIFACT_INDEX_KIND: "clusterartifactindex|clusterartifactindexes|caidx",
    CLUSTER_INDEX_OPTIONS_KIND: "clusterindexoptions|cidxopt",
}
_HOW_TO_NAME: Final = (
    "give NAME, artifactindex/NAME, indexoptions/NAME, clusterartifactindex/NAME or "
    "clusterindexoptions/NAME"
)
_MODELS: Final[Mapping[str, Any]] = {
    ARTIFACT_INDEX_KIND: ArtifactIndexSpec,
    INDEX_OPTIONS_KIND: IndexOptionsSpec,
    CLUSTER_ARTIFACT_INDEX_KIND: ClusterArtifactIndexSpec,
    CLUSTER_INDEX_OPTIONS_KIND: ClusterIndexOptionsSpec,
}


def _time(text: object) -> int | None:
    try:
        return parse_time(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
