"""JSON merge patches, as the API server applies them."""

from typing import Any


def merge_patched(before: Any, patch: Any) -> Any:
    """RFC 7396: what a JSON merge patch makes of a document."""
    if not isinstance(patch, dict):
        return patch
    result = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patched(result.get(key), value)
    return result
