"""What is kept of each observed object: only the fields that decide something.

Raw bodies and managedFields are dropped, since up to ten thousand objects are held at a time.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

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
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.status_parsing import readable_status

Spec = TypeVar("Spec", ArtifactIndexSpec, IndexOptionsSpec)

_LABELS_KEPT: Final = 4096
"""Sets of labels that are remembered: objects with the same ones share them."""

OUR_ANNOTATIONS = (
    OWNER_ANNOTATION,
    OWNER_UID_ANNOTATION,
    EXPIRES_AT_ANNOTATION,
    REFRESH_AT_ANNOTATION,
    CONTENT_DIGEST_ANNOTATION,
    CHECKPOINT_ANNOTATION,
)


class ObjectRef(NamedTuple):
    """An object of a kind that is clear from the context."""

    namespace: str
    name: str


class OutputRef(NamedTuple):
    """An output: `kind` is Secret or ConfigMap."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class CustomObject(Generic[Spec]):
    """An ArtifactIndex or IndexOptions. `status` is compact JSON, decoded only when needed;
    `refresh_requested` is the annotation's text.
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

    def decoded_status(self) -> dict[str, Any]:
        """The status as last seen on the API server, as far as it has the form we write."""
        return readable_status(self.stored_status())

    def stored_status(self) -> Any:
        """The status as last seen on the API server, whatever it is."""
        return json.loads(self.status)

    def is_generation(self, uid: str, generation: int) -> bool:
        """Whether this is that object with that spec."""
        return (self.uid, self.generation) == (uid, generation)

    def same_input(self, other: "CustomObject[Spec] | None") -> bool:
        """Whether nothing differs that reconciling reads, apart from the status."""
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
    """The controller of an output: its kind (with our group or not), name and UID."""

    ours: bool
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class OutputObject:
    """A Secret or ConfigMap as an output: who owns it and a keyed digest of what it holds."""

    ref: OutputRef
    uid: str
    resource_version: int
    controller: Owner | None
    labelled: bool
    annotations: Mapping[str, str]
    adopt: str | None
    keys: frozenset[str]
    digest: str


@dataclass(frozen=True, slots=True)
class SourceSecret:
    """A source Secret: its values stay SecretStr until they are rendered.

    A value that is no UTF-8 is in `binary` instead: none of our sources can use it.
    """

    uid: str
    resource_version: int
    values: Mapping[str, SecretStr]
    binary: frozenset[str]


@dataclass(frozen=True, slots=True)
class SourceServiceAccount:
    """A ServiceAccount: what EKS's own annotations say of the role that it is meant to have."""

    uid: str
    role_arn: str | None
    audience: str | None


@dataclass(frozen=True, slots=True)
class RefusedServiceAccount:
    """RBAC does not let the operator read the ServiceAccount."""


ServiceAccountResult = SourceServiceAccount | RefusedServiceAccount | None


def status_bytes(status: Any) -> bytes:
    """A status as the canonical JSON in which two of them are compared."""
    return json.dumps(status, sort_keys=True, separators=(",", ":")).encode()


def ref_uid_version(body: Mapping[str, Any]) -> tuple[ObjectRef, str, int]:
    """Reference, UID and resourceVersion of an object."""
    metadata = body["metadata"]
    ref = ObjectRef(metadata["namespace"], metadata["name"])
    return ref, metadata["uid"], int(metadata["resourceVersion"])


def parse_custom_object(
    model: type[Spec], body: Mapping[str, Any], known: CustomObject[Spec] | None = None
) -> CustomObject[Spec]:
    """The record of a custom resource; an unusable spec becomes `problem`, never an exception.

    The spec of a `known` record of the same generation is taken over: the API server counts the
    generation up with every change of the spec, and not for a status, so that the echo of our own
    status write need not be parsed again. What else is equal is taken over to save memory.
    """
    metadata = body["metadata"]
    generation = metadata.get("generation") or 0
    if known is not None and generation and known.is_generation(metadata["uid"], generation):
        spec, problem = known.spec, known.problem
    else:
        spec, problem = _parsed(model, body)
    ref, uid = ObjectRef(metadata["namespace"], metadata["name"]), metadata["uid"]
    if known is not None and known.uid == uid:
        ref, uid = known.ref, known.uid
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


def parse_output(kind: str, body: Mapping[str, Any], digester: Digester) -> OutputObject:
    """The record of an output candidate; its data is digested, not kept."""
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
    """The record of a source Secret, its values decoded."""
    values: dict[str, SecretStr] = {}
    binary: set[str] = set()
    for key, encoded in (body.get("data") or {}).items():
        try:
            # An empty value may come as null: Go writes a nil []byte so.
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
    """The record of a ServiceAccount."""
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
