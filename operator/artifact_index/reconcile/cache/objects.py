"""Trimmed copies of API objects: only the fields that reconciling reads.

Raw bodies and managedFields are dropped, since up to ten thousand objects are cached at a time.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from pydantic import SecretStr

from artifact_index.api import constants
from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import SpecError, parse_spec
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.interning import intern_equal
from artifact_index.sources.base import SourceSecret, SourceServiceAccount

Spec = TypeVar("Spec", ArtifactIndexSpec, IndexOptionsSpec)

OUR_ANNOTATIONS = (
    constants.OWNER_ANNOTATION,
    constants.OWNER_UID_ANNOTATION,
    constants.EXPIRES_AT_ANNOTATION,
    constants.REFRESH_AT_ANNOTATION,
    constants.CONTENT_DIGEST_ANNOTATION,
    constants.CHECKPOINT_ANNOTATION,
)

OPAQUE: Final = "Opaque"
"""The type of a Secret that is an output."""

_LONGEST_TYPE: Final = 100
"""Characters of the type of another Secret that are kept."""

_LONGEST_ANNOTATION: Final = 256
"""Characters of an annotation that are kept of an output whose digest does not verify."""

_NAMED_KEYS: Final = 10
"""Names of keys that are kept of a source Secret without a key that was looked for."""

MOST_KEYS: Final = 1024
"""Keys of an output that are kept; foreign ones are removed so many at a time."""


class OutputDigester(Protocol):
    """Makes the digest of an output."""

    def output(self, ref: tuple[str, str, str], data: Mapping[str, str], checkpoint: str) -> str:
        """The keyed digest of an output's content, its checkpoint included."""


class ObjectRef(NamedTuple):
    """Namespace and name; the context tells the kind."""

    namespace: str
    name: str


class OutputRef(NamedTuple):
    """An output; `kind` is Secret or ConfigMap."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class CustomObject(Generic[Spec]):
    """An ArtifactIndex or IndexOptions.

    `spec` is None if it cannot be parsed, and `problem` tells why. `status` is compact JSON, to be
    decoded only when needed. `refresh_requested` is the annotation's text.
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
OptionsObject = CustomObject[IndexOptionsSpec]


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller reference of an output; `ours` if it names an IndexOptions."""

    ours: bool
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class OutputObject:
    """A Secret or ConfigMap as an output: its owner, and a keyed digest of its content.

    `annotations` are ours; they hold a checkpoint only if the digest among them verifies.
    `secret_type` is empty for a ConfigMap.
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


def declared_outputs(options: OptionsObject) -> Iterator[OutputRef]:
    """The outputs that an IndexOptions names; if none, one Secret with its own name."""
    if options.spec is not None:
        for output in options.spec.outputs_of(options.ref.name):
            yield OutputRef(output.kind, options.ref.namespace, output.name)


def status_bytes(status: Any) -> bytes:
    """The canonical JSON of a status; equal statuses give equal bytes."""
    return json.dumps(status, sort_keys=True, separators=(",", ":")).encode()


def ref_uid_version(body: Mapping[str, Any]) -> tuple[ObjectRef, str, int]:
    """Reference, UID and resourceVersion of an object."""
    metadata = body["metadata"]
    ref = ObjectRef(metadata["namespace"], metadata["name"])
    return ref, metadata["uid"], int(metadata["resourceVersion"])


def parse_custom_object(
    model: type[Spec], body: Mapping[str, Any], cached: CustomObject[Spec] | None = None
) -> CustomObject[Spec]:
    """Trim a custom resource. An unusable spec becomes `problem`, never an exception.

    The spec is taken from `cached` if the generation is equal: the API server increments it with
    every change of the spec and not with one of the status, so the echo of our own status write
    need not be parsed again. Other equal parts are taken over to save memory.
    """
    metadata = body["metadata"]
    ref, uid, version = ref_uid_version(body)
    annotations, generation = metadata.get("annotations") or {}, metadata.get("generation") or 0
    goes_back = cached is not None and cached.resource_version > version
    if cached and generation and cached.is_generation(uid, generation) and not goes_back:
        spec, problem = cached.spec, cached.problem
    else:
        spec, problem = None, None
        try:
            spec = parse_spec(model, body.get("spec") or {})
        except SpecError as error:
            problem = error
    if cached is not None and cached.uid == uid:
        ref, uid = cached.ref, cached.uid
    return CustomObject(
        ref=ref,
        uid=uid,
        generation=generation,
        resource_version=version,
        created=intern_equal(metadata.get("creationTimestamp") or ""),
        labels=_shared_labels(tuple((metadata.get("labels") or {}).items())),
        spec=spec,
        problem=problem,
        status=status_bytes(body.get("status") or {}),
        refresh_requested=_shortened(annotations, constants.REFRESH_REQUESTED_ANNOTATION),
    )


@lru_cache(maxsize=4096)
def _shared_labels(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """One mapping for all objects with equal labels."""
    return dict(items)


def parse_output(kind: str, body: Mapping[str, Any], digester: OutputDigester) -> OutputObject:
    """Trim an output, or an object with the name of one. Its data is digested and not kept."""
    metadata = body["metadata"]
    (namespace, name), uid, version = ref_uid_version(body)
    annotations = metadata.get("annotations") or {}
    data = {**(body.get("data") or {}), **(body.get("binaryData") or {})}
    ref = OutputRef(kind, namespace, name)
    digest = digester.output(ref, data, annotations.get(constants.CHECKPOINT_ANNOTATION, ""))
    return OutputObject(
        ref=ref,
        uid=uid,
        resource_version=version,
        controller=_controller(metadata.get("ownerReferences") or []),
        labelled=(metadata.get("labels") or {}).get(constants.ROLE_LABEL) == "output",
        annotations=_our_annotations(annotations, digest),
        adopt=_shortened(annotations, constants.ADOPT_ANNOTATION),
        keys=frozenset(islice(data, MOST_KEYS)),
        digest=digest,
        secret_type=_secret_type(body) if kind == "Secret" else "",
        immutable=bool(body.get("immutable")),
    )


def _our_annotations(annotations: Mapping[str, str], digest: str) -> dict[str, str]:
    """Our annotations of an output with this digest; those of anybody else are shortened."""
    found = {key: annotations[key] for key in OUR_ANNOTATIONS if key in annotations}
    if found.get(constants.CONTENT_DIGEST_ANNOTATION) != digest:
        found.pop(constants.CHECKPOINT_ANNOTATION, None)
        found = {key: value[:_LONGEST_ANNOTATION] for key, value in found.items()}
    return found


def _secret_type(body: Mapping[str, Any]) -> str:
    """The type of a Secret: anybody's text, as long as they like."""
    kind = body.get("type") or OPAQUE
    return OPAQUE if kind == OPAQUE else kind[:_LONGEST_TYPE]


def parse_source_secret(body: Mapping[str, Any], keys: Iterable[str]) -> SourceSecret:
    """Trim a source Secret to these keys and decode their values, unless it is an output."""
    _, uid, version = ref_uid_version(body)
    labels = body["metadata"].get("labels") or {}
    watched = labels.get(constants.ROLE_LABEL) == constants.ROLE_SOURCE
    if _is_output(body["metadata"]):
        return SourceSecret(uid, version, {}, is_output=True)
    data = body.get("data") or {}
    values: dict[str, SecretStr] = {}
    binary: set[str] = set()
    missing: set[str] = set()
    for key in keys:
        if key not in data:
            missing.add(key)
            continue
        try:
            # An empty value may be null: Go marshals a nil []byte so.
            values[key] = SecretStr(base64.b64decode(data[key] or "").decode())
        except (UnicodeDecodeError, binascii.Error):
            binary.add(key)
    return SourceSecret(
        uid,
        version,
        values,
        frozenset(binary),
        frozenset(missing),
        names=intern_equal(tuple(sorted(data)[:_NAMED_KEYS])) if missing else (),
        watched=watched,
    )


def parse_service_account(body: Mapping[str, Any]) -> SourceServiceAccount:
    """Trim a ServiceAccount."""
    annotations = body["metadata"].get("annotations") or {}
    return SourceServiceAccount(
        uid=body["metadata"]["uid"],
        role_arn=annotations.get(constants.EKS_ROLE_ANNOTATION) or None,
        audience=annotations.get(constants.EKS_AUDIENCE_ANNOTATION) or None,
    )


def _shortened(annotations: Mapping[str, str], key: str) -> str | None:
    value = annotations.get(key)
    return None if value is None else value[:_LONGEST_ANNOTATION]


def _is_output(metadata: Mapping[str, Any]) -> bool:
    """Whether a Secret is ours by any of its marks: somebody may have removed the others."""
    owner = _controller(metadata.get("ownerReferences") or [])
    return (
        (metadata.get("labels") or {}).get(constants.ROLE_LABEL) == constants.ROLE_OUTPUT
        or constants.CONTENT_DIGEST_ANNOTATION in (metadata.get("annotations") or {})
        or (owner is not None and owner.ours)
    )


def _controller(references: list[Mapping[str, Any]]) -> Owner | None:
    for reference in references:
        if reference.get("controller"):
            kind = reference.get("apiVersion"), reference.get("kind")
            ours = kind == (constants.API_VERSION, constants.INDEX_OPTIONS_KIND)
            return Owner(ours, reference["name"], reference["uid"])
    return None
