"""Reads claims of a JWT (RFC 7519) without verifying it: for its life, and for messages."""

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from artifact_index.api.timestamps import LAST_SECOND

_TOKEN: Final = re.compile("[!-~]{1,16384}")


def is_token(value: object) -> TypeGuard[str]:
    """Whether it is what every client can send as a password, and what no proxy's page is."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def claims_of(token: str) -> Mapping[str, Any]:
    """The claims, as whoever made the token wrote them; empty if it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    body = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = json.loads(base64.b64decode(body, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def expiry_of(token: str) -> int | None:
    """When the token says that it expires, in whole POSIX seconds; None if it does not say."""
    expiry = claims_of(token).get("exp")
    if isinstance(expiry, bool) or not isinstance(expiry, int | float):
        return None
    return math.floor(expiry) if 0 < expiry <= LAST_SECOND else None
