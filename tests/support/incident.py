"""A simulated operator to which something happens, and what Prometheus scrapes of it meanwhile."""

import asyncio
import base64
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from functools import partial
from typing import Any, Final

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.api.reasons import Reason
from artifact_index.app import snapshot_of
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.health import Health, LoopLag
from artifact_index.kube.errors import ApiError
from artifact_index.kube.server_check import ServerCheck
from artifact_index.metrics.counters import Counters
from artifact_index.metrics.live import Snapshot, live_metrics
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.wiring import Operator, env_of
from support.misfortunes import EPOCH, Kind, Trouble
from support.month import Cloud, Month
from support.operating import operating
from support.readers import SlowPort
from support.simulation import NAMESPACE, SETTINGS

OPERATOR: Final = "artifact-index-system"
"""The operator's namespace, as Prometheus knows it of the target."""

_STANDBY: Final = partial(
    Snapshot, leads=False, indexes=[], options=[], outputs=[], logins=[],
    secret_names={}, queue_depth=0, queue_age=0, by_object=True,
)  # fmt: skip
"""What a standby tells at a time."""

SECRET: Final = "aws-key"
_TARGET: Final = {"namespace": OPERATOR, "job": f"{OPERATOR}/artifact-index-operator"}


class Scrapes:
    """Series as promtool wants them; times are seconds since the beginning of the simulation."""

    def __init__(self, names: Collection[str], step: float) -> None:
        self.step = step
        self._names = names
        self._series: dict[str, list[str]] = {}
        """A value for each scrape until the series ended; empty where the one before says so."""
        self._seen: set[str] = set()
        """Series that the last scrape had."""
        self._count = 0

    def take(self, families: Any, pod: str) -> None:
        """The answer of this pod."""
        target = {**_TARGET, "pod": pod}
        for family in families:
            for sample in family.samples:
                if sample.name in self._names:
                    # The object's own namespace stays: honorLabels.
                    labels = {**target, **sample.labels}
                    text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
                    value = sample.value
                    if "timestamp" in sample.name:
                        value -= EPOCH
                    self._put(f"{sample.name}{{{text}}}", f"{value:.10g}")

    def end(self) -> None:
        """All pods that answer have been scraped: series that were not seen end."""
        self._count += 1
        for key in [key for key in self._seen if len(self._series[key]) < self._count]:
            self._series[key].append("stale")
            self._seen.remove(key)

    def input_series(self) -> list[dict[str, str]]:
        """The content of a test file's `input_series`."""
        return [
            {"series": key, "values": " ".join(filter(None, each))}
            for key, each in self._series.items()
        ]

    def _put(self, key: str, value: str) -> None:
        values = self._series.setdefault(key, [])
        if missed := self._count - len(values):
            # One item for so many: of a hundred pods in a week each has most of its series missing.
            values += [f"_x{missed}", *[""] * (missed - 1)]
        values.append(value)
        self._seen.add(key)


class Incident(Month):
    """One operator with some logins; a test lets something happen while it runs.

    `stopped` is when a build with the first login's file first failed, in seconds and at most a
    scrape late: the entry was blocked, or its token had expired.
    """

    def __init__(self, kinds: dict[str, Kind], names: Collection[str], step: float) -> None:
        super().__init__(kinds, 0, seed=4)
        self.trouble = Trouble()
        self.cloud = Cloud(kinds, self.trouble, self.rng)
        self.scrapes = Scrapes(names, step)
        self._names = names
        self.stopped: float | None = None
        self.refused: Reason | None = None
        self.serving = True
        """Whether the API server serves the operator."""
        self.answering = True
        """Whether the operator answers scrapes."""
        self.stuck = False
        """Whether the operator is not ready, although the API server serves it."""
        self.standbys = ["standby"]
        """Pods that stand by."""
        self.rivals: list[str] = []
        """Pods that lead as well."""
        self.pod = ""
        self._pods = 0
        self._standing_by = Counters("1")
        self.operator: Operator | None = None
        self._memory.refuse = lambda verb, plural, name: self.refusal()
        self.put_key("first")
        for name, kind in kinds.items():
            if not kind.repeats:
                spec = self._memory.objects["artifactindexes", NAMESPACE, name]["spec"]
                spec["codeArtifact"]["auth"] = {"secretRef": {"name": SECRET}}

    async def scraped(self, events: Callable[["Incident"], Awaitable[None]]) -> None:
        """Let the events happen, which run processes, and scrape until they end."""
        scraping = asyncio.create_task(self._scrape())
        try:
            await events(self)
        finally:
            scraping.cancel()

    @contextlib.asynccontextmanager
    async def process(self, workers: int = 2, pod: str | None = None) -> AsyncIterator[None]:
        """One process of the operator, the leader; scrapes find it, in a new pod unless named."""
        counters = Counters("1")
        settings = dataclasses.replace(SETTINGS, workers=workers)
        env = env_of(settings, Digester(b"key"), clock=self.now, rng=self.jitter, meter=counters)
        port = _Guarded(await self.port(), self)
        async with operating(settings, port, self.issue, env) as operator:
            check = ServerCheck(port, NAMESPACE, lambda: 0)
            checking = asyncio.create_task(check.run())
            self._health = Health(LoopLag(), operator.relister.age, 1e9, lambda: check.problem)
            self._settings, self._counters, self._pods = settings, counters, self._pods + 1
            self.pod = pod or f"operator-{self._pods}"
            self.operator = operator
            try:
                yield
            finally:
                self.operator = None
                checking.cancel()

    def put_key(self, key: str) -> None:
        """Somebody puts another access key into the Secret."""
        text = base64.b64encode(key.encode()).decode()
        body = {
            "metadata": {
                "name": SECRET, "namespace": NAMESPACE, "uid": "uid-key",
                "labels": {ROLE_LABEL: "source"},
                "creationTimestamp": "2023-01-01T00:00:00Z",
            },
            "data": {"AWS_ACCESS_KEY_ID": text, "AWS_SECRET_ACCESS_KEY": text},
        }  # fmt: skip
        stored = self._memory.put("secrets", body)
        if self.operator is not None:
            self.operator.feed.watched("secrets", "MODIFIED", stored)

    def change(self, plural: str, name: str, **spec: Any) -> None:
        """Somebody changes the spec of an object."""
        body = self._memory.objects[plural, NAMESPACE, name]
        metadata = {**body["metadata"], "generation": body["metadata"]["generation"] + 1}
        changed = {**body, "metadata": metadata, "spec": {**body["spec"], **spec}}
        assert self.operator is not None
        self.operator.feed.watched(plural, "MODIFIED", self._memory.put(plural, changed))

    def delete_key(self) -> None:
        """Somebody deletes the Secret."""
        body = self._memory.objects.pop(("secrets", NAMESPACE, SECRET))
        assert self.operator is not None
        self.operator.feed.watched("secrets", "DELETED", body)

    def set_clock(self, offset: float) -> None:
        """Set the operator's clock to so many seconds after the true one."""
        self._offset = offset

    def lag(self, seconds: float) -> None:
        """Every second of a scrape the event loop runs a timer late."""
        for _ in range(10):
            self._counters.loop_lag(seconds)

    def renew(self, code: int) -> None:
        """A renewal of the Lease, and the API server's answer."""
        self._counters.api_request(
            verb="update", resource="leases", subresource="", code=code, seconds=0.01
        )

    async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        """The cloud's answer."""
        if (reason := self.refused) is not None:
            await asyncio.sleep(0.3)
            raise LoginError(reason, "the cloud says no")
        return await super().issue(request, material)

    async def _scrape(self) -> None:
        while True:
            if self.answering:
                for pod in (self.pod, *self.rivals) if self.operator is not None else ():
                    self.scrapes.take(self._families(self._snapshot()), pod)
                for pod in self.standbys:
                    standby = _STANDBY(now=self.now(), ready=self.serving)
                    self.scrapes.take(self._families(standby), pod)
            self.scrapes.end()
            self._look()
            await asyncio.sleep(self.scrapes.step)

    def _snapshot(self) -> Snapshot:
        assert self.operator is not None
        ready = not self.stuck and self._health.unready() is None
        return snapshot_of(self.operator, self._settings, ready=ready, now=self.now(), leads=True)

    def _families(self, snapshot: Snapshot) -> list[Any]:
        counted = self._counters if snapshot.leads else self._standing_by
        registry = counted.registry.restricted_registry(self._names)
        return [*live_metrics(snapshot), *registry.collect()]

    def _look(self) -> None:
        """Whether a build could use the file now."""
        token, _ = self.readers.seen.get(next(iter(self.kinds)), (None, 0))
        if token is None or self.stopped is not None:
            return
        if not token or self.cloud.expiries[token] <= self.truth():
            self.stopped = self.truth()

    def refusal(self) -> ApiError | None:
        return None if self.serving else ApiError(401, "Unauthorized", "Unauthorized")


class _Guarded(SlowPort):
    """A port that lists nothing either while the API server does not serve the operator."""

    def __init__(self, port: SlowPort, incident: Incident) -> None:
        self.__dict__.update(vars(port))
        self._incident = incident

    def list(self, *arguments: Any, **options: Any) -> Any:
        if (error := self._incident.refusal()) is not None:
            raise error
        return super().list(*arguments, **options)
