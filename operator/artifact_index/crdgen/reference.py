"""The API reference as Markdown, generated from the schemas and the table of reasons."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from artifact_index.api.conditions import CONDITION_MEANINGS
from artifact_index.api.constants import API_VERSION
from artifact_index.api.fields import URL_RULES
from artifact_index.api.reasons import Polarity, Reason
from artifact_index.crdgen.crd import GENERATED_NOTE, root_schema
from artifact_index.crdgen.kinds import CATEGORY, KINDS, Kind
from artifact_index.crdgen.reason_docs import CONDITIONS_OF, REASONS
from artifact_index.crdgen.schema import Schema

_INTRODUCTION: Final = f"""\
<!-- {GENERATED_NOTE} -->
# API reference

Group and version: `{API_VERSION}`. Every kind is in the category `{CATEGORY}`
(`kubectl get {CATEGORY}`). Every reference is to an object in the same namespace; those of the
kinds of cluster scope are to objects in the namespace of `--cluster-resource-namespace`. Durations
are written as in Go: `30m`, `12h`, `1h30m`. `kubectl explain` shows the same descriptions. A
complete object of each kind, and one for each source, is in [`examples/`](../../examples).

On this page: {{contents}}, [URLs](#urls), [conditions](#conditions), [reasons](#reasons).
"""

_URLS: Final = """\
## URLs

A URL in a spec has at most 2048 characters and

"""
_URL_MESSAGES: Final = [rule.message for rule in URL_RULES]

_REASONS_INTRODUCTION: Final = """\
## Reasons

The reason of `Ready` and of the other conditions is one of these; an event about it has the same
name. The message beside it names the object, the field and the next step. What stands here of
ArtifactIndex and IndexOptions holds of ClusterArtifactIndex and ClusterIndexOptions, too.
"""

_BOUND_TEXTS: Final[dict[str, Callable[[Any], str]]] = {
    "enum": lambda values: "one of " + ", ".join(f"`{value}`" for value in values),
    "minimum": lambda value: f"at least {value}",
    "maximum": lambda value: f"at most {value}",
    "minLength": lambda value: f"at least {_count(value, 'character')}",
    "maxLength": lambda value: f"at most {_count(value, 'character')}",
    "minItems": lambda value: f"at least {_count(value, 'item')}",
    "maxItems": lambda value: f"at most {_count(value, 'item')}",
    "maxProperties": lambda value: f"at most {_count(value, 'key')}",
    "pattern": lambda value: f"must match `{value}`",
}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def reference_markdown() -> str:
    """The whole document; the same text each time."""
    contents = ", ".join(f"[{kind.kind}](#{kind.kind.lower()})" for kind in KINDS)
    parts = [_INTRODUCTION.format(contents=contents)]
    for kind in KINDS:
        parts.extend(_kind(kind))
    parts.append(_URLS + "- " + ",\n- ".join(_URL_MESSAGES) + ".\n")
    parts.extend((_conditions(), _REASONS_INTRODUCTION, _reasons()))
    return "\n".join(parts)


def _kind(kind: Kind) -> Iterator[str]:
    schema = root_schema(kind)
    yield f"## {kind.kind}\n"
    yield f"{schema['description']} Short name: `{kind.short_name}`.\n"
    for part in ("spec", "status"):
        yield from _object(kind.kind, part, schema["properties"][part])


def _object(kind: str, path: str, schema: Schema) -> Iterator[str]:
    """A section with a row for each field, then the sections of its nested objects."""
    yield f"### {kind}: `{path}`\n"
    yield f"{schema['description']}\n"
    if rules := schema.get("x-kubernetes-validations"):
        yield "".join(f"- It {rule['message']}.\n" for rule in rules)
    properties: dict[str, Schema] = schema.get("properties", {})
    if not properties:
        return
    required = schema.get("required", ())
    rows = [
        (f"`{name}`", _type(field), _default(field, name in required), _bounds(field), _text(field))
        for name, field in properties.items()
    ]
    yield markdown_table(("Field", "Type", "Default", "Bounds and rules", "Description"), rows)
    for name, field in properties.items():
        if field["type"] == "array" and "properties" in field["items"]:
            yield from _object(kind, f"{path}.{name}[]", field["items"])
        elif field["type"] == "object" and "properties" in field:
            yield from _object(kind, f"{path}.{name}", field)


def _type(field: Schema) -> str:
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    if field.get("format") == "date-time":
        return "time"
    return str(field["type"])


def _default(field: Schema, required: bool) -> str:
    if required:
        return "required"
    return f"`{_json(field['default'])}`" if "default" in field else ""


def _json(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_json(item) for item in value)}]"
    return str(value)


def _bounds(field: Schema) -> str:
    """Bounds and rules of a field, and of the items of a list or map."""
    rules = [rule["message"] for rule in field.get("x-kubernetes-validations", ())]
    if rules == _URL_MESSAGES:
        return "a [URL](#urls)"
    own = [text(field[key]) for key, text in _BOUND_TEXTS.items() if key in field]
    if field.get("x-kubernetes-list-type") == "set":
        own.append("no duplicates")
    if keys := field.get("x-kubernetes-list-map-keys"):
        own.append(f"no two with the same {' and '.join(keys)}")
    own.extend(rules)
    held = field.get("items") or field.get("additionalProperties")
    if held and (inner := _bounds(held)):
        own.append(f"each: {inner}")
    # The rules of an object stand in its own section.
    return "" if "properties" in field else "; ".join(own)


def _text(field: Schema) -> str:
    return str(field["description"])


def _conditions() -> str:
    rows = [(f"`{name}`", meaning) for name, meaning in CONDITION_MEANINGS.items()]
    return "## Conditions\n\n" + markdown_table(("Type", "Meaning"), rows)


def _reasons() -> str:
    rows = [
        (f"`{reason}`", ", ".join(doc.kinds), _conditions_of(reason), doc.meaning, doc.remedy)
        for reason, doc in REASONS.items()
    ]
    return markdown_table(("Reason", "Kind", "Conditions", "Meaning", "What to do"), rows)


def _conditions_of(reason: Reason) -> str:
    doc = REASONS[reason]
    if reason.polarity is Polarity.NOTE:
        return f"{doc.condition}=True"
    text = CONDITIONS_OF[reason.polarity]
    if doc.stalled_after_seconds is not None:
        text += f"; after {doc.stalled_after_seconds // 60} min Stalled=True in its place"
    if doc.stalled_where is not None:
        text += f"; Stalled=True in its place where {doc.stalled_where}"
    if doc.condition is not None:
        text += f"; or {doc.condition}=True while a live credential is served"
    return text


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with one line for each row; a `|` in a cell is escaped."""
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )
