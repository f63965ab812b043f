"""Structural schemas of the models, in the form that the API server admits.

The API server refuses Pydantic's own JSON schema (`$ref`, null types, `const`, …), so this module
walks the models' fields. It knows exactly the types that the models use and refuses all others.
"""

import ast
import functools
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from artifact_index.api.base import ApiModel
from artifact_index.api.duration import DURATION_MAX_LENGTH, DURATION_RULE, GoDuration
from artifact_index.api.rules import ListType, Rule
from artifact_index.api.timestamps import DateTimeFormat

Schema = dict[str, Any]

_INT32_MAX = 2**31 - 1
_MODELS = 256
"""More than there are: each is read once."""


class UnsupportedTypeError(TypeError):
    """A model uses a type for which this module has no structural schema."""


def object_schema(model: type[ApiModel], description: str | None = None) -> Schema:
    """Structural schema of a model; `description` replaces the model's docstring."""
    fields = [(info.alias or name, name, info) for name, info in model.model_fields.items()]
    text = _one_line(description or model.__doc__ or "")
    schema: Schema = {"description": text, "type": "object"}
    if fields:
        texts = _field_docstrings(model)
        schema["properties"] = {
            alias: _field_schema(info, texts.get(name, "")) for alias, name, info in fields
        }
    if required := [alias for alias, _, info in fields if info.is_required()]:
        schema["required"] = required
    return schema | _validations(model.rules)


def _one_line(text: str) -> str:
    return " ".join(text.split())


@functools.lru_cache(maxsize=_MODELS)
def _field_docstrings(model: type[ApiModel]) -> dict[str, str]:
    """The docstring under each field, by its name.

    Pydantic can collect them itself, but reads all sources for that whenever the operator starts.
    """
    found: dict[str, str] = {}
    for part in (part for part in reversed(model.__mro__) if issubclass(part, ApiModel)):
        (declared,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        for field, text in pairwise(ast.iter_child_nodes(declared)):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                found[ast.unparse(field.target)] = ast.literal_eval(text.value)
    return found


def _field_schema(info: FieldInfo, description: str) -> Schema:
    schema = _type_schema(info.annotation, info.metadata, _one_line(description))
    default = _default(info)
    return schema if default is None else schema | {"default": default}


def _default(info: FieldInfo) -> Any:
    """The default as JSON; None for what the schema leaves out: nothing, empty, or an object.

    An object's own fields have their defaults; a stored `{}` or `[]` would only be noise.
    """
    value = None if info.is_required() else info.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or value in (None, (), {}):
        return None
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value


def _type_schema(annotation: Any, metadata: Iterable[Any], description: str = "") -> Schema:
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _type_schema(inner, [*more, *metadata], description)
    if get_origin(annotation) in (Union, UnionType):
        (inner,) = (arm for arm in get_args(annotation) if arm is not NoneType)
        return _type_schema(inner, metadata, description)
    found = list(_flat(metadata))
    head: Schema = {"description": description} if description else {}
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return object_schema(annotation, description)
    if get_origin(annotation) is tuple:
        return head | _list_schema(annotation, found)
    if get_origin(annotation) is dict:
        return head | _map_schema(annotation, found)
    return head | _scalar_schema(annotation, found)


def _scalar_schema(annotation: Any, metadata: list[Any]) -> Schema:
    if get_origin(annotation) is Literal:
        return {"type": "string", "enum": list(get_args(annotation))}
    rules = [each for each in metadata if isinstance(each, Rule)]
    bounds = _bounds(metadata, longest="maxLength", shortest="minLength")
    if annotation is str:
        return {"type": "string"} | bounds | _validations(rules, reason="FieldValueForbidden")
    if annotation is GoDuration:
        text = {"type": "string", "maxLength": DURATION_MAX_LENGTH}
        return text | _validations([DURATION_RULE, *rules])
    if annotation is bool:
        return {"type": "boolean"}
    if annotation is int:
        wide = bounds.get("maximum", _INT32_MAX + 1) > _INT32_MAX
        return {"type": "integer", "format": "int64" if wide else "int32"} | bounds
    raise UnsupportedTypeError(f"{annotation} has no structural schema")


def _list_schema(annotation: Any, metadata: list[Any]) -> Schema:
    item, _ = get_args(annotation)
    (list_type,) = (each for each in metadata if isinstance(each, ListType))
    schema: Schema = {"type": "array", "items": _type_schema(item, ())}
    schema |= _bounds(metadata, longest="maxItems", shortest="minItems")
    schema["x-kubernetes-list-type"] = list_type.kind
    if list_type.keys:
        schema["x-kubernetes-list-map-keys"] = list(list_type.keys)
    return schema


def _map_schema(annotation: Any, metadata: list[Any]) -> Schema:
    key, value = get_args(annotation)
    schema: Schema = {"type": "object", "additionalProperties": _type_schema(value, ())}
    schema |= _bounds(metadata, longest="maxProperties", shortest="minProperties")
    return schema | {"x-kubernetes-validations": list(_key_rules(_type_schema(key, ())))}


def _key_rules(key: Schema) -> Iterator[Schema]:
    """Rules of a map's keys: OpenAPI v3 has none for them, CEL has."""
    longest = key["maxLength"]
    message = f"must have keys of at most {longest} characters"
    yield {"rule": f"self.all(key, size(key) <= {longest})", "message": message}
    for rule in key["x-kubernetes-validations"]:
        cel = rule["rule"].replace("self.", "key.", 1)
        yield {"rule": f"self.all(key, {cel})", "message": f"keys {rule['message']}"}


def _bounds(metadata: list[Any], *, longest: str, shortest: str) -> Schema:
    schema: Schema = {}
    for each in metadata:
        match each:
            case MinLen(min_length=value):
                schema[shortest] = value
            case MaxLen(max_length=value):
                schema[longest] = value
            case Ge(ge=value):
                schema["minimum"] = value
            case Le(le=value):
                schema["maximum"] = value
            case DateTimeFormat():
                schema["format"] = "date-time"
            case ListType() | Rule():
                pass
            case _ if getattr(each, "pattern", None):
                schema["pattern"] = each.pattern
            case _:
                raise UnsupportedTypeError(f"{each!r} has no place in a schema")
    return schema


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from each.metadata
        else:
            yield each


def _validations(rules: Iterable[Rule], **more: str) -> Schema:
    """The rules in CEL. A rule of a string has the reason `FieldValueForbidden`.

    For other reasons the API server prints the string from Kubernetes 1.35 on, and whoever puts a
    login into the wrong field would find it in terminals, audit logs and the status of Argo CD.
    """
    listed = [{"rule": rule.cel, "message": rule.message} | more for rule in rules]
    return {"x-kubernetes-validations": listed} if listed else {}
