"""Who reads the outputs of a simulated operator, and the API server that they read from."""

import asyncio
import base64
import random
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from urllib.parse import unquote

from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort, ListPage, Object
from artifact_index.kube.resources import Resource
from support.misfortunes import MARGINS, Kind

_LOGIN = re.compile(r"://[^:/@]+:([^@]+)@")


class Readers:
    """Everybody who could read an output at any moment, by what was in it and when.

    `expiry_of` is when a token dies, in seconds of the truth.
    """

    def __init__(self, kinds: dict[str, Kind], expiry_of: Callable[[str], float]) -> None:
        self.least_slack = float("inf")
        self.broken: list[str] = []
        self.reported: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
        self.seen: dict[str, tuple[str, float]] = {}
        self._kinds = kinds
        self._expiry_of = expiry_of

    def output(self, name: str, text: str, now: float) -> None:
        """An output was written; every reader of the former one begins by `now` + P."""
        found = _LOGIN.search(text)
        token = unquote(found[1]) if found else ""
        former, written = self.seen.get(name, ("", now))
        if token != former:
            self.seen[name] = token, now
            if former:
                self._judge(name, former, written, replaced=now)

    def status(self, name: str, status: dict[str, Any], now: float) -> None:
        """A status was written: is the promise made?"""
        types = {item["type"] for item in status.get("conditions") or ()}
        made, reported = "FreshnessNotGuaranteed" not in types, self.reported[name]
        if not reported or reported[-1][1] is not made:
            reported.append((now, made))

    def promised(self, name: str, now: float) -> bool:
        """What the status said at a time."""
        known = [made for at, made in self.reported[name] if at <= now]
        return known[-1] if known else True

    def close(self, now: float) -> None:
        """The end: whoever reads now still has to be safe."""
        for name, (token, written) in self.seen.items():
            self._judge(name, token, written, replaced=now)

    def _judge(self, name: str, token: str, written: float, *, replaced: float) -> None:
        kind, expires_at = self._kinds[name], self._expiry_of(token)
        last_safe_read = expires_at - MARGINS.pod_start - kind.build
        slack = last_safe_read - (replaced + MARGINS.propagation)
        # Where the promise is withdrawn, that has to be told before the first reader in danger.
        told_by = max(last_safe_read, written + MARGINS.write)
        if slack >= 0 or not self.promised(name, told_by):
            if self.promised(name, replaced):
                self.least_slack = min(self.least_slack, slack)
            return
        self.broken.append(
            f"{name} ({kind}): {token[:20]} written {written:.0f}, slack {slack:.0f}"
        )


class SlowPort:
    """An API server that is slow now and then, refuses now and then, and is read by readers."""

    def __init__(self, port: KubePort, readers: Readers, rng: random.Random) -> None:
        self.writes: Counter[tuple[str, str]] = Counter()
        self.page_sizes = port.page_sizes
        self._port = port
        self._readers = readers
        self._rng = rng

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        page: int | None = None,
    ) -> AsyncIterator[ListPage]:
        """At once."""
        return self._port.list(
            resource, namespace=namespace, label_selector=label_selector, page=page
        )

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """At once."""
        return await self._port.get(resource, namespace, name)

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create, and show outputs to the readers."""
        await self._delay()
        created = await self._port.create(resource, namespace, body)
        self._show("create", resource, None, created)
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
        patched = await self._port.patch(resource, namespace, name, body, subresource=subresource)
        self._show("patch", resource, subresource, patched)
        return patched

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: int
    ) -> None:
        """Delete."""
        await self._delay()
        await self._port.delete(resource, namespace, name, uid=uid, version=version)

    async def request_token(
        self, namespace: str, service_account: str, *, audiences: Sequence[str], seconds: int
    ) -> str:
        """At once."""
        return await self._port.request_token(
            namespace, service_account, audiences=audiences, seconds=seconds
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._port.close()

    async def _delay(self) -> None:
        chance = self._rng.random()
        if chance < 0.1:
            await asyncio.sleep(self._rng.uniform(0, 2))
        if chance > 0.995:
            raise ApiError(500, "InternalError", "now and then")

    def _show(self, verb: str, resource: Resource, subresource: str | None, body: Object) -> None:
        self.writes[verb, resource.plural] += 1
        now = asyncio.get_running_loop().time()
        name = body["metadata"]["name"]
        if resource.plural == "secrets":
            text = base64.b64decode(body["data"]["uv.toml"]).decode()
            self._readers.output(name, text, now)
        elif resource.plural == "indexoptions" and subresource == "status":
            self._readers.status(name, body["status"], now)
