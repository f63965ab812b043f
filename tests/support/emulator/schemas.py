"""What a structural schema does to a stored object: unknown fields go, defaults come."""

from copy import deepcopy
from typing import Any


def prune_and_default(value: Any, schema: dict[str, Any]) -> Any:
    """Return a custom object as the API server would store it; nothing is validated."""
    return _default(_prune(value, schema, at_root=True), schema)


def _prune(value: Any, schema: dict[str, Any], *, at_root: bool = False) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        return [_prune(item, items) for item in value] if items else value
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    keep_all = schema.get("x-kubernetes-preserve-unknown-fields")
    kept = {}
    for key, item in value.items():
        if at_root and key in ("apiVersion", "kind", "metadata"):
            kept[key] = item
        elif key in properties:
            kept[key] = _prune(item, properties[key])
        elif isinstance(others, dict):
            kept[key] = _prune(item, others)
        elif keep_all or others is True:
            kept[key] = item
    return kept


def _default(value: Any, schema: dict[str, Any]) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        return [_default(item, items) for item in value] if items else value
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    complete = dict(value)
    for key, inner in properties.items():
        # A null in a field that may not be null counts as absent where there is a default.
        absent = key not in complete or (complete[key] is None and not inner.get("nullable"))
        if absent and "default" in inner:
            complete[key] = deepcopy(inner["default"])
        if complete.get(key) is not None:
            complete[key] = _default(complete[key], inner)
    if isinstance(others, dict):
        for key in complete.keys() - properties.keys():
            complete[key] = _default(complete[key], others)
    return complete
