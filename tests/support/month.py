"""A simulated month: the real broker and planner between a cloud, an API server and readers.

Three clocks: the loop's virtual time is the truth, by which the cloud lets tokens die; the
operator's clock is off by up to `e` and is set now and then; readers see an output up to P late.
"""

import asyncio
import base64
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from artifact_index import app
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.freshness import Margins
from artifact_index.credentials.grants import (
    CodeArtifactTokenRequest,
    GoogleTokenRequest,
    Grant,
    GrantRequest,
    Material,
)
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import Object
from artifact_index.kube.resources import Resource
from artifact_index.metrics.counters import Counters
from artifact_index.settings import Settings
from support.memory_port import MemoryPort
from support.reconcile_builders import merge_patched
from support.world import artifact_index, index_options

EPOCH = 1_700_000_000
NAMESPACE = "builders"
MARGINS = Margins()
# What a metadata server does: one token until five minutes before its end.
CACHED_UNTIL = 300
_TOKEN = re.compile(r"tok-\d+")


@dataclass(frozen=True)
class Kind:
    """Logins of one sort: life of their tokens and length of the builds, in seconds.

    `promised`: whether builds of this length can be promised; None: not before the source has
    shown itself to repeat its tokens.
    """

    life: int
    build: int
    promised: bool | None
    repeats: bool = False


@dataclass
class Trouble:
    """When clouds, operator and clock fail, in seconds of the truth."""

    outages: list[tuple[float, float]] = field(default_factory=list)
    throttles: list[tuple[float, float]] = field(default_factory=list)
    restarts: list[tuple[float, float]] = field(default_factory=list)
    steps: list[tuple[float, float]] = field(default_factory=list)


def trouble(rng: random.Random, seconds: float) -> Trouble:
    """One misfortune after the other, none longer than R, each with time to recover from it."""
    found, at = Trouble(), 600.0
    longest = MARGINS.outage - 15
    while (at := at + rng.uniform(1800, 4 * 3600)) < seconds - 3600:
        match rng.choice(("outage", "outage", "throttle", "restart", "step")):
            case "outage":
                found.outages.append((at, at := at + rng.uniform(0.5, 1) * longest))
            case "throttle":
                found.throttles.append((at, at := at + rng.uniform(30, 300)))
            case "restart":
                found.restarts.append((at, at := at + rng.uniform(5, 300)))
            case _:
                # The clock is always within half of e of the truth, and so are any two of them.
                found.steps.append((at, rng.uniform(-0.5, 0.5) * MARGINS.clock_skew))
    return found


def during(windows: list[tuple[float, float]], now: float) -> bool:
    """Whether `now` lies in one of them."""
    return any(start <= now < end for start, end in windows)


class Cloud:
    """Grants tokens by the truth's clock, unless it is down or throttles."""

    def __init__(self, kinds: dict[str, Kind], trouble: Trouble, rng: random.Random) -> None:
        self.expiries: dict[str, float] = {}
        self.mints = 0
        self.attempts = 0
        self._kinds = kinds
        self._trouble = trouble
        self._rng = rng
        self._cached: dict[str, tuple[str, float]] = {}

    async def grant(self, request: GrantRequest, material: Material, now: float) -> Grant:
        """`now` is the operator's clock, by which it notes when it asked."""
        self.attempts += 1
        await asyncio.sleep(self._rng.uniform(0.05, 0.6))
        truth = asyncio.get_running_loop().time()
        if during(self._trouble.outages, truth):
            raise LoginError("CloudUnavailable", "outage", permanent=False)
        if during(self._trouble.throttles, truth):
            wait = self._rng.uniform(1, 60)
            raise LoginError("CloudThrottled", "slow down", permanent=False, retry_after=wait)
        name = login_name(request)
        token, expires_at = self._token(name, truth)
        return Grant(SecretStr(token), int(now), int(EPOCH + expires_at))

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


def login_name(request: GrantRequest) -> str:
    """The name of the ArtifactIndex that a request stands for."""
    if isinstance(request, CodeArtifactTokenRequest):
        return request.domain
    assert isinstance(request, GoogleTokenRequest)
    assert request.impersonate is not None
    return request.impersonate.service_account.partition("@")[0]


class Readers:
    """Everybody who could read an output at any moment, by what was in it and when."""

    def __init__(self, kinds: dict[str, Kind], cloud: Cloud) -> None:
        self.least_slack = float("inf")
        self.broken: list[str] = []
        self.told: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
        self.seen: dict[str, tuple[str, float]] = {}
        self._kinds = kinds
        self._cloud = cloud

    def output(self, name: str, text: str, now: float) -> None:
        """An output was written; every reader of the former one begins by `now` + P."""
        found = _TOKEN.search(text)
        token = found[0] if found else ""
        former, written = self.seen.get(name, ("", now))
        if token != former:
            self.seen[name] = token, now
            if former:
                self._judge(name, former, written, replaced=now)

    def status(self, name: str, status: dict[str, Any], now: float) -> None:
        """A status was written: is the promise made?"""
        types = {one["type"] for one in status.get("conditions") or ()}
        made, told = "FreshnessNotGuaranteed" not in types, self.told[name]
        if not told or told[-1][1] is not made:
            told.append((now, made))

    def promised(self, name: str, now: float) -> bool:
        """What the status said at a time."""
        known = [made for at, made in self.told[name] if at <= now]
        return known[-1] if known else True

    def close(self, now: float) -> None:
        """The end: whoever reads now still has to be safe."""
        for name, (token, written) in self.seen.items():
            self._judge(name, token, written, replaced=now)

    def _judge(self, name: str, token: str, written: float, *, replaced: float) -> None:
        kind, expires_at = self._kinds[name], self._cloud.expiries[token]
        last_safe_read = expires_at - MARGINS.pod_start - kind.build
        slack = last_safe_read - (replaced + MARGINS.propagation)
        # Where the promise is withdrawn, that has to be told before the first reader in danger.
        told_by = max(last_safe_read, written + MARGINS.write)
        if slack >= 0 or not self.promised(name, told_by):
            if self.promised(name, replaced):
                self.least_slack = min(self.least_slack, slack)
            return
        self.broken.append(f"{name} ({kind}): {token} written {written:.0f}, slack {slack:.0f}")


class SlowPort(MemoryPort):
    """An API server that is slow now and then, and refuses now and then."""

    def __init__(self, readers: Readers, rng: random.Random) -> None:
        super().__init__()
        self._readers = readers
        self._rng = rng

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create, and show outputs to the readers."""
        await self._delay()
        created = await super().create(resource, namespace, body)
        self._show(resource, None, created)
        return created

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Object,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Patch, and show outputs and statuses to the readers."""
        await self._delay()
        key = (resource.plural, namespace, name)
        # As the port of single passes, but without its copies: nobody changes what he gets here.
        patched: Object = merge_patched(self.objects[key], body)
        if patched != self.objects[key]:
            self._version += 1
            patched["metadata"]["resourceVersion"] = str(self._version)
            self.objects[key] = patched
        self.writes["patch", resource.plural] += 1
        self._show(resource, subresource, patched)
        return patched

    async def _delay(self) -> None:
        chance = self._rng.random()
        if chance < 0.1:
            await asyncio.sleep(self._rng.uniform(0, 2))
        if chance > 0.995:
            raise ApiError(500, "InternalError", "now and then")

    def _show(self, resource: Resource, subresource: str | None, body: Object) -> None:
        now = asyncio.get_running_loop().time()
        name = body["metadata"]["name"]
        if resource.plural == "secrets":
            text = base64.b64decode(body["data"]["uv.toml"]).decode()
            self._readers.output(name, text, now)
        elif resource.plural == "indexoptions" and subresource == "status":
            self._readers.status(name, body["status"], now)


SETTINGS = Settings(namespaces=(NAMESPACE,), operator_namespace=NAMESPACE, resync_interval=86_400.0)


class Month:
    """The operator's own wiring on a fake clock; use `run`."""

    def __init__(
        self,
        kinds: dict[str, Kind],
        seconds: float,
        seed: int,
        patch: pytest.MonkeyPatch,
        settings: Settings = SETTINGS,
    ) -> None:
        self._settings = settings
        self._rng = random.Random(seed)
        self.trouble = trouble(self._rng, seconds)
        self.cloud = Cloud(kinds, self.trouble, self._rng)
        self.readers = Readers(kinds, self.cloud)
        self.port = SlowPort(self.readers, self._rng)
        self._seconds = seconds
        self._offset = 0.0
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
        patch.setattr(app, "time", SimpleNamespace(time=self.now))
        patch.setattr(app, "CloudPool", lambda *_, **__: SimpleNamespace(grant=self._grant))

    def now(self) -> float:
        """The operator's clock, in POSIX seconds."""
        return EPOCH + asyncio.get_running_loop().time() + self._offset

    async def run(self) -> None:
        """Live through it."""
        loop = asyncio.get_running_loop()
        steps = asyncio.create_task(self._step_clock())
        for down, up in [*self.trouble.restarts, (self._seconds, self._seconds)]:
            counters = Counters("1.0")
            operator = app.Operator(self._settings, self.port, b"key", counters)  # type: ignore[arg-type]
            await operator.resync.prime()
            running = [
                asyncio.create_task(operator.broker.run()),
                *(asyncio.create_task(operator.reconciler.work()) for _ in range(2)),
            ]
            for key in operator.store.all_keys():
                operator.queue.add(key, 0)
            await asyncio.sleep(down - loop.time())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await operator.broker.close()
            await asyncio.sleep(up - down)
        steps.cancel()
        self.readers.close(loop.time())

    async def _step_clock(self) -> None:
        loop = asyncio.get_running_loop()
        for at, offset in self.trouble.steps:
            await asyncio.sleep(at - loop.time())
            self._offset = offset

    async def _grant(self, request: GrantRequest, material: Material) -> Grant:
        return await self.cloud.grant(request, material, self.now())

    def _put(self, plural: str, body: dict[str, Any]) -> None:
        body["metadata"] |= {
            "namespace": NAMESPACE,
            "uid": f"{plural}-{body['metadata']['name']}",
            "generation": 1,
            "creationTimestamp": "2023-01-01T00:00:00Z",
        }
        self.port.put(plural, body)


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


class _Clockwork:
    """In the place of a selector: there is nothing to wait for but time, and that costs none."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        """Let the time pass."""
        if timeout is None:
            raise RuntimeError("everything waits, and for no time")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop without I/O, on which a month takes seconds. (looptime serves I/O as well, and
    takes ten times as long for each step.)
    """

    def __init__(self) -> None:
        super().__init__()
        self._clockwork = _Clockwork()
        self._real: Any = vars(self)["_selector"]
        self._selector: Any = self._clockwork

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._clockwork.now

    def close(self) -> None:
        """Close what the loop itself has opened."""
        self._selector = self._real
        super().close()


def live(month: Month) -> None:
    """Run it on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(month.run())


def summary(month: Month) -> str:
    """Least slack, mints and writes, as one line."""
    return (
        f"least slack {month.readers.least_slack:.0f} s, {month.cloud.mints} mints in "
        f"{month.cloud.attempts} attempts, {month.port.writes.total()} writes, "
        f"{len(month.trouble.outages)} outages, {len(month.trouble.throttles)} throttles, "
        f"{len(month.trouble.restarts)} restarts, {len(month.trouble.steps)} clock steps"
    )
