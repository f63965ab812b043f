"""Makes and takes apart JWTs (RFC 7515): base64url without padding, signed by RS256."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def encode(data: bytes) -> str:
    """Bytes as base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part: str) -> bytes:
    """The bytes of a part. Raises ValueError."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encode_json(value: object) -> str:
    """A header or claims as a part."""
    return encode(json.dumps(value).encode())


def sign(key: rsa.RSAPrivateKey, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A token with a signature by RS256."""
    content = f"{encode_json({**header, 'alg': 'RS256'})}.{encode_json(claims)}"
    return f"{content}.{encode(key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
