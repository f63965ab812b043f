"""The outputs that an IndexOptions asks for, and how one differs from what exists. Pure."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from artifact_index.api import constants
from artifact_index.api.index_options import OptionsSpec
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.formats.base import (
    FormatLimit,
    NotCredentialFreeError,
    is_credential_free,
    named,
)
from artifact_index.formats.blocked import blocked_url
from artifact_index.formats.document import Claims, Document, PublicEntry
from artifact_index.formats.registry import Content, Rendering, needs_claims
from artifact_index.formats.uv_toml import UV_TOML_KEY
from artifact_index.reconcile.cache import objects
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.plan import sizes
from artifact_index.reconcile.plan.blocked import blocked_entry, describing
from artifact_index.reconcile.plan.checkpoint import Checkpoint
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.sources.policy import Problem
from artifact_index.sources.registry import of

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

    def within(self, namespace: str) -> "DesiredOutput":
        """The same output in a namespace."""
        return replace(self, ref=self.ref._replace(namespace=namespace))

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
        return body | {"type": objects.OPAQUE} if self.ref.kind == "Secret" else body

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
            and not existing.immutable
            and existing.digest == self.digest
            and existing.annotations == self.annotations
            and owner_uid == (self.owner["uid"] if self.owner else None)
        )


_LABELS: Final = {
    constants.ROLE_LABEL: constants.ROLE_OUTPUT,
    MANAGED_BY_LABEL: constants.FIELD_MANAGER,
}


def release_patch(existing: objects.OutputObject) -> dict[str, Any]:
    """A merge patch that makes an output an ordinary object, for `deletionPolicy: Retain`."""
    metadata = {
        "uid": existing.uid,
        "labels": {constants.ROLE_LABEL: None, MANAGED_BY_LABEL: None},
        "annotations": dict.fromkeys((*objects.OUR_ANNOTATIONS, constants.WRITER_ANNOTATION)),
        "ownerReferences": None,
    }
    return {"metadata": metadata}


def ownership_patch(
    options: objects.OptionsObject, existing: objects.OutputObject
) -> dict[str, Any]:
    """A merge patch that sets or removes the owner reference; our marks and the content stay."""
    owner = owner_reference(options)
    annotations = {
        constants.OWNER_ANNOTATION: options.owner,
        constants.OWNER_UID_ANNOTATION: options.uid,
    }
    metadata = {
        "uid": existing.uid,
        "labels": _LABELS,
        "annotations": annotations,
        "ownerReferences": [owner] if owner else None,
    }
    return {"metadata": metadata}


def document_of(
    spec: OptionsSpec, plans: Sequence[IndexPlan], *, public_blocked_by: str | None = None
) -> Document:
    """What the files say; `public_blocked_by` is the command that says why uv stops at PyPI."""
    public = spec.public_index
    url = public.url or constants.PYPI_URL
    if public_blocked_by is not None:
        url = blocked_url(public.name, public_blocked_by)
    return Document(
        entries=tuple(plan.entry for plan in plans if plan.entry is not None),
        public=PublicEntry(public.name, url) if public.enabled else None,
        prefer_private=spec.prefer_private,
        index_strategy=spec.index_strategy,
    )


def claims_of(plans: Sequence[IndexPlan]) -> Claims:
    """Which selected indexes claim what exists once, ready or not."""
    publishers = []
    readers: dict[str, str] = {}
    specs = [plan.selected.spec for plan in plans]
    uploads = any(spec is not None and spec.is_for_uploads for spec in specs)
    domains: defaultdict[str, list[str]] = defaultdict(list)
    for plan in plans:
        spec = plan.selected.spec
        name = plan.entry.name if plan.entry is not None else plan.name or _unnamed(plan)
        if spec is not None and spec.publish:
            publishers.append(name)
        if uploads and plan.shown_url and spec is not None and spec.is_read_with_login:
            readers[plan.shown_url] = name
        if spec is not None and (domain := of(spec).token_domain()) is not None:
            domains[domain].append(name)
    names_by_domain = {key: tuple(names) for key, names in domains.items()}
    return Claims(tuple(publishers), names_by_domain, readers)


def _unnamed(plan: IndexPlan) -> str:
    """Stands for a name: that of the object alone may be the name of another index."""
    return f"{objects.kind_of(plan.selected.ref).lower()}/{plan.selected.ref.name}"


def desired_outputs(
    options: objects.OptionsObject,
    plans: Sequence[IndexPlan],
    digester: Digester,
    *,
    public_blocked: bool = False,
    exists: Callable[[objects.OutputRef], bool] = lambda _: False,
) -> tuple[list[DesiredOutput], Problem | None]:
    """Render every output that the spec names; also return the first problem that prevents one.

    A ConfigMap that `exists` is rendered with what it must not hold blocked: an older spec or an
    older release may have written it there.
    """
    if options.spec is None:
        raise ValueError("outputs of an unusable spec")
    described_by = describing(options.owner_kind, options.ref)
    document = document_of(
        options.spec, plans, public_blocked_by=described_by if public_blocked else None
    )
    declared = options.spec.outputs_of(options.ref.name)
    if any(needs_claims(output.formats) for output in declared):
        document = replace(document, claims=claims_of(plans))
    if (too_much := sizes.too_much(declared, document)) is not None:
        return [], too_much
    rendering = Rendering(document)
    without_secrets: Rendering | None = None
    outputs: list[DesiredOutput] = []
    problem: Problem | None = None
    for output in declared:
        ref = objects.OutputRef(output.kind, options.ref.namespace, output.name)
        if (cannot_fit := sizes.cannot_fit(output, rendering)) is not None:
            problem = problem or cannot_fit
            continue
        safe = plans
        try:
            content = rendering.content_of(output)
        except NotCredentialFreeError:
            problem = problem or _not_credential_free(ref, plans)
            if not exists(ref):
                continue
            safe = [_without_secret(plan) for plan in plans]
            if without_secrets is None:
                entries = tuple(plan.entry for plan in safe if plan.entry is not None)
                without_secrets = Rendering(replace(document, entries=entries))
            content = without_secrets.content_of(output)
        desired = _desired(ref, options, content, safe, digester, public=document.public)
        too_large = sizes.too_large(output, desired.data, desired.annotations, document)
        if too_large is not None:
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
        constants.OWNER_ANNOTATION: options.owner,
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
    owner = owner_reference(options)
    return DesiredOutput(ref, content.data, annotations, digest, owner, content.limits)


def owner_reference(options: objects.OptionsObject) -> dict[str, Any] | None:
    """The controller reference of the outputs; None with `deletionPolicy: Retain`."""
    if options.spec is None or options.spec.deletion_policy == "Retain":
        return None
    return {
        "apiVersion": constants.API_VERSION,
        "kind": options.owner_kind,
        "name": options.ref.name,
        "uid": options.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _without_secret(plan: IndexPlan) -> IndexPlan:
    """The plan for a ConfigMap: the entry is blocked if all of it may be a secret."""
    entry = plan.entry
    if entry is None or is_credential_free(entry):
        return plan
    blocked = blocked_entry(entry.name, plan.selected)
    return replace(plan, entry=blocked, published=None)


def _not_credential_free(ref: objects.OutputRef, plans: Sequence[IndexPlan]) -> Problem:
    refused = [plan.selected.ref.name for plan in plans if _without_secret(plan) is not plan]
    return Problem(
        Reason.NOT_CREDENTIAL_FREE,
        f"{ref.kind} {ref.name!r} must not hold the preauthenticated URL of ArtifactIndex "
        f"{named(refused, at_most=3)}: all of it may be a secret. If it has a user name and no "
        "query or fragment, and its path is public, set spec.preauthenticated.publicPath to true; "
        "else write it to a Secret, or leave the index out of this selection",
    )
