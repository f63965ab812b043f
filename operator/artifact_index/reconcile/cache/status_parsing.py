"""Reading a status as it stands on the API server. Pure.

It is usually our own. But another version of the operator or of its CRDs, or a person with the
right to patch `/status`, may have left anything there, and such an object must not stop a
reconcile.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from artifact_index.api.timestamps import parse_time

LAST_HANDLED_REFRESH: Final = "lastHandledRefreshAt"
"""The status field that repeats the last fulfilled refresh request."""

_CONDITION: Final = re.compile(
    rb'"reason":"([\w,:]{1,1024})","status":"(True|False|Unknown)","type":"([\w./-]{1,128})"'
)
"""A condition in canonical JSON; inside a string its quotation marks would be escaped."""

_CONDITION_FIELDS: Final = ("type", "status", "reason", "message", "lastTransitionTime")


def decoded_status(status: bytes) -> dict[str, Any]:
    """A cached status as a readable one."""
    return readable_status(json.loads(status))


def readable_status(stored: object) -> dict[str, Any]:
    """The status without the conditions and index items that are not in the form we write."""
    if not isinstance(stored, dict):
        return {}
    readable = dict(stored)
    for field, is_ours in (("conditions", _is_condition), ("indexes", _is_index_item)):
        if field in readable:
            items = readable[field]
            readable[field] = [*filter(is_ours, items)] if isinstance(items, list) else []
    if not isinstance(readable.get(LAST_HANDLED_REFRESH, ""), str):
        del readable[LAST_HANDLED_REFRESH]
    return readable


def condition_of(status: Mapping[str, Any], condition_type: str) -> dict[str, Any] | None:
    """The condition of this type in a decoded status; None if it has none."""
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    return next((found for found in conditions if found.get("type") == condition_type), None)


def reported_conditions(status: bytes) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition of a cached status, by type.

    Found by a pattern: decoding ten thousand statuses to count them would take ten times as long.
    """
    return {
        match[3].decode(): (match[2].decode(), match[1].decode())
        for match in _CONDITION.finditer(status)
    }


@lru_cache(maxsize=128)
def reported_expiry(status: bytes) -> int | None:
    """When the published credential expires, as the status of an ArtifactIndex last reported.

    In POSIX seconds; `status` is as cached. Decides priorities only: anybody may have written it.
    Memoised, since every IndexOptions that selects the index asks for it.
    """
    credential = decoded_status(status).get("credential")
    expires_at = credential.get("expiresAt") if isinstance(credential, dict) else None
    try:
        return parse_time(expires_at) if isinstance(expires_at, str) else None
    except (ValueError, OverflowError):
        return None


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
