"""Keyed digests. They may stand in annotations: without the key nobody can test guesses."""

import base64
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from artifact_index.credentials.requests import TokenRequest, canonical
from artifact_index.kube.canonical import canonical_json

_SHARED: Final = 256
"""Requests whose digests are remembered, the latest used: thousands of indexes share a few."""


class Digester:
    """HMAC-SHA256 with the operator's key, cut to 132 bits (22 URL-safe characters).

    Each kind of digest has a prefix of its own, so that one cannot pass for another.
    """

    def __init__(self, key: bytes) -> None:
        # Keyed once: that is half of the work of a short digest.
        self._keyed = hmac.new(key, digestmod="sha256")
        self._shared = lru_cache(_SHARED)(self._request)
        self._last_output: tuple[object, str] = (None, "")

    def request(self, request: TokenRequest) -> str:
        """The digest of a token request with all of its inputs."""
        return self._shared(request)

    def material(self, values: Mapping[str, str]) -> str:
        """The digest of the referenced keys of a source Secret."""
        return self._digest(b"material", canonical_json(values))

    def destination(self, *parts: object) -> str:
        """The digest of where a credential may be sent."""
        return self._digest(b"scope", canonical_json(parts))

    def output(self, ref: tuple[str, str, str], data: Mapping[str, str], checkpoint: str) -> str:
        """The digest of an output's whole content, bound to its kind, namespace and name.

        The last one is remembered: a ClusterIndexOptions writes one content a thousand times.
        """
        content = ref, dict(data), checkpoint
        known, digest = self._last_output
        if known != content:
            digest = self._digest(b"output", canonical_json([*ref, content[1], checkpoint]))
            self._last_output = content, digest
        return digest

    def _request(self, request: TokenRequest) -> str:
        return self._digest(b"request", canonical(request))

    def _digest(self, purpose: bytes, content: bytes) -> str:
        mac = self._keyed.copy()
        mac.update(purpose + b"\0" + content)
        return base64.urlsafe_b64encode(mac.digest())[:22].decode()
