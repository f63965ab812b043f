"""Believes a Kubernetes token only as a cloud does: by the API server's own public keys."""

import json
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from support.clouds.jwt import decode


class ClusterIssuer:
    """An OIDC provider of one cluster; `jwks` is what `/openid/v1/jwks` answers."""

    def __init__(self, jwks: str) -> None:
        self._keys = {key["kid"]: key for key in json.loads(jwks)["keys"]}
        self.seen: list[str] = []

    def subject(self, token: str, audience: str) -> str | None:
        """The token's subject; None where signature, life or audience do not hold."""
        claims = self.claims(token)
        if claims is None or audience not in claims["aud"]:
            return None
        if not claims["nbf"] - 60 <= time.time() < claims["exp"]:
            return None
        self.seen.append(token)
        subject: str = claims["sub"]
        return subject

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token with a good signature."""
        try:
            head, body, signature = token.split(".")
            header, claims = json.loads(decode(head)), json.loads(decode(body))
            key = self._keys[header["kid"]]
            _verify(key, header["alg"], f"{head}.{body}".encode(), decode(signature))
        except (KeyError, ValueError, InvalidSignature):
            return None
        checked: dict[str, Any] = claims
        return checked


def _verify(key: dict[str, str], algorithm: str, message: bytes, signature: bytes) -> None:
    if key["kty"] == "RSA" and algorithm == "RS256":
        numbers = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"]))
        numbers.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    elif key["kty"] == "EC" and algorithm == "ES256":
        point = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), ec.SECP256R1())
        half = len(signature) // 2
        pair = (int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
        encoded = encode_dss_signature(*pair)
        point.public_key().verify(encoded, message, ec.ECDSA(hashes.SHA256()))
    else:
        raise ValueError(algorithm)


def _number(text: str) -> int:
    return int.from_bytes(decode(text))
