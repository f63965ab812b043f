"""What can be read of a status as it was found on the API server. Pure.

It is usually our own. But another version of the operator or of its CRDs, or a person with the
right to patch `/status`, may have left anything there, and one such object must not stop a pass.
"""

from collections.abc import Callable
from typing import Any, Final

from artifact_index.api.timestamps import parse_time

_CONDITION_FIELDS: Final = ("type", "status", "reason", "message", "lastTransitionTime")


def readable_status(found: object) -> dict[str, Any]:
    """The status without conditions and index items that are not in the form we write."""
    if not isinstance(found, dict):
        return {}
    readable = dict(found)
    for field, is_ours in (("conditions", _is_condition), ("indexes", _is_index_item)):
        if field in readable:
            readable[field] = _only(readable[field], is_ours)
    return readable


def _only(items: object, is_ours: Callable[[object], bool]) -> list[Any]:
    return [item for item in items if is_ours(item)] if isinstance(items, list) else []


def _is_condition(item: object) -> bool:
    if not isinstance(item, dict) or not all(
        isinstance(item.get(field), str) for field in _CONDITION_FIELDS
    ):
        return False
    try:
        parse_time(item["lastTransitionTime"])
    except (ValueError, OverflowError):
        return False
    return True


def _is_index_item(item: object) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("uid"), str)
        and isinstance(item.get("name", ""), str)
    )
