"""What becomes of an object that an IndexOptions adopts, by the operator's own rules."""

import argparse
from dataclasses import replace
from typing import Final

from artifact_index.api.cluster.index_options import ClusterIndexOptionsSpec
from artifact_index.api.constants import ADOPT_ANNOTATION
from artifact_index.api.index_options import IndexOptionsSpec, OptionsSpec
from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.choice import RESOURCES
from artifact_index.cli.cluster.connection import connected, explained, list_all, namespace_of
from artifact_index.cli.cluster.objects import kind_of
from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.reports import ChangeReport, ObjectChange, ObjectRef, Outcome
from artifact_index.formats.base import named
from artifact_index.formats.registry import FORMATS
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import Object
from artifact_index.kube.resources import (
    CLUSTER_INDEX_OPTIONS,
    CONFIG_MAPS,
    INDEX_OPTIONS,
    NAMESPACES,
    SECRETS,
    Resource,
)
from artifact_index.reconcile.cache.objects import (
    OptionsObject,
    OutputObject,
    parse_custom_object,
    parse_output,
)
from artifact_index.reconcile.plan.ownership import is_adoption, ownership_problem

_KINDS: Final = {"secret": SECRETS, "secrets": SECRETS, "configmap": CONFIG_MAPS,
                 "configmaps": CONFIG_MAPS, "cm": CONFIG_MAPS}  # fmt: skip


class _NoDigest:
    """Nothing here asks whether content is the operator's."""

    def output(self, ref: object, data: object, checkpoint: str) -> str:
        return ""


async def adopt(chosen: argparse.Namespace) -> ChangeReport:
    """Look at the object, and consent if the flags say so. Raises CommandError."""
    kind, _, name = chosen.object.partition("/")
    resource = _KINDS.get(kind.lower())
    if resource is None or not name:
        raise CommandError(f"{chosen.object!r}: give secret/NAME or configmap/NAME", Exit.USAGE)
    namespace, owner = namespace_of(chosen) or "default", _owner(chosen.options)
    async with connected(chosen) as api:
        options = await _options(api, namespace, owner)
        mine = next((each for each in options if (each.owner_kind, each.ref.name) == owner), None)
        if mine is None:
            names = [each.ref.name for each in options if each.owner_kind == owner[0]]
            where = "" if RESOURCES[owner[0]] == CLUSTER_INDEX_OPTIONS else f" in {namespace}"
            raise CommandError(
                f"there is no {' '.join(owner)}{where}; there are: {', '.join(names) or 'none'}",
                Exit.NOT_GOOD,
            )
        body = await _read(api, resource, namespace, name)
        existing = parse_output(resource.kind, body, _NoDigest())
        change = await _unselected(api, existing, mine) or _judged(existing, mine, options)
        if change.outcome == "WouldAdopt" and chosen.yes:
            change = await _consent(api, resource, body, change, mine)
    return ChangeReport(objects=[change])


def _owner(text: str) -> tuple[str, str]:
    """Kind and name of the object that is to own the output. Raises CommandError."""
    kind_text, slash, name = text.rpartition("/")
    kind = kind_of(kind_text) if slash else INDEX_OPTIONS.kind
    if kind not in (INDEX_OPTIONS.kind, CLUSTER_INDEX_OPTIONS.kind) or not name:
        message = f"--options {text!r}: give NAME or clusterindexoptions/NAME"
        raise CommandError(message, Exit.USAGE)
    return kind, name


async def _options(api: CallerApi, namespace: str, owner: tuple[str, str]) -> list[OptionsObject]:
    """All that may own outputs in the namespace, as far as the caller may list those of the
    cluster. Raises CommandError."""

    def read(body: Object) -> OptionsObject:
        cluster = "namespace" not in body["metadata"]
        model: type[OptionsSpec] = ClusterIndexOptionsSpec if cluster else IndexOptionsSpec
        return parse_custom_object(model, body)

    found = await list_all(api, INDEX_OPTIONS, namespace, read)
    try:
        of_cluster = await list_all(api, CLUSTER_INDEX_OPTIONS, None, read)
    except CommandError as error:
        kind, name = owner
        if kind == INDEX_OPTIONS.kind:
            return found
        by_hand = f"kubectl annotate -n {namespace} KIND/NAME {ADOPT_ANNOTATION}={kind}/{name}"
        message = f"{error}; without that right hand it over yourself: `{by_hand}`"
        raise CommandError(message, error.status) from None
    return [*found, *(each.within(namespace) for each in of_cluster)]


async def _unselected(
    api: CallerApi, existing: OutputObject, options: OptionsObject
) -> ObjectChange | None:
    """The refusal where a ClusterIndexOptions does not write into the namespace.

    It is not known to a caller who may not read the namespace.
    """
    namespace, spec = existing.ref.namespace, options.spec
    if not isinstance(spec, ClusterIndexOptionsSpec):
        return None
    try:
        found = await api.get(NAMESPACES, "", namespace)
    except ApiError:
        return None
    if spec.namespace_selector.matches(found["metadata"].get("labels") or {}):
        return None
    owner = f"{options.owner_kind} {options.ref.name}"
    message = f"is in a namespace that {owner} does not select: label it as spec.namespaceSelector"
    return _change(existing, "Refused", f"{message} says")


async def _read(api: CallerApi, resource: Resource, namespace: str, name: str) -> Object:
    try:
        return await api.get(resource, namespace, name)
    except ApiError as error:
        if error.not_found:
            message = f"there is no {resource.kind} {name} in namespace {namespace}"
            step = "nothing is in the operator's way: it creates its outputs itself"
            raise CommandError(f"{message}; {step}", Exit.NOT_GOOD) from None
        message = explained(error, "get", resource, namespace, name)
        raise CommandError(message, Exit.UNKNOWN) from None


def _judged(
    existing: OutputObject, options: OptionsObject, others: list[OptionsObject]
) -> ObjectChange:
    """What the operator would do if the object consented."""
    ref, spec, owner = existing.ref, options.spec, f"{options.owner_kind} {options.ref.name}"
    outputs = spec.outputs_of(options.ref.name) if spec is not None else ()
    output = next(
        (each for each in outputs if (each.kind, each.name) == (ref.kind, ref.name)), None
    )
    if output is None:
        named_ones = ", ".join(f"{each.kind}/{each.name}" for each in outputs) or "none"
        return _change(
            existing,
            "Refused",
            f"is no output of {owner}, which has {named_ones}: add it to spec.outputs",
        )
    consenting = replace(existing, adopt=options.owner)
    if problem := ownership_problem(consenting, options, {each.uid for each in others}):
        return _change(existing, "Refused", problem.message)
    if not is_adoption(consenting, options):
        return _change(existing, "Unchanged", f"belongs to {owner} already")
    keys = [FORMATS[name].key for name in output.formats]
    written = existing.keys if None in keys else existing.keys & set(keys)
    gone = existing.keys - written
    parts = [
        f"{what}: {named(sorted(names), at_most=20)}"
        for what, names in (("keys that are removed", gone), ("keys that are replaced", written))
        if names
    ]
    if None in keys and existing.keys:
        parts = [f"keys that are replaced or removed: {named(sorted(existing.keys), at_most=20)}"]
    step = "`--yes` consents; save first what is needed elsewhere"
    return _change(existing, "WouldAdopt", "; ".join([*(parts or ["it has no keys"]), step]))


async def _consent(
    api: CallerApi, resource: Resource, body: Object, change: ObjectChange, options: OptionsObject
) -> ObjectChange:
    """Set the annotation on the very version that was looked at."""
    metadata = body["metadata"]
    version = {key: metadata[key] for key in ("uid", "resourceVersion")}
    patch = {"metadata": {**version, "annotations": {ADOPT_ANNOTATION: options.owner}}}
    namespace, name = metadata["namespace"], metadata["name"]
    try:
        await api.patch(resource, namespace, name, patch)
    except ApiError as error:
        message = explained(error, "patch", resource, namespace, name)
        return change.model_copy(update={"outcome": "Failed", "message": message})
    where = "" if options.cluster else f"-n {namespace} "
    why = f"artifact-index why {where}{options.owner_kind.lower()}/{options.ref.name}"
    message = f"handed over to {options.owner_kind} {options.ref.name}: `{why}` shows how it goes"
    return change.model_copy(update={"outcome": "Adopted", "message": message})


def _change(existing: OutputObject, outcome: Outcome, message: str) -> ObjectChange:
    ref = existing.ref
    return ObjectChange(
        object=ObjectRef(kind=ref.kind, namespace=ref.namespace, name=ref.name),
        outcome=outcome,
        message=message,
    )
