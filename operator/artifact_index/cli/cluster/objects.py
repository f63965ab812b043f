"""Objects of both kinds as a reader of their statuses needs them. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import SpecError, parse_spec
from artifact_index.api.conditions import READY, RECONCILING, REFRESH_FAILING, STALLED
from artifact_index.api.constants import ARTIFACT_INDEX_KIND, GROUP, INDEX_OPTIONS_KIND
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.timestamps import parse_time
from artifact_index.cli.reports import ObjectRef
from artifact_index.kube.port import Object
from artifact_index.reconcile.cache.status_parsing import LAST_HANDLED_REFRESH, readable_status
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
    """One object with its status, of which only what is in the form that we write is read."""

    kind: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    generation: int
    spec: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def ref(self) -> ObjectRef:
        """Its reference in reports."""
        return ObjectRef(kind=self.kind, namespace=self.namespace, name=self.name)

    @property
    def argument(self) -> str:
        """How commands of the program name it: `NAME` or `indexoptions/NAME`."""
        return self.name if self.kind == ARTIFACT_INDEX_KIND else f"indexoptions/{self.name}"

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
    def _credential(self) -> dict[str, Any]:
        found = self.status.get("credential")
        return found if isinstance(found, dict) else {}


def observed(kind: str, body: Object) -> Observed:
    """Read what an API server sent."""
    metadata = body["metadata"]
    return Observed(
        kind=kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        generation=metadata.get("generation") or 0,
        spec=body.get("spec") or {},
        status=readable_status(body.get("status") or {}),
    )


def selects(options: Observed, index: Observed) -> bool:
    """Whether an IndexOptions selects an ArtifactIndex."""
    spec = _parsed(IndexOptionsSpec, options)
    return options.namespace == index.namespace and spec is not None and spec.selects(index.labels)


def login_of(index: Observed) -> str:
    """Who logs in: `secret/NAME`, `sa/NAME`, `operator`, or `-` for nobody."""
    spec = _parsed(ArtifactIndexSpec, index)
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
    spec = _parsed(ArtifactIndexSpec, index)
    return of(spec) if spec is not None else None


def outputs_of(options: Observed) -> list[str]:
    """The outputs, each as `KIND/NAME`: those that there are, else those of the spec."""
    listed = options.status.get("outputs")
    items = listed if isinstance(listed, list) else []
    written = [each for each in items if isinstance(each, dict)]
    if written:
        return [f"{each.get('kind')}/{each.get('name')}" for each in written]
    spec = _parsed(IndexOptionsSpec, options)
    declared = spec.outputs_of(options.name) if spec is not None else ()
    return [f"{each.kind}/{each.name}" for each in declared]


def unready_indexes(options: Observed) -> list[str]:
    """Names of the selected indexes that are not ready, as the status lists them."""
    items = options.status.get("indexes") or ()
    return [str(each.get("artifactIndex")) for each in items if not each.get("ready")]


def named(text: str) -> tuple[str, str]:
    """Kind and name of an argument such as `acme` or `indexoptions/uv-config`.

    Raises ValueError for another kind, or for no name.
    """
    kind_text, slash, name = text.rpartition("/")
    if not name:
        raise ValueError(
            f"{text!r} names no object: give NAME, artifactindex/NAME or indexoptions/NAME"
        )
    kind = kind_of(kind_text) if slash else ARTIFACT_INDEX_KIND
    if kind is not None:
        return kind, name
    raise ValueError(
        f"{text} names another kind: give NAME, artifactindex/NAME or indexoptions/NAME"
    )


def kind_of(text: str) -> str | None:
    """The kind of one of the names that kubectl accepts for it; None for any other text."""
    for kind, names in _KINDS.items():
        if re.fullmatch(rf"({names})(\.{re.escape(GROUP)})?", text.lower()):
            return kind
    return None


_KINDS: Final = {
    ARTIFACT_INDEX_KIND: "artifactindex|artifactindexes|aidx",
    INDEX_OPTIONS_KIND: "indexoptions|idxopt",
}


def _parsed(model: Any, each: Observed) -> Any:
    try:
        return parse_spec(model, each.spec)
    except SpecError:
        return None


def _time(text: object) -> int | None:
    try:
        return parse_time(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
