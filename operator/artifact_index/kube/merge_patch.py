"""JSON merge patches (RFC 7396), as the API server applies them. Pure."""

from typing import Any


def merge_patched(before: Any, patch: Any) -> Any:
    """What a merge patch makes of a value; neither of them changes."""
    if not isinstance(patch, dict):
        return patch
    result = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patched(result.get(key), value)
    return result
