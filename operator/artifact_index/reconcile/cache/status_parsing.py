"""What can be read of a status as it was found on the API server. Pure.

It is usually our own. But another version of the operator or of its CRDs, or a person with the
right to patch `/status`, may have left anything there, and one such object must not stop a pass.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from artifact_index.api.timestamps import parse_time

LAST_HANDLED_REFRESH: Final = "lastHandledRefreshAt"
"""The status field that repeats the last refresh request that was fulfilled."""

_CONDITION: Final = re.compile(
    rb'"reason":"([\w,:]{1,1024})","status":"(True|False|Unknown)","type":"([\w./-]{1,128})"'
)
"""A condition in canonical JSON; within a string its quotation marks would be escaped."""

_CONDITION_FIELDS: Final = ("type", "status", "reason", "message", "lastTransitionTime")


def readable_status(found: object) -> dict[str, Any]:
    """The status without conditions and index items that are not in the form we write."""
    if not isinstance(found, dict):
        return {}
    readable = dict(found)
    for field, is_ours in (("conditions", _is_condition), ("indexes", _is_index_item)):
        if field in readable:
            readable[field] = _only(readable[field], is_ours)
    if not isinstance(readable.get(LAST_HANDLED_REFRESH, ""), str):
        del readable[LAST_HANDLED_REFRESH]
    return readable


def condition_of(status: Mapping[str, Any], condition_type: str) -> dict[str, Any] | None:
    """The condition of this type in a decoded status, None if it is not there."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == condition_type:
            found: dict[str, Any] = condition
            return found
    return None


def reported_conditions(status: bytes) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition by its type, from a status as records keep it.

    Found by a pattern: to decode ten thousand statuses for a count would take ten times as long.
    """
    return {
        found[3].decode(): (found[2].decode(), found[1].decode())
        for found in _CONDITION.finditer(status)
    }


@lru_cache(maxsize=128)
def reported_expiry(status: bytes) -> int | None:
    """When the served credential expires, as the status of an ArtifactIndex last told.

    In whole POSIX seconds; `status` is as records keep it. Good for deciding what is urgent, and
    for nothing else. Kept: all files with one index ask for the same.
    """
    credential = readable_status(json.loads(status)).get("credential")
    told = credential.get("expiresAt") if isinstance(credential, dict) else None
    try:
        return parse_time(told) if isinstance(told, str) else None
    except (ValueError, OverflowError):
        return None


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
