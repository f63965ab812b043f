"""Trimmed copies of API objects: only the fields that reconciling reads.

Raw bodies and managedFields are dropped, since up to ten thousand objects are cached at a time.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from pydantic import SecretStr

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import SpecError, parse_spec
from artifact_index.api.constants import (
    ADOPT_ANNOTATION,
    API_VERSION,
    CHECKPOINT_ANNOTATION,
    CONTENT_DIGEST_ANNOTATION,
    EKS_AUDIENCE_ANNOTATION,
    EKS_ROLE_ANNOTATION,
    EXPIRES_AT_ANNOTATION,
    INDEX_OPTIONS_KIND,
    OWNER_ANNOTATION,
    OWNER_UID_ANNOTATION,
    REFRESH_AT_ANNOTATION,
    REFRESH_REQUESTED_ANNOTATION,
    ROLE_LABEL,
)
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.interning import intern_equal
from artifact_index.sources.base import SourceSecret, SourceServiceAccount

Spec = TypeVar("Spec", ArtifactIndexSpec, IndexOptionsSpec)

_LABELS_KEPT: Final = 4096
"""Label sets that are remembered: objects with equal labels share one."""

OUR_ANNOTATIONS = (
    OWNER_ANNOTATION,
    OWNER_UID_ANNOTATION,
    EXPIRES_AT_ANNOTATION,
    REFRESH_AT_ANNOTATION,
    CONTENT_DIGEST_ANNOTATION,
    CHECKPOINT_ANNOTATION,
)


class OutputDigester(Protocol):
    """Makes the digest of an output."""

    def output(self, ref: tuple[str, str, str], data: Mapping[str, str], checkpoint: str) -> str:
        """The keyed digest of an output's content, its checkpoint included."""
        ...


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

    def is_generation(self, uid: str, generation: int) -> bool:
        """True if this is the object with this UID and spec."""
        return (self.uid, self.generation) == (uid, generation)

    def same_input(self, other: "CustomObject[Spec] | None") -> bool:
        """True if nothing that reconciling reads differs, apart from the status."""
        return (
            other is not None
            and self.uid == other.uid
            and self.generation == other.generation
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
    """A Secret or ConfigMap as an output: its owner, and a keyed digest of its content."""

    ref: OutputRef
    uid: str
    resource_version: int
    controller: Owner | None
    labelled: bool
    annotations: Mapping[str, str]
    adopt: str | None
    keys: frozenset[str]
    digest: str


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
    generation = metadata.get("generation") or 0
    if cached is not None and generation and cached.is_generation(metadata["uid"], generation):
        spec, problem = cached.spec, cached.problem
    else:
        spec, problem = _parsed(model, body)
    ref, uid = ObjectRef(metadata["namespace"], metadata["name"]), metadata["uid"]
    if cached is not None and cached.uid == uid:
        ref, uid = cached.ref, cached.uid
    return CustomObject(
        ref=ref,
        uid=uid,
        generation=generation,
        resource_version=int(metadata["resourceVersion"]),
        created=intern_equal(metadata.get("creationTimestamp") or ""),
        labels=_shared_labels(tuple((metadata.get("labels") or {}).items())),
        spec=spec,
        problem=problem,
        status=status_bytes(body.get("status") or {}),
        refresh_requested=(metadata.get("annotations") or {}).get(REFRESH_REQUESTED_ANNOTATION),
    )


@lru_cache(maxsize=_LABELS_KEPT)
def _shared_labels(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(items)


def _parsed(
    model: type[Spec], body: Mapping[str, Any]
) -> tuple[Spec, None] | tuple[None, SpecError]:
    try:
        return parse_spec(model, body.get("spec") or {}), None
    except SpecError as error:
        return None, error


def parse_output(kind: str, body: Mapping[str, Any], digester: OutputDigester) -> OutputObject:
    """Trim an output, or an object with the name of one. Its data is digested and not kept."""
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    data = {**(body.get("data") or {}), **(body.get("binaryData") or {})}
    ref = OutputRef(kind, metadata["namespace"], metadata["name"])
    return OutputObject(
        ref=ref,
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        controller=_controller(metadata.get("ownerReferences") or []),
        labelled=(metadata.get("labels") or {}).get(ROLE_LABEL) == "output",
        annotations={key: annotations[key] for key in OUR_ANNOTATIONS if key in annotations},
        adopt=annotations.get(ADOPT_ANNOTATION),
        keys=frozenset(data),
        digest=digester.output(ref, data, annotations.get(CHECKPOINT_ANNOTATION, "")),
    )


def parse_source_secret(body: Mapping[str, Any]) -> SourceSecret:
    """Trim a source Secret and decode its values."""
    values: dict[str, SecretStr] = {}
    binary: set[str] = set()
    for key, encoded in (body.get("data") or {}).items():
        try:
            # An empty value may be null: Go marshals a nil []byte so.
            values[key] = SecretStr(base64.b64decode(encoded or "").decode())
        except (UnicodeDecodeError, binascii.Error):
            binary.add(key)
    metadata = body["metadata"]
    return SourceSecret(
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        values=values,
        binary=frozenset(binary),
    )


def parse_service_account(body: Mapping[str, Any]) -> SourceServiceAccount:
    """Trim a ServiceAccount."""
    annotations = body["metadata"].get("annotations") or {}
    return SourceServiceAccount(
        uid=body["metadata"]["uid"],
        role_arn=annotations.get(EKS_ROLE_ANNOTATION) or None,
        audience=annotations.get(EKS_AUDIENCE_ANNOTATION) or None,
    )


def _controller(references: list[Mapping[str, Any]]) -> Owner | None:
    for reference in references:
        if reference.get("controller"):
            ours = (
                reference.get("apiVersion") == API_VERSION
                and reference.get("kind") == INDEX_OPTIONS_KIND
            )
            return Owner(ours=ours, name=reference["name"], uid=reference["uid"])
    return None
