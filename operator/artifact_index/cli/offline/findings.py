"""What is wrong with manifests: what the API server would refuse, and what the operator reports."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, RootModel

from artifact_index.api.base import ApiModel, refused_in
from artifact_index.api.conditions import READY, RECONCILING, STALLED
from artifact_index.api.constants import API_VERSION, GROUP
from artifact_index.api.fields import LabelKey, LabelValue, ObjectName
from artifact_index.api.reasons import Reason
from artifact_index.cli.offline.manifests import Manifest, repeated_fields, without_nulls
from artifact_index.cli.offline.operator import READ, Outcome, run_offline
from artifact_index.cli.reports import CheckFinding, CheckReport, Severity
from artifact_index.crdgen.crd import root_schema
from artifact_index.crdgen.kinds import KINDS
from artifact_index.crdgen.schema import Schema
from artifact_index.settings import Settings

_BY_KIND: Final = {kind.kind: kind for kind in KINDS}
_FIELD: Final = re.compile(r"\bspec(?:\.[A-Za-z]+|\[\d+\])+")
_REFUSED: Final = "Invalid"
"""The reason of what the API server would refuse."""


_SELECTION: Final = (Reason.NOT_SELECTED, Reason.NO_INDEXES, Reason.NO_NAMESPACES)

_METADATA: Final = (
    "annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
    "finalizers", "generateName", "generation", "labels", "managedFields", "name", "namespace",
    "ownerReferences", "resourceVersion", "selfLink", "uid",
)  # fmt: skip
"""The fields of ObjectMeta."""


class _Metadata(ApiModel):
    """The metadata that the operator reads."""

    name: ObjectName
    namespace: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class _Text(RootModel[dict[str, str]]):
    """The content of a Secret or ConfigMap."""


def check(manifests: Sequence[Manifest], namespace: str, settings: Settings) -> CheckReport:
    """All findings by file and line.

    The operator gets to see only what the API server would take.
    """
    found = refused(manifests, namespace)
    bad = {(each.file, each.object) for each in found}
    sound = [each for each in manifests if (each.file, _subject(each)) not in bad]
    outcome = run_offline(sound, namespace, settings, show_secrets=True)
    # What is refused may be what selects an index of its namespace, or is selected there; what is
    # of cluster scope, in any namespace.
    gaps = {
        each.namespace_or(namespace)
        for each in manifests
        if (each.file, _subject(each)) in bad and each.identity[0] == API_VERSION
    }
    everywhere = "" in gaps
    unsure = {
        _subject(each)
        for each in sound
        if everywhere or each.namespace_or(namespace) in gaps or (gaps and each.of_cluster_scope)
    }
    found += [
        each
        for each in reported(sound, namespace, outcome)
        if each.object not in unsure or each.reason not in _SELECTION
    ]
    order = {file: place for place, file in enumerate(dict.fromkeys(m.file for m in manifests))}
    found.sort(key=lambda each: (order[each.file], each.line))
    count = sum(each.identity[0] == API_VERSION for each in manifests)
    return CheckReport(objects=count, findings=found)


def refused(manifests: Iterable[Manifest], namespace: str) -> list[CheckFinding]:
    """What the API server would refuse, in the order of the manifests."""
    seen: dict[tuple[str, ...], Manifest] = {}
    found: list[CheckFinding] = []
    for manifest in manifests:
        found += [_error(manifest, *problem) for problem in _problems(manifest)]
        api_version, kind, _, name = manifest.identity
        place = manifest.namespace_or(namespace)
        first = seen.setdefault((api_version, kind, place, name), manifest)
        if name and first is not manifest and _is_read(manifest):
            where = f"{first.file}:{first.line_of('metadata.name')}"
            found.append(_error(manifest, "metadata.name", f"is taken by the {kind} at {where}"))
    return found


def reported(manifests: Sequence[Manifest], namespace: str, outcome: Outcome) -> list[CheckFinding]:
    """What the conditions of the operator say, in the order of the manifests."""
    found: list[CheckFinding] = []
    resources = {each.kind: each for each in READ}
    for manifest in manifests:
        api_version, kind, _, name = manifest.identity
        if api_version != API_VERSION:
            continue
        status = outcome.status(resources[kind], manifest.namespace_or(namespace), name)
        for condition in status.get("conditions") or ():
            severity = _severity(condition)
            if severity is None:
                continue
            message = condition["message"]
            field = _FIELD.search(message)
            line = manifest.line_of(field[0] if field else "metadata.name")
            found.append(_finding(manifest, line, severity, condition["reason"], message))
    return found


def _severity(condition: dict[str, str]) -> Severity | None:
    """How bad a condition is; None for none, and for what another object is to blame for."""
    reason = _REASONS[condition["reason"]]
    if condition["type"] in (RECONCILING, STALLED):
        return None
    # Why namespaces fail is told nowhere else.
    if reason.of_others and reason is not Reason.NAMESPACES_FAILING:
        return None
    if condition["type"] != READY:
        return "warning"
    if reason in _SELECTION or reason is Reason.SUSPENDED:
        return "warning"
    return "error" if condition["status"] != "True" else None


_REASONS: Final = {reason.value: reason for reason in Reason}


def _problems(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Field and message of everything that the API server would refuse."""
    body, api_version, kind = manifest.body, *manifest.identity[:2]
    if api_version.partition("/")[0] == GROUP and api_version != API_VERSION:
        yield "apiVersion", f"is unknown: use {API_VERSION}"
        return
    if api_version == API_VERSION and kind not in _BY_KIND:
        *most, last = _BY_KIND
        yield "kind", f"is unknown: {API_VERSION} has {', '.join(most)} and {last}"
        return
    if not _is_read(manifest):
        return
    for path in dict.fromkeys(repeated_fields(manifest.node)):
        more = ", or put `---` between two objects" if path in ("apiVersion", "kind") else ""
        yield path, f"is given twice: remove one of them{more}"
    parts: list[tuple[type[BaseModel], Any, str]] = [
        (_Metadata, body.get("metadata") or {}, "metadata")
    ]
    if api_version != API_VERSION:
        parts += [(_Text, body.get(field) or {}, field) for field in ("data", "stringData")]
    elif isinstance(body.get("spec"), dict):
        yield from _unknown_fields(body, _schema(kind))
        parts.append((_BY_KIND[kind].spec, body["spec"], "spec"))
    else:
        yield from _unknown_fields(body, _schema(kind))
        yield "spec", "must be an object" if "spec" in body else "is missing"
    for model, value, root in parts:
        problems = refused_in(model, without_nulls(value), root)
        for path, message in problems:
            # An item that is refused is no item to the rules of its list.
            if not any(other.field_path.startswith(f"{path}[") for other in problems):
                yield path, _explained(body, path, message)


@lru_cache
def _schema(kind: str) -> Schema:
    """The schema of a kind. It is made from the source of the models, which takes a while."""
    spec: Schema = root_schema(_BY_KIND[kind])["properties"]["spec"]
    metadata: Schema = {"properties": {name: {} for name in _METADATA}}
    others = {"apiVersion": {}, "kind": {}, "metadata": metadata, "status": {}}
    return {"properties": {**others, "spec": spec}}


def _is_read(manifest: Manifest) -> bool:
    return manifest.identity[:2] in {(each.api_version, each.kind) for each in READ}


def _unknown_fields(value: Any, schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Fields that the definition does not have: kubectl refuses them."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _unknown_fields(each, schema.get("items") or {}, f"{path}[{number}]")
    if not isinstance(value, dict) or "properties" not in schema:
        return
    for name, each in value.items():
        below = f"{path}.{name}".lstrip(".")
        if name in schema["properties"]:
            yield from _unknown_fields(each, schema["properties"][name], below)
            continue
        close = get_close_matches(str(name), schema["properties"], n=1)
        fields = close[0] if close else ", ".join(schema["properties"])
        yield below, f"is no field; {f'did you mean {fields}?' if close else f'there are {fields}'}"


def _explained(body: Any, path: str, message: str) -> str:
    """The message as a predicate; what to do where YAML took a text for something else."""
    value = body
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, dict) and step in value:
            value = value[step]
    if message == "Input should be a valid string" and isinstance(value, int | float):
        what = "true or false" if isinstance(value, bool) else "a number"
        return f"is {what} in YAML, and must be text: put it in quotes"
    return re.sub("^[A-Z][a-z]+ should", "must", message.replace("Field required", "is required"))


def _error(manifest: Manifest, path: str, message: str) -> CheckFinding:
    return _finding(manifest, manifest.line_of(path), "error", _REFUSED, f"{path} {message}")


def _finding(
    manifest: Manifest, line: int, severity: Severity, reason: str, message: str
) -> CheckFinding:
    return CheckFinding(
        file=manifest.file,
        line=line,
        severity=severity,
        object=_subject(manifest),
        reason=reason,
        message=message,
    )


def _subject(manifest: Manifest) -> str:
    _, kind, namespace, name = manifest.identity
    name = name or "without a name"
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
