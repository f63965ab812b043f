"""The operator over the objects of one file, in memory: whole objects in, whole outputs out.

Here stands all that the frozen outputs know of the operator's inner parts.
"""

import asyncio
import base64
import copy
import hashlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.requests import CodeArtifactEndpointRequest
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest, canonical
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.settings import Settings
from artifact_index.wiring import env_of
from support.memory_port import MemoryPort
from support.operating import operating
from support.virtual_time import VirtualLoop

NAMESPACE: Final = "builders"
NOW: Final = 1_800_000_000
HOUR: Final = 3600
KEY: Final = b"the key of the frozen digests"
OBJECTS: Final = Path(__file__).parents[2] / "golden" / "frozen" / "objects.yaml"

_SETTINGS: Final = Settings(
    namespaces=(NAMESPACE,),
    operator_namespace=NAMESPACE,
    operator_identity_namespaces=(NAMESPACE,),
    operator_identity_tenant_tags=True,
    missing_secret_grace=0.0,
)
_PLURALS: Final = {
    "ArtifactIndex": "artifactindexes",
    "IndexOptions": "indexoptions",
    "Secret": "secrets",
    "ServiceAccount": "serviceaccounts",
}
_LIFE: Final = 30.0
"""Seconds of a life, on a virtual clock: by then all is written."""


class Cluster:
    """The API server with the objects of the file, and the clouds; `live` runs the operator."""

    def __init__(self) -> None:
        self.port = MemoryPort()
        self.forms: set[str] = set()
        """Canonical form of each request that the clouds were asked."""
        self.granted = 0
        for body in yaml.safe_load(OBJECTS.read_text()):
            self._put(body)

    def change(self, kind: str, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
        """Let a user edit an object's body."""
        body = copy.deepcopy(self.port.find(_PLURALS[kind], NAMESPACE, name))
        assert body is not None, name
        edit(body)
        body["metadata"]["generation"] += 1
        self.port.put(_PLURALS[kind], body)

    def remove(self, kind: str, name: str) -> None:
        """Let a user delete an object."""
        del self.port.objects[_PLURALS[kind], NAMESPACE, name]

    def live(self, at: int, refuses: Callable[[str], bool]) -> None:
        """One process, whose clock stands; clouds refuse requests by their canonical form."""

        clouds = _Clouds(self, at, refuses)

        async def run() -> None:
            env = env_of(_SETTINGS, Digester(KEY), clock=lambda: float(at))
            async with operating(_SETTINGS, self.port, clouds.issue, env):
                await asyncio.sleep(_LIFE)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(run())

    def outputs(self) -> list[dict[str, Any]]:
        """Every Secret and ConfigMap that the operator has written, data decoded."""
        return [_shown(plural, body) for plural, body in self._outputs()]

    def versions(self) -> dict[tuple[str, str], str]:
        """The version of each output, by plural and name: a write changes it."""
        return {
            (plural, body["metadata"]["name"]): body["metadata"]["resourceVersion"]
            for plural, body in self._outputs()
        }

    def _outputs(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (plural, body)
            for (plural, _, _), body in sorted(self.port.objects.items())
            if body["metadata"].get("labels", {}).get("artifactindex.dev/role") == "output"
        ]

    def _put(self, body: dict[str, Any]) -> None:
        kind, name = body.pop("kind"), body["metadata"]["name"]
        body["metadata"] = {
            **body["metadata"],
            "namespace": NAMESPACE,
            "uid": f"uid-of-{kind}-{name}",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        if given := body.pop("stringData", None):
            body["data"] = _encoded(given)
        self.port.put(_PLURALS[kind], body)


class _Clouds:
    """Issues what is requested at this time, but for the refused canonical forms."""

    def __init__(self, cluster: Cluster, at: int, refuses: Callable[[str], bool]) -> None:
        self._cluster = cluster
        self._at = at
        self._refuses = refuses

    async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        form = canonical(request).decode()
        self._cluster.forms.add(form)
        if self._refuses(form):
            raise LoginError(Reason.ACCESS_DENIED, "refused")
        self._cluster.granted += 1
        return _granted(request, form, self._at)


def request_digest(form: str) -> str:
    """The keyed digest of a request's canonical form, as annotations have it."""
    mac = hmac.new(KEY, b"request\0" + form.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest())[:22].decode()


def _granted(request: TokenRequest, form: str, at: int) -> Token:
    """A value that tells which request it answers, and when."""
    mark = hashlib.sha256(f"{at} {form}".encode()).hexdigest()[:12]
    if isinstance(request, CodeArtifactEndpointRequest):
        return Token(SecretStr(f"https://repository-{mark}.example/pypi/r/"), at, None)
    hours = 1 if isinstance(request, GoogleTokenRequest) else 12
    return Token(SecretStr(f"token-{mark}"), at, at + hours * HOUR)


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}


def _shown(plural: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """All of an object but its version; in a Secret the data is decoded, to be read."""
    metadata = {k: v for k, v in body["metadata"].items() if k != "resourceVersion"}
    data = body["data"]
    if plural == "secrets":
        data = {key: base64.b64decode(text).decode() for key, text in data.items()}
        assert _encoded(data) == body["data"]
    return {"plural": plural, **body, "metadata": metadata, "data": data}
