"""Namespaces in an API server in memory, and the product that serves cluster kinds in them."""

import asyncio
import base64
import itertools
import random
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.kube.errors import UNREACHABLE, ApiError
from artifact_index.kube.port import Object
from artifact_index.kube.resources import Resource
from artifact_index.reconcile.cache.env import Env
from artifact_index.settings import Settings
from artifact_index.wiring import Operator, build, policy_of
from support.engine import GAR
from support.memory_port import MemoryPort
from support.reconcile_builders import (
    DIGESTER,
    MARGINS,
    NOW,
    SECRETS,
    body_of,
    issued_token,
    secret_body,
)
from support.recording_meter import RecordingMeter

HOME: Final = "platform"
"""The namespace of the Secrets that cluster indexes name."""

BUILDS: Final = {"builds": "python"}
"""The label of the namespaces that ask for cluster indexes."""

INDEX: Final = {**GAR, "namespaces": {"selector": {"matchLabels": BUILDS}}}
OPTIONS: Final = {"namespaceSelector": {"matchLabels": BUILDS}}

SETTLED: Final = 20.0
"""Seconds of virtual time in which everything is done that a change causes."""

_uids = itertools.count(1)


class ClusterPort(MemoryPort):
    """An API server that knows namespaces: nothing is created in one that ends or is gone.

    `watchers` get each change, also those that the operator itself makes. `log` are its writes:
    verb, plural, namespace and name. Each write takes `latency` in seconds, and has happened half
    way through: a process that is killed then has not read the answer, and the answer that `loses`
    says is lost comes to nobody.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watchers: list[Operator] = []
        self.log: list[tuple[str, str, str, str]] = []
        self.latency: Callable[[], float] = lambda: 0.0
        self.loses: Callable[[], bool] = lambda: False

    def change(self, plural: str, body: Object, event: str = "MODIFIED") -> Object:
        """Store an object as somebody else's write, and tell the watchers."""
        body["metadata"].setdefault("namespace", "")
        body["metadata"]["uid"] = body["metadata"].get("uid") or f"uid-{next(_uids)}"
        self._tell(plural, event, stored := self.put(plural, body))
        return stored

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object as somebody else, and tell the watchers."""
        body = self.objects.pop((plural, namespace, name))
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self._tell(plural, "DELETED", body)

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create an object with a UID of its own, if its namespace takes any."""
        await asyncio.sleep(half := self.latency() / 2)
        home = self.find("namespaces", "", namespace)
        name = body["metadata"]["name"]
        if home is None and namespace != "default":
            raise ApiError(404, "NotFound", f'namespaces "{namespace}" not found')
        if home is not None and "deletionTimestamp" in home["metadata"]:
            why = f"unable to create new content in namespace {namespace} because it is being "
            raise ApiError(403, "Forbidden", f"{why}terminated")
        created = await super().create(resource, namespace, body)
        stored = self.objects[resource.plural, namespace, name]
        stored["metadata"]["uid"] = created["metadata"]["uid"] = f"uid-{next(_uids)}"
        self._tell(resource.plural, "ADDED", stored)
        self.log.append(("create", resource.plural, namespace, name))
        await self._answer(half)
        return created

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: Object, **how: Any
    ) -> Object:
        """As the base, with a line in the log."""
        await asyncio.sleep(half := self.latency() / 2)
        patched = await super().patch(resource, namespace, name, body, **how)
        plural = f"{resource.plural}/status" if how.get("subresource") else resource.plural
        self.log.append(("patch", plural, namespace, name))
        self._tell(resource.plural, "MODIFIED", patched)
        await self._answer(half)
        return patched

    async def delete(self, resource: Resource, namespace: str, name: str, **which: Any) -> None:
        """As the base, with a line in the log."""
        await asyncio.sleep(half := self.latency() / 2)
        body = self.objects.get((resource.plural, namespace, name))
        await super().delete(resource, namespace, name, **which)
        assert body is not None
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self._tell(resource.plural, "DELETED", body)
        self.log.append(("delete", resource.plural, namespace, name))
        await self._answer(half)

    async def _answer(self, after: float) -> None:
        await asyncio.sleep(after)
        if self.loses():
            raise ApiError(UNREACHABLE, "Timeout", "the API server cannot be reached: timeout")

    def _tell(self, plural: str, event: str, body: Object) -> None:
        role = (body["metadata"].get("labels") or {}).get(ROLE_LABEL)
        if plural == "events" or (plural in ("secrets", "configmaps") and role is None):
            return
        for operator in self.watchers:
            operator.feed.watched(plural, event, self._apart(body))


class ClusterWorld:
    """A cluster, and one process of the operator at a time. It is also the cloud.

    The wall clock goes with the event loop's. Keywords are settings.
    """

    def __init__(self, **settings: Any) -> None:
        self.port = ClusterPort()
        self.settings = Settings(
            cluster_kinds=True,
            cluster_resource_namespace=HOME,
            operator_namespace=HOME,
            operator_identity_namespaces=(HOME,),
            **settings,
        )
        self.mints = 0
        self.error: LoginError | None = None
        self.life = 12 * 3600
        self._tasks: list[asyncio.Task[None]] = []
        self.namespace(HOME)
        secret = secret_body(
            "gcp-key", SECRETS["gcp-key"], namespace=HOME, labels={ROLE_LABEL: "source"}
        )
        self.port.change("secrets", secret)

    @property
    def now(self) -> float:
        """The wall clock in POSIX seconds."""
        return NOW + asyncio.get_running_loop().time()

    async def start(self, *, wait: float = SETTLED) -> Operator:
        """Start a process that leads, and let it work for a while."""
        self.operator = await self.standby()
        await self.lead(wait=wait)
        return self.operator

    async def lead(self, *, wait: float = SETTLED) -> None:
        """Let the process lead that stands by."""
        parts = self.operator.lead(), self.operator.tokens.run()
        self._tasks = [asyncio.create_task(part) for part in parts]
        await asyncio.sleep(wait)

    async def standby(self) -> Operator:
        """A process that lists and watches, and writes nothing."""
        env = Env(
            margins=MARGINS,
            policy=policy_of(self.settings),
            digester=DIGESTER,
            clock=lambda: self.now,
            rng=random.Random(1),
            meter=RecordingMeter(),
        )
        operator = build(self.settings, self.port, self._issue, env)
        operator.controller.stand_by()
        await operator.prime()
        self.port.watchers.append(operator)
        return operator

    async def kill(self) -> None:
        """End the process wherever it is."""
        self.port.watchers.remove(self.operator)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.operator.close()

    async def retire(self) -> None:
        """End the process in the middle of whatever it does, and start another one at once."""
        await self.kill()
        await self.start(wait=0)

    async def restart(self) -> list[tuple[str, str, str, str]]:
        """Kill the process and start another one; returns what that one writes."""
        await self.kill()
        self.port.log.clear()
        await self.start()
        return self.port.log

    async def _issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        await asyncio.sleep(0.2)
        if self.error is not None:
            raise self.error
        self.mints += 1
        return issued_token(f"minted-{self.mints}", issued_at=int(self.now), life=self.life)

    # Objects

    def namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Create a namespace, or replace its labels."""
        old = self.port.find("namespaces", "", name)
        labels = {"kubernetes.io/metadata.name": name, **(labels or {})}
        metadata = {
            "name": name,
            "labels": labels,
            "uid": (old or {}).get("metadata", {}).get("uid"),
        }
        self.port.change("namespaces", {"metadata": metadata})

    def end_namespace(self, name: str) -> None:
        """Begin to delete a namespace: it is terminating."""
        body = self.port.find("namespaces", "", name)
        assert body is not None
        body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.port.change("namespaces", body)

    def drop_namespace(self, name: str) -> None:
        """Delete a namespace with all that is in it."""
        for plural, namespace, each in [*self.port.objects]:
            if namespace == name:
                self.port.remove(plural, namespace, each)
        self.port.remove("namespaces", "", name)

    def index(self, name: str = "gar", spec: Mapping[str, Any] = INDEX, **how: Any) -> None:
        """Create a ClusterArtifactIndex, or replace its spec and labels."""
        self._custom("clusterartifactindexes", "", name, spec, **how)

    def options(self, name: str = "uv-config", spec: Mapping[str, Any] = OPTIONS) -> None:
        """Create a ClusterIndexOptions, or replace its spec."""
        self._custom("clusterindexoptions", "", name, spec)

    def own(self, plural: str, namespace: str, name: str, spec: Mapping[str, Any]) -> None:
        """Create a namespaced object, or replace its spec."""
        self._custom(plural, namespace, name, spec)

    def secret(self, namespace: str, name: str, **metadata: Any) -> None:
        """Create a Secret of somebody else."""
        body = secret_body(name, {"theirs": "untouched"}, namespace=namespace, **metadata)
        self.port.change("secrets", body)

    def _custom(
        self, plural: str, namespace: str, name: str, spec: Mapping[str, Any], **how: Any
    ) -> None:
        old = self.port.find(plural, namespace, name)
        if old is not None:
            before = old["metadata"]
            how = {"status": old["status"], "uid": before["uid"], "labels": before["labels"], **how}
            how["generation"] = before["generation"] + 1
        else:
            how.setdefault("uid", f"uid-{next(_uids)}")
        self.port.change(plural, body_of(name, spec, namespace=namespace, **how))

    # Results

    def entries(self, namespace: str, name: str = "uv-config") -> dict[str, str] | None:
        """Names and URLs in the uv.toml of a Secret; None if there is no such file."""
        secret = self.port.find("secrets", namespace, name)
        if secret is None or "uv.toml" not in secret["data"]:
            return None
        tables = tomllib.loads(base64.b64decode(secret["data"]["uv.toml"]).decode())["index"]
        return {table["name"]: table["url"] for table in tables}

    def served(self, name: str = "uv-config") -> dict[str, str]:
        """The token of the index `gar` in each namespace that has a file."""
        found = {}
        for plural, namespace, each in self.port.objects:
            if plural == "secrets" and each == name and (entries := self.entries(namespace, name)):
                url = entries.get("gar", "")
                found[namespace] = url.partition(":")[2].partition("@")[0].rpartition(":")[2]
        return found

    def status(
        self, plural: str = "clusterindexoptions", name: str = "uv-config", namespace: str = ""
    ) -> dict[str, Any]:
        """The status of an object."""
        body = self.port.find(plural, namespace, name)
        return body["status"] if body is not None else {}

    def ready(self, *which: str) -> tuple[str, str]:
        """Status and reason of Ready; the arguments are those of `status`."""
        for condition in self.status(*which).get("conditions", ()):
            if condition["type"] == "Ready":
                return condition["status"], condition["reason"]
        return "", ""

    def message(self, *which: str) -> str:
        """The message of Ready; the arguments are those of `status`."""
        found = self.status(*which).get("conditions", ())
        return next((each["message"] for each in found if each["type"] == "Ready"), "")

    def writes(self) -> Counter[tuple[str, str]]:
        """How often each verb and plural was written since the log was cleared."""
        return Counter((verb, plural) for verb, plural, _, _ in self.port.log)


@asynccontextmanager
async def serving(*namespaces: str) -> AsyncIterator[ClusterWorld]:
    """A world with one index for these namespaces; its process ends with the block."""
    world = ClusterWorld()
    for name in namespaces:
        world.namespace(name, BUILDS)
    world.index()
    world.options()
    yield world
    await world.kill()
