"""The API server and the clouds of a simulated week, in memory; both report their requests."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.requests import (
    CodeArtifactEndpointRequest,
    CodeArtifactTokenRequest,
)
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.requests import GoogleTokenRequest
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.kube.port import ListPage, Object
from artifact_index.kube.resources import Resource
from artifact_index.reconcile.cache.feed import Feed
from bench.week.ledger import EVENTS, INDEXES, OPTIONS, OUTPUTS, Target
from support.memory_port import LeanPort
from support.misfortunes import EPOCH, during

_CLOUD_ANSWERS = 0.3
_SERVER_ANSWERS = 0.004
_WATCH_DELAY = 0.02
LISTINGS = "listings of a kind"
LISTED = "objects in listings"
BY_NAME = "objects read by name"

_COLUMNS = {"secrets": OUTPUTS, "indexoptions": OPTIONS, "artifactindexes": INDEXES}


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a cloud: for a token, or for the URL of a `repository`.

    `token` and its `expires_at` (POSIX seconds) are None for a URL and where the cloud refused.
    """

    login: str
    key: str
    repository: str | None = None
    token: str | None = None
    expires_at: int | None = None


class Clouds:
    """Issues tokens by the loop's clock, except in an outage; `report` gets each answer."""

    def __init__(self, lives: dict[str, int], report: Callable[[Asked], None]) -> None:
        self.outages: list[tuple[float, float]] = []
        self._lives = lives
        self._report = report
        self._granted = 0

    async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        """Answer after a moment."""
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(_CLOUD_ANSWERS)
        now = asyncio.get_running_loop().time()
        login, key = _asker(request, material)
        if during(self.outages, now):
            self._report(Asked(login, key, _repository(request)))
            raise LoginError(Reason.CLOUD_UNAVAILABLE, "the cloud does not answer")
        if isinstance(request, CodeArtifactEndpointRequest):
            self._report(Asked(login, key, request.repository))
            url = f"https://{login}.example/pypi/{request.repository}/"
            return Token(SecretStr(url), int(EPOCH + begun), None)
        self._granted += 1
        token, expires_at = (
            f"tok-{self._granted}-of-{login}.",
            int(EPOCH + now + self._lives[login]),
        )
        self._report(Asked(login, key, None, token, expires_at))
        return Token(SecretStr(token), int(EPOCH + begun), expires_at)


def _asker(request: TokenRequest, material: KeyMaterial) -> tuple[str, str]:
    """The name of the login, and the key that it showed."""
    if isinstance(request, CodeArtifactTokenRequest | CodeArtifactEndpointRequest):
        shown = material.get("access_key_id")
        return request.domain, shown.get_secret_value() if shown else ""
    assert isinstance(request, GoogleTokenRequest)
    if request.impersonate is not None:
        return request.impersonate.service_account.partition("@")[0], ""
    account = json.loads(material["key_json"].get_secret_value())
    return account["client_email"].partition("@")[0], account["private_key_id"]


def _repository(request: TokenRequest) -> str | None:
    return request.repository if isinstance(request, CodeArtifactEndpointRequest) else None


class Server(LeanPort):
    """Delivers changes to the watcher, and gives `report` each write with its content.

    `reads` counts listings of one kind, the objects in them, and objects that are read by name.
    """

    def __init__(self, report: Callable[[Target, Any], None]) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.watcher: Feed | None = None
        self._report = report

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        page: int | None = None,
    ) -> AsyncIterator[ListPage]:
        """List everything in one page, and count it."""
        self.reads[LISTINGS] += 1
        everything = super().list(resource, namespace=namespace, label_selector=label_selector)
        async for piece in everything:
            self.reads[LISTED] += len(piece.items)
            yield piece

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Read an object, and count it."""
        self.reads[BY_NAME] += 1
        return await super().get(resource, namespace, name)

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create an object, and report it."""
        await asyncio.sleep(_SERVER_ANSWERS)
        created = await super().create(resource, namespace, body)
        self._report_write(resource.plural, namespace, created)
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
        """Patch an object, and report it whether or not it had an effect."""
        await asyncio.sleep(_SERVER_ANSWERS)
        patched = await super().patch(resource, namespace, name, body, subresource=subresource)
        self._report_write(resource.plural, namespace, patched)
        return patched

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: int
    ) -> None:
        """Delete an object, which the operator has no cause for in this week, and report it."""
        await super().delete(resource, namespace, name, uid=uid, version=version)
        self._report((_COLUMNS[resource.plural], namespace, f"{name} (deleted)"), None)

    def change(self, plural: str, namespace: str, body: Object) -> int:
        """Somebody else's write of a new or a known object; returns its generation."""
        name = body["metadata"]["name"]
        known = self.find(plural, namespace, name)
        generation: int = known["metadata"]["generation"] + 1 if known else 1
        metadata = {
            **body["metadata"],
            "namespace": namespace,
            "uid": known["metadata"]["uid"] if known else f"{plural}-{namespace}-{name}",
            "generation": generation,
            "creationTimestamp": "2023-01-01T00:00:00Z",
        }
        status = {"status": known["status"]} if known and "status" in known else {}
        self.put(plural, {**body, **status, "metadata": metadata})
        return generation

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Somebody else's deletion."""
        gone = self.objects.pop((plural, namespace, name))
        self._version += 1
        metadata = {**gone["metadata"], "resourceVersion": str(self._version)}
        self._watch("DELETED", plural, {**gone, "metadata": metadata})

    def _store(self, key: Target, body: Object) -> Object:
        event = "MODIFIED" if key in self.objects else "ADDED"
        stored = super()._store(key, body)
        self._watch(event, key[0], stored)
        return stored

    def _watch(self, event: str, plural: str, body: Object) -> None:
        """Deliver a change as a watch does: a moment later, and Secrets only with our label."""
        if self.watcher is None or plural == "events":
            return
        if plural == "secrets" and "artifactindex.dev/role" not in body["metadata"].get(
            "labels", {}
        ):
            return
        asyncio.get_running_loop().call_later(_WATCH_DELAY, self._deliver, event, plural, body)

    def _deliver(self, event: str, plural: str, body: Object) -> None:
        if self.watcher is None:
            return
        self.watcher.watched(plural, event, body)

    def _report_write(self, plural: str, namespace: str, body: Object) -> None:
        if plural == "events":
            about = body["involvedObject"]
            self._report((EVENTS, namespace, f"{about['kind']}/{about['name']}"), body)
        elif plural == "secrets":
            text = base64.b64decode(body["data"]["uv.toml"]).decode()
            self._report((OUTPUTS, namespace, body["metadata"]["name"]), text)
        else:
            self._report((_COLUMNS[plural], namespace, body["metadata"]["name"]), body["status"])
