"""The canonical form of JSON, by which values are compared and digests are made."""

import json
from typing import Final

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def canonical_json(value: object) -> bytes:
    """JSON without spaces, sorted by key: equal values give equal bytes."""
    return _ENCODER.encode(value).encode()
