"""A cluster without an API server: tokens of its ServiceAccounts, and the keys that verify them."""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from support.clouds import jwt
from support.clouds.cluster_issuer import ClusterIssuer

ISSUER = "https://cluster.example"
SUBJECT = "system:serviceaccount:builders:builder"


class SignedTokens:
    """Signs tokens as an API server does; `issuer` is the cluster as a provider.

    `now` gives POSIX seconds.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        # Half of the usual size, for a sixth of the time to make it.
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        self._numbers = itertools.count(1)
        public = self._key.public_key().public_numbers()
        jwk = {"kty": "RSA", "kid": "1", "n": _encoded_number(public.n), "e": "AQAB"}
        self.issuer = ClusterIssuer(json.dumps({"keys": [jwk]}))

    def token(self, audience: str, subject: str = SUBJECT, life: float = 600, **more: Any) -> str:
        """A token of a ServiceAccount; `more` are claims."""
        now = self._now()
        claims = {
            "iss": ISSUER, "sub": subject, "aud": [audience], "jti": str(next(self._numbers)),
            "iat": int(now), "nbf": int(now), "exp": int(now + life), **more,
        }  # fmt: skip
        return jwt.sign(self._key, {"kid": "1"}, claims)


def _encoded_number(number: int) -> str:
    return jwt.encode(number.to_bytes((number.bit_length() + 7) // 8))
