"""Trimmed copies of API objects: only the fields that reconciling reads.

Raw bodies and managedFields are dropped, since up to ten thousand objects are cached at a time.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from artifact_index.api import constants
from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import SpecError, parse_spec
from artifact_index.api.cluster.artifact_index import ClusterArtifactIndexSpec, NamespaceConsent
from artifact_index.api.index_options import OptionsSpec
from artifact_index.api.interning import intern_equal
from artifact_index.api.owners import Owner, cluster_mark, controller_of, is_of_cluster, owner_mark
from artifact_index.kube.canonical import canonical_json

Spec = TypeVar("Spec", ArtifactIndexSpec, OptionsSpec)

OUR_ANNOTATIONS = (
    constants.OWNER_ANNOTATION,
    constants.OWNER_UID_ANNOTATION,
    constants.EXPIRES_AT_ANNOTATION,
    constants.REFRESH_AT_ANNOTATION,
    constants.CONTENT_DIGEST_ANNOTATION,
    constants.CHECKPOINT_ANNOTATION,
)

_LEASE: Final = re.compile(
    r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII
)
"""Namespace and name of a Lease."""
OPAQUE: Final = "Opaque"
"""The type of a Secret that is an output."""

_LONGEST_TYPE: Final = 100
"""Characters of the type of another Secret that are kept."""

_LONGEST_ANNOTATION: Final = 256
"""Characters of an annotation that are kept of an output whose digest does not verify."""

MOST_KEYS: Final = 1024
"""Keys of an output that are kept; foreign ones are removed so many at a time."""


class OutputDigester(Protocol):
    """Makes the digest of an output."""

    def output(self, ref: tuple[str, str, str], data: Mapping[str, str], checkpoint: str) -> str:
        """The keyed digest of an output's content, its checkpoint included."""


class ObjectRef(NamedTuple):
    """Namespace and name; the context tells the kind. No namespace is the scope of the cluster."""

    namespace: str
    name: str


class OutputRef(NamedTuple):
    """An output; `kind` is Secret or ConfigMap."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class CustomObject(Generic[Spec]):
    """An ArtifactIndex or IndexOptions, or the kind of `cluster` scope that is its twin.

    `spec` is None if it cannot be parsed, and `problem` tells why. `status` is compact JSON, to be
    decoded only when needed. `refresh_requested` is the annotation's text. `consent` is that of a
    ClusterArtifactIndex, also if the rest of its spec cannot be parsed. `namespace_uid` is that of
    the namespace that a ClusterIndexOptions is `within`.
    """

    ref: ObjectRef
    uid: str
    generation: int
    resource_version: int
    created: str
    labels: Mapping[str, str]
    spec: Spec | None
    problem: SpecError | None
    status: bytes
    refresh_requested: str | None = None
    cluster: bool = False
    consent: NamespaceConsent | None = None
    namespace_uid: str = ""

    @property
    def owner(self) -> str:
        """How the outputs of an IndexOptions name it in their marks, and how it is adopted.

        A kind before the name, with a slash, is in the name of no IndexOptions.
        """
        name = self.ref.name
        return cluster_mark(name) if self.cluster else name

    @property
    def owner_kind(self) -> str:
        """The kind of an IndexOptions, as owner references and messages name it."""
        kinds = constants.INDEX_OPTIONS_KIND, constants.CLUSTER_INDEX_OPTIONS_KIND
        return kinds[self.cluster]

    @property
    def owner_ref(self) -> ObjectRef:
        """The namespace of the outputs, and their owner by its mark."""
        return ObjectRef(self.ref.namespace, self.owner) if self.cluster else self.ref

    def within(self, namespace: str, uid: str = "") -> "CustomObject[Spec]":
        """A ClusterIndexOptions as one of a namespace, into which it writes its outputs."""
        return replace(self, ref=ObjectRef(namespace, self.ref.name), namespace_uid=uid)

    @property
    def suspended(self) -> bool:
        """True if `spec.suspend` is true."""
        return self.spec is not None and self.spec.suspend

    def is_generation(self, uid: str, generation: int) -> bool:
        """True if this is the object with this UID and spec."""
        return (self.uid, self.generation) == (uid, generation)

    def same_input(self, other: "CustomObject[Spec] | None") -> bool:
        """True if nothing that reconciling reads differs, apart from the status.

        A lower version is from before a restored backup, which may number another spec alike.
        """
        return (
            other is not None
            and self.resource_version >= other.resource_version
            and self.is_generation(other.uid, other.generation)
            and self.labels == other.labels
            and self.refresh_requested == other.refresh_requested
        )


IndexObject = CustomObject[ArtifactIndexSpec]
OptionsObject = CustomObject[OptionsSpec]


@dataclass(frozen=True, slots=True)
class OutputObject:
    """A Secret or ConfigMap as an output: its owner, and a keyed digest of its content.

    `annotations` are ours; they hold a checkpoint only if the digest among them verifies.
    `secret_type` is empty for a ConfigMap. `writer` is the installation that wrote it last, if the
    output says so.
    """

    ref: OutputRef
    uid: str
    resource_version: int
    controller: Owner | None
    labelled: bool
    annotations: Mapping[str, str]
    adopt: str | None
    keys: frozenset[str]
    digest: str
    secret_type: str
    immutable: bool
    created: str = ""
    writer: str = ""

    def is_version_of(self, other: "OutputObject | None") -> bool:
        """Whether nothing but the resourceVersion differs."""
        if other is None or other.digest != self.digest:
            return False
        return replace(other, resource_version=self.resource_version) == self


def kind_of(index: ObjectRef) -> str:
    """The kind of an index, by its reference."""
    kinds = constants.CLUSTER_ARTIFACT_INDEX_KIND, constants.ARTIFACT_INDEX_KIND
    return kinds[bool(index.namespace)]


def options_kind(options: ObjectRef) -> str:
    """The kind of an IndexOptions, by its reference."""
    kinds = constants.CLUSTER_INDEX_OPTIONS_KIND, constants.INDEX_OPTIONS_KIND
    return kinds[bool(options.namespace)]


def declared_outputs(options: OptionsObject) -> Iterator[OutputRef]:
    """The outputs that an IndexOptions names; if none, one Secret with its own name."""
    if options.spec is not None:
        for output in options.spec.outputs_of(options.ref.name):
            yield OutputRef(output.kind, options.ref.namespace, output.name)


def status_bytes(status: Any) -> bytes:
    """The canonical JSON of a status; equal statuses give equal bytes."""
    return canonical_json(status)


def ref_uid_version(body: Mapping[str, Any]) -> tuple[ObjectRef, str, int]:
    """Reference, UID and resourceVersion of an object."""
    metadata = body["metadata"]
    ref = ObjectRef(metadata.get("namespace") or "", metadata["name"])
    return ref, metadata["uid"], int(metadata["resourceVersion"])


def parse_custom_object(
    model: type[Spec],
    body: Mapping[str, Any],
    cached: CustomObject[Spec] | None = None,
    written: tuple[Any, bytes] = ({}, b"{}"),
) -> CustomObject[Spec]:
    """Trim a custom resource. An unusable spec becomes `problem`, never an exception.

    The spec is taken from `cached` if the generation, which the API server increments with every
    change of the spec alone, is equal. Other equal parts are taken over to save memory. `written`
    is a status that it may have, with its canonical JSON.
    """
    metadata = body["metadata"]
    ref, uid, version = ref_uid_version(body)
    annotations, generation = metadata.get("annotations") or {}, metadata.get("generation") or 0
    goes_back = cached is not None and cached.resource_version > version
    if cached and generation and cached.is_generation(uid, generation) and not goes_back:
        spec, problem, consent = cached.spec, cached.problem, cached.consent
    else:
        spec, problem, consent = None, None, None
        try:
            spec = parse_spec(model, body.get("spec") or {})
        except SpecError as error:
            problem = error
        if model is ClusterArtifactIndexSpec:
            consent = _consent_of(body.get("spec") or {})
    if cached is not None and cached.uid == uid:
        ref, uid = cached.ref, cached.uid
    status = body.get("status") or {}
    return CustomObject(
        ref=ref,
        uid=uid,
        generation=generation,
        resource_version=version,
        created=intern_equal(metadata.get("creationTimestamp") or ""),
        labels=shared_labels(tuple((metadata.get("labels") or {}).items())),
        spec=spec,
        problem=problem,
        status=written[1] if status == written[0] else status_bytes(status),
        refresh_requested=_shortened(annotations, constants.REFRESH_REQUESTED_ANNOTATION),
        cluster=not ref.namespace,
        consent=consent,
    )


def _consent_of(spec: Mapping[str, Any]) -> NamespaceConsent | None:
    """Where a ClusterArtifactIndex may be served: nowhere if that cannot be parsed."""
    try:
        return parse_spec(NamespaceConsent, spec.get("namespaces"))
    except SpecError:
        return None


@lru_cache(maxsize=4096)
def shared_labels(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """One mapping for all objects with equal labels."""
    return dict(items)


def parse_output(kind: str, body: Mapping[str, Any], digester: OutputDigester) -> OutputObject:
    """Trim an output, or an object with the name of one. Its data is digested and not kept."""
    metadata = body["metadata"]
    (namespace, name), uid, version = ref_uid_version(body)
    annotations = metadata.get("annotations") or {}
    data = {**(body.get("data") or {}), **(body.get("binaryData") or {})}
    ref = OutputRef(kind, namespace, name)
    secret_type = intern_equal((body.get("type") or OPAQUE)[:_LONGEST_TYPE])
    controller = controller_of(metadata.get("ownerReferences") or [])
    of_cluster = is_of_cluster(owner_mark(controller, annotations))
    bound_to = ref._replace(namespace="") if of_cluster else ref
    checkpoint = annotations.get(constants.CHECKPOINT_ANNOTATION, "")
    digest = digester.output(bound_to, data, checkpoint)
    ours = _our_annotations(annotations, digest)
    return OutputObject(
        ref=ref,
        uid=uid,
        resource_version=version,
        controller=controller,
        labelled=(metadata.get("labels") or {}).get(constants.ROLE_LABEL) == "output",
        annotations=_of_thousands(tuple(sorted(ours.items()))) if of_cluster else ours,
        adopt=_shortened(annotations, constants.ADOPT_ANNOTATION),
        keys=intern_equal(frozenset(islice(data, MOST_KEYS))),
        digest=digest,
        secret_type=secret_type if kind == "Secret" else "",
        immutable=bool(body.get("immutable")),
        created=intern_equal(metadata.get("creationTimestamp") or ""),
        writer=_writer(annotations.get(constants.WRITER_ANNOTATION, "")),
    )


@lru_cache(maxsize=64)
def _of_thousands(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """One mapping for all outputs that one ClusterIndexOptions has written alike."""
    return dict(items)


def _our_annotations(annotations: Mapping[str, str], digest: str) -> dict[str, str]:
    """Our annotations of an output with this digest; those of anybody else are shortened."""
    found = {key: annotations[key] for key in OUR_ANNOTATIONS if key in annotations}
    if found.get(constants.CONTENT_DIGEST_ANNOTATION) != digest:
        found.pop(constants.CHECKPOINT_ANNOTATION, None)
        found = {key: value[:_LONGEST_ANNOTATION] for key, value in found.items()}
    return found


def _writer(text: str) -> str:
    """The installation in an annotation that anybody may have written; empty if it can be none."""
    return intern_equal(text) if _LEASE.fullmatch(text) else ""


def _shortened(annotations: Mapping[str, str], key: str) -> str | None:
    value = annotations.get(key)
    return None if value is None else value[:_LONGEST_ANNOTATION]
