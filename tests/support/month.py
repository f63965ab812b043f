"""A simulated month of the whole operator, with clouds and an API server in memory."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from artifact_index import app
from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import (
    CodeArtifactTokenRequest,
    GoogleTokenRequest,
    KeyMaterial,
    Token,
    TokenRequest,
)
from artifact_index.settings import Settings
from support.memory_port import LeanPort
from support.misfortunes import EPOCH, Kind, Trouble, during
from support.readers import SlowPort
from support.simulation import NAMESPACE, SETTINGS, Simulation
from support.virtual_time import VirtualLoop
from support.world import artifact_index, index_options

# What a metadata server does: one token until five minutes before its end.
CACHED_UNTIL = 300


class Cloud:
    """Grants tokens by the truth's clock, unless it is down or throttles."""

    def __init__(self, kinds: dict[str, Kind], trouble: Trouble, rng: random.Random) -> None:
        self.expiries: dict[str, float] = {}
        self.mints = 0
        self.begun: list[tuple[float, str]] = []
        """When each attempt began, and whose it was."""
        self._kinds = kinds
        self._trouble = trouble
        self._rng = rng
        self._cached: dict[str, tuple[str, float]] = {}

    async def grant(self, request: TokenRequest, material: KeyMaterial, now: float) -> Token:
        """`now` is the operator's clock, by which it notes when it asked."""
        name = login_name(request)
        self.begun.append((asyncio.get_running_loop().time(), name))
        await asyncio.sleep(self._rng.uniform(0.05, 0.6))
        truth = asyncio.get_running_loop().time()
        if during(self._trouble.outages, truth):
            raise LoginError(Reason.CLOUD_UNAVAILABLE, "outage")
        if during(self._trouble.throttles, truth):
            wait = self._rng.uniform(1, 60)
            raise LoginError(Reason.CLOUD_THROTTLED, "slow down", retry_after=wait)
        token, expires_at = self._token(name, truth)
        return Token(SecretStr(token), int(now), int(EPOCH + expires_at))

    def _token(self, name: str, truth: float) -> tuple[str, float]:
        kind = self._kinds[name]
        cached = self._cached.get(name)
        if kind.repeats and cached is not None and cached[1] - truth > CACHED_UNTIL:
            return cached
        self.mints += 1
        token, expires_at = f"tok-{self.mints}", truth + kind.life
        self.expiries[token] = expires_at
        self._cached[name] = token, expires_at
        return token, expires_at


def login_name(request: TokenRequest) -> str:
    """The name of the ArtifactIndex that a request stands for."""
    if isinstance(request, CodeArtifactTokenRequest):
        return request.domain
    assert isinstance(request, GoogleTokenRequest)
    assert request.impersonate is not None
    return request.impersonate.service_account.partition("@")[0]


class Month(Simulation):
    """Real wiring, token manager, planner, rendering, digests and records; `live` runs it."""

    def __init__(
        self,
        kinds: dict[str, Kind],
        seconds: float,
        seed: int,
        patch: pytest.MonkeyPatch,
        settings: Settings = SETTINGS,
    ) -> None:
        super().__init__(kinds, seconds, seed, patch, settings)
        self.cloud = Cloud(kinds, self.trouble, self.rng)
        self._memory = LeanPort()
        for name, kind in kinds.items():
            self._put(
                "artifactindexes", artifact_index(name, labels={"i": name}, **spec_of(name, kind))
            )
            selector = {"matchLabels": {"i": name}}
            build = f"{kind.build}s"
            self._put(
                "indexoptions",
                index_options(name, indexSelector=selector, maxBuildDuration=build),
            )
        patch.setattr(app, "CloudThreads", lambda *_, **__: SimpleNamespace(issue=self._grant))

    def expiry_of(self, token: str) -> float:
        """By the cloud's own book."""
        return self.cloud.expiries[token]

    def truth(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    async def port(self) -> SlowPort:
        """In memory."""
        return SlowPort(self._memory, self.readers, self.rng)

    async def fail(self) -> None:
        """The cloud knows its own troubles."""

    @property
    def mints(self) -> tuple[int, int]:
        """As the cloud counts them."""
        return self.cloud.mints, len(self.cloud.begun)

    async def _grant(self, request: TokenRequest, material: KeyMaterial) -> Token:
        return await self.cloud.grant(request, material, self.now())

    def _put(self, plural: str, body: dict[str, Any]) -> None:
        body["metadata"] |= {
            "namespace": NAMESPACE,
            "uid": f"{plural}-{body['metadata']['name']}",
            "generation": 1,
            "creationTimestamp": "2023-01-01T00:00:00Z",
        }
        self._memory.put(plural, body)


def spec_of(name: str, kind: Kind) -> dict[str, Any]:
    """The source of a login of this kind: CodeArtifact, or Google where tokens repeat."""
    if kind.repeats:
        account = f"{name}@acme-build.iam.gserviceaccount.com"
        place = {"project": "acme-build", "location": "europe-west1", "repository": "python"}
        auth: dict[str, Any] = {"operatorIdentity": {}}
        step = {"impersonate": {"serviceAccount": account}}
        return {"googleArtifactRegistry": {**place, "auth": auth, **step}}
    return {
        "codeArtifact": {
            "domain": name,
            "domainOwner": "111122223333",
            "region": "eu-west-1",
            "repository": "python",
            "endpoint": f"https://{name}.example/",
            "tokenDuration": f"{kind.life}s",
            "auth": {"operatorIdentity": {}},
        }
    }


def live(month: Month) -> None:
    """Run it on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(month.run())
