"""A simulated month of the whole operator, with clouds and an API server in memory."""

import asyncio
import random
from typing import Any

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.requests import CodeArtifactTokenRequest
from artifact_index.credentials.azure.requests import EntraTokenRequest
from artifact_index.credentials.calls import Issue
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.exchange.requests import ExchangeTokenRequest
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import (
    KeyMaterial,
    ServiceAccountIdentity,
    Token,
    TokenRequest,
)
from artifact_index.settings import Settings
from support.accounts import service_account
from support.clouds.entra import CLIENT, TENANT
from support.memory_port import LeanPort
from support.misfortunes import EPOCH, Kind, Trouble, during
from support.readers import SlowPort
from support.simulation import NAMESPACE, SETTINGS, Simulation
from support.virtual_time import VirtualLoop
from support.world import artifact_index, index_options

# What a metadata server does: one token until five minutes before its end.
CACHED_UNTIL = 300


class Cloud:
    """Issues tokens by the clock of the truth, unless it is down or throttles."""

    def __init__(self, kinds: dict[str, Kind], trouble: Trouble, rng: random.Random) -> None:
        self.expiries: dict[str, float] = {}
        self.mints = 0
        self.begun: list[tuple[float, str]] = []
        """The start of each attempt, and the name of its login."""
        self._kinds = kinds
        self._trouble = trouble
        self._rng = rng
        self._cached: dict[str, tuple[str, float]] = {}

    async def grant(self, request: TokenRequest, material: KeyMaterial, now: float) -> Token:
        """Answer after a moment; `now` is the operator's clock, which dates the token."""
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
    """The name of the ArtifactIndex that a request is for."""
    if isinstance(request, CodeArtifactTokenRequest):
        return request.domain
    if isinstance(request, EntraTokenRequest):
        assert isinstance(request.identity, ServiceAccountIdentity)
        return request.identity.name
    if isinstance(request, ExchangeTokenRequest):
        return dict(request.parameters)["service_slug"]
    assert isinstance(request, GoogleTokenRequest)
    assert request.impersonate is not None
    return request.impersonate.service_account.partition("@")[0]


class Month(Simulation):
    """Everything of the operator is real, from wiring to rendering; `live` runs it."""

    def __init__(
        self,
        kinds: dict[str, Kind],
        seconds: float,
        seed: int,
        settings: Settings = SETTINGS,
    ) -> None:
        super().__init__(kinds, seconds, seed, settings)
        self.cloud = Cloud(kinds, self.trouble, self.rng)
        self._memory = LeanPort()
        self._put("serviceaccounts", service_account("builder"))
        for name, kind in kinds.items():
            self._put(
                "artifactindexes", artifact_index(name, labels={"i": name}, **spec_of(name, kind))
            )
            if kind.source == "azureArtifacts":
                self._put("serviceaccounts", service_account(name))
            selector = {"matchLabels": {"i": name}}
            build = f"{kind.build}s"
            self._put(
                "indexoptions",
                index_options(name, indexSelector=selector, maxBuildDuration=build),
            )

    def expiry_of(self, token: str) -> float:
        """As the cloud has issued it."""
        return self.cloud.expiries[token]

    def truth(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    async def port(self) -> SlowPort:
        """An API server in memory."""
        return SlowPort(self._memory, self.readers, self.rng)

    def providers(self) -> Issue:
        """The cloud, by the operator's clock."""
        return self.issue

    async def fail(self) -> None:
        """Nothing to do: the cloud knows when it is down."""

    @property
    def mints(self) -> tuple[int, int]:
        """As the cloud counts them."""
        return self.cloud.mints, len(self.cloud.begun)

    async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        """The cloud's answer."""
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
    """The source of a login: CodeArtifact, an exchange, or Google where tokens repeat."""
    auth: dict[str, Any]
    if kind.source == "tokenExchange":
        exchange = {"cloudsmith": {"workspace": "acme", "service": name}}
        auth = {"serviceAccountRef": {"name": "builder"}}
        url = f"https://{name}.example/simple/"
        return {"tokenExchange": {"url": url, "exchange": exchange, "auth": auth}}
    if kind.repeats:
        account = f"{name}@acme-build.iam.gserviceaccount.com"
        repository = {"project": "acme-build", "location": "europe-west1", "repository": "python"}
        auth = {"operatorIdentity": {}}
        step = {"impersonate": {"serviceAccount": account}}
        return {"googleArtifactRegistry": {**repository, "auth": auth, **step}}
    if kind.source == "azureArtifacts":
        reference = {"name": name, "tenantID": TENANT, "clientID": CLIENT}
        auth = {"serviceAccountRef": reference}
        return {"azureArtifacts": {"organization": "acme", "feed": "python", "auth": auth}}
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
    """Run it on a virtual loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(month.run())
