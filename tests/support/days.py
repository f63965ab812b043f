"""Some simulated days in which everything but the time is real.

The operator is wired as the product is. It talks HTTP to the emulator of the API server in this
tree; its threads call boto3 and google-auth, which log in at stand-ins that verify signatures. All
of them, the SDKs included, follow the clock of the simulation. A real API server follows the
machine's clock: hence the emulator.

kopf's watches (only the operator writes), health endpoints and signals do not run here.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import botocore.auth
import google.auth._exponential_backoff
import google.auth._helpers
import pytest
from google.auth.compute_engine import _metadata

from artifact_index.credentials.aws.client import CodeArtifact
from artifact_index.credentials.azure.client import EntraTokens
from artifact_index.credentials.calls import Issue
from artifact_index.credentials.exchange.client import ExchangedTokens
from artifact_index.credentials.providers import Providers
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.credentials.threads import CloudThreads
from artifact_index.credentials.web.http import HttpClient
from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.port import KubePort, ListPage
from support.clouds import AwsStandIn, EntraStandIn, Fault, GoogleStandIn
from support.clouds.entra import TENANT, client_of
from support.clouds.exchanges import ExchangeStandIn, IdentityMapping
from support.clouds.logins import google_client
from support.clouds.signed_tokens import SignedTokens
from support.emulator import Emulator
from support.misfortunes import EPOCH, HOUR, Kind
from support.readers import SlowPort
from support.simulation import NAMESPACE, SETTINGS, Simulation
from support.virtual_time import RealWork, VirtualLoop
from support.world import artifact_index, index_options, secret

_TOKENS = ("GetAuthorizationToken", "Metadata", "Token", "JFrog")
"""What issues the tokens of each cloud."""


class Days(Simulation):
    """Use as a context manager; `live` runs it."""

    def __init__(
        self, kinds: dict[str, Kind], seconds: float, seed: int, patch: pytest.MonkeyPatch
    ) -> None:
        super().__init__(kinds, seconds, seed, replace(SETTINGS, allow_http=True))
        self.work = RealWork()
        self.emulator = Emulator()
        self.aws = AwsStandIn(now=self._true_time)
        self.google = GoogleStandIn(
            now=self._true_time, metadata_email="operator@acme-build.iam.gserviceaccount.com"
        )
        self.entra = EntraStandIn(now=self._true_time, lifetime=HOUR)
        self.exchange = ExchangeStandIn(now=self._true_time)
        self._cluster = SignedTokens(now=self._true_time)
        self.exchange.issuer = self._cluster.issuer
        self._loop = VirtualLoop(self.work)
        self._stack = ExitStack()
        self._patch = patch

    def __enter__(self) -> "Days":
        for server in (self.emulator, *self._clouds):
            self._stack.enter_context(server)
        self._set_clocks()
        for name, value in self.aws.env().items():
            self._patch.setenv(name, value)
        host = self.google.env()["GCE_METADATA_HOST"]
        self._patch.setattr(_metadata, "_GCE_METADATA_HOST", host)
        for name, kind in self.kinds.items():
            self._add_login(name, kind)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def live(self) -> None:
        """Run it on the virtual loop."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self.run())

    def expiry_of(self, token: str) -> float:
        """As the cloud that issued the token has it."""
        found = (cloud.tokens.issued(token) for cloud in self._clouds)
        issued = next((each for each in found if each is not None), None)
        assert issued is not None, "an output holds a token that no cloud has issued"
        return issued.expires_at - EPOCH

    def truth(self) -> float:
        """The loop's time."""
        return self._loop.time()

    async def port(self) -> SlowPort:
        """The operator's own client, connected to the emulator."""
        configuration = await load_configuration(kubeconfig=self.emulator.kubeconfig())
        waited = _Waited(KubeApi(configuration), self.work, self._cluster)
        return SlowPort(cast(KubePort, waited), self.readers, self.rng)

    def providers(self) -> Issue:
        """The SDKs in threads of their own, with one attempt each: pauses would take real time."""
        providers = Providers(
            CodeArtifact(attempts=1, now=self.now),
            google_client(self.google, now=self.now),
            EntraTokens(self.entra.url, now=self.now),
            ExchangedTokens(
                HttpClient(connect_timeout=5, read_timeout=10), least_life=280, now=self.now
            ),
        )
        work = self.work

        class Waited(CloudThreads):
            async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
                with work.one_more():
                    return await super().issue(request, material)

        return Waited(providers.issue, threads=self._settings.cloud_threads).issue

    async def fail(self) -> None:
        """Let the clouds answer with errors during each outage and throttle."""
        down = Fault(503, "ServiceUnavailable")
        slow = Fault(429, "ThrottlingException", headers={"Retry-After": "40"})
        faults = [(start, end, down) for start, end in self.trouble.outages]
        faults += [(start, end, slow) for start, end in self.trouble.throttles]
        for start, end, fault in sorted(faults, key=lambda period: period[0]):
            await asyncio.sleep(start - self.truth())
            for cloud in self._clouds:
                for operation in (*_TOKENS, "GetRepositoryEndpoint"):
                    cloud.inject(operation, fault)
            await asyncio.sleep(end - self.truth())
            for cloud in self._clouds:
                cloud.clear()

    @property
    def mints(self) -> tuple[int, int]:
        """As the stand-ins count them."""
        asked = list(zip(self._clouds, _TOKENS, strict=True))
        granted = sum(cloud.mints(operation) for cloud, operation in asked)
        return granted, sum(cloud.calls(operation) for cloud, operation in asked)

    @property
    def _clouds(self) -> tuple[AwsStandIn, GoogleStandIn, EntraStandIn, ExchangeStandIn]:
        return self.aws, self.google, self.entra, self.exchange

    def _true_time(self) -> float:
        return EPOCH + self.truth()

    def _set_clocks(self) -> None:
        """Let signatures and google-auth's own cache follow the operator's clock."""

        def naive(*_: Any, **__: Any) -> datetime:
            return datetime.fromtimestamp(self.now(), UTC).replace(tzinfo=None)

        self._patch.setattr(botocore.auth, "get_current_datetime", naive)
        self._patch.setattr(google.auth._helpers, "utcnow", naive)
        # Its pauses between attempts are short beside what happens here: let them take no time.
        no_time = SimpleNamespace(sleep=lambda seconds: None)
        self._patch.setattr(google.auth._exponential_backoff, "time", no_time)

    def _add_login(self, name: str, kind: Kind) -> None:
        source: dict[str, Any]
        if kind.source == "tokenExchange":
            source = {"tokenExchange": self._token_exchange(name, kind)}
        elif kind.repeats:
            repository = {
                "project": "acme-build",
                "location": "europe-west1",
                "repository": "python",
            }
            source = {"googleArtifactRegistry": {**repository, "auth": {"operatorIdentity": {}}}}
        elif kind.source == "azureArtifacts":
            source = {"azureArtifacts": self._azure_artifacts(name)}
        else:
            source = {"codeArtifact": self._code_artifact(name, kind)}
        labels = {"i": name}
        index = artifact_index(name, labels=labels, **source)
        self.emulator.create("artifactindexes", index, namespace=NAMESPACE)
        options = index_options(
            name, indexSelector={"matchLabels": labels}, maxBuildDuration=f"{kind.build}s"
        )
        self.emulator.create("indexoptions", options, namespace=NAMESPACE)

    def _azure_artifacts(self, name: str) -> dict[str, Any]:
        client = client_of(int(name.rpartition("-")[2]))
        self.entra.add_app(client, secrets={f"secret-of-{name}"})
        key = secret(f"{name}-key", {"secret": f"secret-of-{name}"})
        self.emulator.create("secrets", key, namespace=NAMESPACE)
        reference = {"name": f"{name}-key", "clientSecretKey": "secret"}
        auth = {"secretRef": {**reference, "tenantID": TENANT, "clientID": client}}
        return {"organization": "acme", "feed": name, "auth": auth}

    def _token_exchange(self, name: str, kind: Kind) -> dict[str, Any]:
        account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": name}}
        self.emulator.create("serviceaccounts", account, namespace=NAMESPACE)
        subject = f"system:serviceaccount:{NAMESPACE}:{name}"
        mapping = IdentityMapping(name, {"sub": subject}, expires_in=kind.life)
        self.exchange.add_mapping(name, mapping)
        return {
            "url": f"https://{name}.example/simple/",
            "exchange": {"jfrog": {"url": self.exchange.url, "provider": name}},
            "auth": {"serviceAccountRef": {"name": name}},
        }

    def _code_artifact(self, name: str, kind: Kind) -> dict[str, Any]:
        key = self.aws.add_access_key(f"arn:{name}")
        values = {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
        self.emulator.create("secrets", secret(f"{name}-key", values), namespace=NAMESPACE)
        return {
            "domain": name,
            "domainOwner": "111122223333",
            "region": "eu-west-1",
            "repository": "python",
            "tokenDuration": f"{kind.life}s",
            "auth": {"secretRef": {"name": f"{name}-key"}},
        }


class _Waited:
    """A port whose requests are real work: virtual time stands still meanwhile."""

    def __init__(self, port: KubePort, work: RealWork, cluster: SignedTokens) -> None:
        self._port = port
        self._work = work
        self._cluster = cluster

    async def request_token(
        self, namespace: str, service_account: str, *, audiences: Sequence[str], seconds: int
    ) -> str:
        """What the emulator does not do."""
        subject = f"system:serviceaccount:{namespace}:{service_account}"
        return self._cluster.token(audiences[0], subject, seconds)

    async def list(self, *arguments: Any, **options: Any) -> AsyncIterator[ListPage]:
        with self._work.one_more():
            pages = [page async for page in self._port.list(*arguments, **options)]
        for page in pages:
            yield page

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def waited(*arguments: Any, **options: Any) -> Any:
            with self._work.one_more():
                return await method(*arguments, **options)

        return waited
