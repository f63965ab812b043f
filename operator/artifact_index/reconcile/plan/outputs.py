"""The outputs that an IndexOptions asks for, and how one differs from what exists. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from artifact_index.api import constants
from artifact_index.api.index_options import IndexOptionsSpec, Output
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.formats.base import FormatLimit, NotCredentialFreeError, blocked_url
from artifact_index.formats.document import Claims, Document, PublicEntry
from artifact_index.formats.registry import Content, content_of, holds_variables
from artifact_index.formats.uv_toml import UV_TOML_KEY
from artifact_index.reconcile.cache import objects
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.plan.checkpoint import Checkpoint
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.sources.policy import Problem
from artifact_index.sources.registry import of

LARGEST_OUTPUT: Final = 900 * 1024
"""Bytes of data, decoded. The API server takes 1 MiB, and etcd 1.5 MiB with the metadata."""
LARGEST_ANNOTATIONS: Final = 240 * 1024
"""Bytes of our annotations. The API server takes 256 KiB, those of others with them."""

LARGEST_ENVIRONMENT: Final = 256 * 1024
"""Bytes of variables. Linux takes a quarter of the stack for them and the arguments (execve)."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"


@dataclass(frozen=True, slots=True)
class DesiredOutput:
    """An output as the spec asks for it. `data` is as the API takes it: base64 in a Secret."""

    ref: objects.OutputRef
    data: Mapping[str, str] = field(repr=False)
    annotations: Mapping[str, str]
    digest: str
    owner: Mapping[str, Any] | None
    limits: tuple[FormatLimit, ...] = ()

    def creation(self) -> dict[str, Any]:
        """The body of a POST."""
        metadata = {
            "name": self.ref.name,
            "namespace": self.ref.namespace,
            "labels": _LABELS,
            "annotations": dict(self.annotations),
            **({"ownerReferences": [dict(self.owner)]} if self.owner is not None else {}),
        }
        body = {"metadata": metadata, "data": dict(self.data)}
        return body | {"type": "Opaque"} if self.ref.kind == "Secret" else body

    def patch(self, existing: objects.OutputObject) -> dict[str, Any]:
        """The body of a merge patch; null for each key and annotation of ours to remove."""
        removed_keys = dict.fromkeys(existing.keys - self.data.keys())
        removed_annotations = dict.fromkeys(existing.annotations.keys() - self.annotations.keys())
        metadata = {
            "uid": existing.uid,
            "labels": _LABELS,
            "annotations": {**removed_annotations, **self.annotations},
            "ownerReferences": [dict(self.owner)] if self.owner else None,
        }
        body = {"metadata": metadata, "data": {**removed_keys, **self.data}}
        return body | {"binaryData": None} if self.ref.kind == "ConfigMap" else body

    def is_met_by(self, existing: objects.OutputObject) -> bool:
        """Whether the existing object needs no write."""
        owner_uid = existing.controller.uid if existing.controller else None
        return (
            existing.labelled
            and existing.digest == self.digest
            and existing.annotations == objects.compared_annotations(self.annotations)
            and owner_uid == (self.owner["uid"] if self.owner else None)
        )


_LABELS: Final = {
    constants.ROLE_LABEL: constants.ROLE_OUTPUT,
    MANAGED_BY_LABEL: constants.FIELD_MANAGER,
}

RELEASE_PATCH: Final[Mapping[str, Any]] = {
    "labels": {constants.ROLE_LABEL: None, MANAGED_BY_LABEL: None},
    "annotations": dict.fromkeys(objects.OUR_ANNOTATIONS),
    "ownerReferences": None,
}
"""Metadata that turns an output into an ordinary object, for `deletionPolicy: Retain`."""


def document_of(
    spec: IndexOptionsSpec, plans: Sequence[IndexPlan], *, public_blocked: bool = False
) -> Document:
    """What the files say; with `public_blocked` uv stops at the public index."""
    public = spec.public_index
    url = blocked_url(public.name) if public_blocked else public.url or constants.PYPI_URL
    return Document(
        entries=tuple(plan.entry for plan in plans if plan.entry is not None),
        public=PublicEntry(public.name, url) if public.enabled else None,
        prefer_private=spec.prefer_private,
        index_strategy=spec.index_strategy,
    )


def claims_of(plans: Sequence[IndexPlan]) -> Claims:
    """Which selected indexes claim the variables that exist once, ready or not."""
    publishers = []
    domains: defaultdict[str, list[str]] = defaultdict(list)
    for plan in plans:
        spec = plan.selected.spec
        name = plan.entry.name if plan.entry is not None else plan.name or plan.selected.ref.name
        if spec is not None and spec.publish:
            publishers.append(name)
        if spec is not None and (domain := of(spec).token_domain()) is not None:
            domains[domain].append(name)
    return Claims(tuple(publishers), {key: tuple(names) for key, names in domains.items()})


def desired_outputs(
    options: objects.OptionsObject,
    plans: Sequence[IndexPlan],
    digester: Digester,
    *,
    public_blocked: bool = False,
) -> tuple[list[DesiredOutput], Problem | None]:
    """Render every output that the spec names; also return the first problem that prevents one."""
    if options.spec is None:
        raise ValueError("outputs of an unusable spec")
    document = document_of(options.spec, plans, public_blocked=public_blocked)
    declared = options.spec.outputs_of(options.ref.name)
    if any(holds_variables(output.formats) for output in declared):
        document = replace(document, claims=claims_of(plans))
    outputs: list[DesiredOutput] = []
    problem: Problem | None = None
    for output in declared:
        ref = objects.OutputRef(output.kind, options.ref.namespace, output.name)
        try:
            content = content_of(output, document)
        except NotCredentialFreeError as error:
            problem = problem or _not_credential_free(ref, error.index_name)
            continue
        desired = _desired(ref, options, content, plans, digester, public=document.public)
        if (too_large := _too_large(desired, output, len(document.entries))) is not None:
            problem = problem or too_large
            continue
        outputs.append(desired)
    return outputs, problem


def _desired(
    ref: objects.OutputRef,
    options: objects.OptionsObject,
    content: Content,
    plans: Sequence[IndexPlan],
    digester: Digester,
    *,
    public: PublicEntry | None,
) -> DesiredOutput:
    checkpoint = Checkpoint.encode(
        [(plan.selected.uid, plan.published) for plan in plans if plan.published is not None],
        held=content.held,
        public_name=public.name if public is not None else None,
        with_entries=UV_TOML_KEY not in content.data,
    )
    digest = digester.output(ref, content.data, checkpoint)
    annotations = {
        constants.OWNER_ANNOTATION: options.ref.name,
        constants.OWNER_UID_ANNOTATION: options.uid,
        constants.CONTENT_DIGEST_ANNOTATION: digest,
        constants.CHECKPOINT_ANNOTATION: checkpoint,
    }
    held = [plan for plan in plans if plan.entry is not None and plan.entry.name in content.held]
    expiries = [plan.expires_at for plan in held if plan.expires_at is not None]
    refreshes = [plan.refresh_at for plan in held if plan.refresh_at is not None]
    if expiries:
        annotations[constants.EXPIRES_AT_ANNOTATION] = format_time(min(expiries))
    if refreshes:
        annotations[constants.REFRESH_AT_ANNOTATION] = format_time(min(refreshes))
    owner = _owner_reference(options)
    return DesiredOutput(ref, content.data, annotations, digest, owner, content.limits)


def _owner_reference(options: objects.OptionsObject) -> dict[str, Any] | None:
    if options.spec is None or options.spec.deletion_policy == "Retain":
        return None
    return {
        "apiVersion": constants.API_VERSION,
        "kind": constants.INDEX_OPTIONS_KIND,
        "name": options.ref.name,
        "uid": options.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _not_credential_free(ref: objects.OutputRef, index_name: str) -> Problem:
    return Problem(
        Reason.NOT_CREDENTIAL_FREE,
        f"{ref.kind} {ref.name!r} must not hold index {index_name!r}: its preauthenticated URL has "
        "no user name, or has a query or fragment, so all of it may be a secret; write it to a "
        "Secret, or leave the index out of this selection",
    )


def _too_large(desired: DesiredOutput, output: Output, index_count: int) -> Problem | None:
    # Four characters of base64 are three bytes.
    share = 3 / 4 if output.kind == "Secret" else 1
    sizes = {key: int(share * _size({key: value})) for key, value in desired.data.items()}
    total = "data", sum(sizes.values()), LARGEST_OUTPUT
    if holds_variables(output.formats):
        # Each variable has a `=` and an end.
        total = "variables", sum(sizes.values()) + 2 * len(sizes), LARGEST_ENVIRONMENT
    annotations = "annotations", _size(desired.annotations), LARGEST_ANNOTATIONS
    for what, size, largest in (total, annotations):
        if size > largest:
            by_file = ""
            if what == "data" and len(sizes) > 1:
                by_file = f" ({', '.join(f'{key} {of_key}' for key, of_key in sizes.items())})"
            return Problem(
                Reason.TARGET_TOO_LARGE,
                f"{output.kind} {output.name!r} would hold {size} bytes of {what}{by_file} for "
                f"{index_count} indexes, more than the {largest} that fit; select fewer indexes, "
                "or split them over two IndexOptions",
            )
    return None


def _size(values: Mapping[str, str]) -> int:
    return sum(len(key) + len(value.encode()) for key, value in values.items())
