"""Reading a status as it stands on the API server. Pure.

It is usually our own. But another version of the operator or of its CRDs, or a person with the
right to patch `/status`, may have left anything there, and such an object must not stop a
reconcile.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from artifact_index.api.timestamps import parse_time

LAST_HANDLED_REFRESH: Final = "lastHandledRefreshAt"
"""The status field that repeats the last fulfilled refresh request."""
LAST_REFUSED_REFRESH: Final = "lastRefusedRefreshAt"
"""The status field that repeats the last refresh request that was answered by a problem."""

_CONDITION: Final = re.compile(
    rb'"reason":"([\w,:]{1,1024})","status":"(True|False|Unknown)","type":"([\w./-]{1,128})"'
)
"""A condition in canonical JSON; inside a string its quotation marks would be escaped."""

_CONDITION_FIELDS: Final = ("type", "status", "reason", "message", "lastTransitionTime")

_EXPIRY: Final = re.compile(rb'"credential":\{"expiresAt":"([0-9TZ:-]{1,32})"')
"""The expiry in the canonical JSON of the status of an ArtifactIndex."""


def decoded_status(status: bytes) -> dict[str, Any]:
    """A cached status as a readable one."""
    return readable_status(json.loads(status.decode()))


def readable_status(stored: object) -> dict[str, Any]:
    """The status without the conditions and index items that are not in the form we write."""
    if not isinstance(stored, dict):
        return {}
    readable = dict(stored)
    for field, is_ours in (("conditions", _is_condition), ("indexes", _is_index_item)):
        if field in readable:
            items = readable[field]
            readable[field] = [*filter(is_ours, items)] if isinstance(items, list) else []
    for field in (LAST_HANDLED_REFRESH, LAST_REFUSED_REFRESH):
        if not isinstance(readable.get(field, ""), str):
            del readable[field]
    return readable


def condition_of(status: Mapping[str, Any], condition_type: str) -> dict[str, Any] | None:
    """The condition of this type in a decoded status; None if it has none."""
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    return next((found for found in conditions if found.get("type") == condition_type), None)


def conditions_by_type(status: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The conditions in a decoded status; of two of one type the last."""
    return {condition["type"]: condition for condition in status.get("conditions") or ()}


def reported_conditions(status: bytes) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition of a cached status, by type.

    Found by a pattern: decoding ten thousand statuses to count them would take ten times as long.
    """
    return {
        match[3].decode(): (match[2].decode(), match[1].decode())
        for match in _CONDITION.finditer(status)
    }


def reported_expiry(status: bytes) -> int | None:
    """When the published credential expires, as the status of an ArtifactIndex last reported.

    In POSIX seconds; `status` is as cached. Decides priorities only: anybody may have written it.
    Found by a pattern, since every reconcile of every IndexOptions that selects the index asks.
    """
    if (found := _EXPIRY.search(status)) is None:
        return None
    try:
        return parse_time(found[1].decode())
    except (ValueError, OverflowError):
        return None


def _is_condition(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    for field in _CONDITION_FIELDS:
        if not isinstance(item.get(field), str):
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
