"""An operator, wired as the product is, over an API server in memory: one reconcile at a time."""

import asyncio
import base64
import random
import tomllib
from collections.abc import Callable
from typing import Any, Final

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import REFRESH_REQUESTED_ANNOTATION
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.aws.requests import CodeArtifactEndpointRequest
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.cache import Key, options_key
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import ObjectRef, parse_custom_object
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from artifact_index.settings import Settings
from artifact_index.sources.policy import Policy
from artifact_index.wiring import build
from support.memory_port import MemoryPort
from support.reconcile_builders import (
    DIGESTER,
    HOUR,
    MARGINS,
    NAMESPACE,
    NOW,
    SECRETS,
    body_of,
    issued_token,
    repository_url,
    secret_body,
    source,
)
from support.recording_meter import RecordingMeter

OPTIONS: Final = options_key(ObjectRef(NAMESPACE, "uv-config"))
STATUS: Final = Key("IndexOptionsStatus", OPTIONS.ref)
WITHDRAWAL: Final = 12 * HOUR - 155
"""Seconds from the issue of a token until it must be withdrawn."""

GAR: Final = {**source("googleArtifactRegistry"), "name": "gar"}

FORBIDDEN: Final = ApiError(403, "Forbidden", "not yours")
BROKEN: Final = ApiError(500, "InternalError", "try later")
Refuse = Callable[[str, str, str], bool]

_SETTINGS: Final = Settings(mint_patience=5, source_reread_interval=300, relist_interval=600)


class Engine:
    """One operator whose queue the test works off itself. It is also the cloud.

    `port` may be that of another engine: this one is then the process after a restart. Keywords
    change the policy. `time` is the operator's clock in POSIX seconds, `life` that of new tokens.
    """

    def __init__(self, port: MemoryPort | None = None, **policy: Any) -> None:
        self.port = port or MemoryPort()
        self.time = float(NOW)
        self.policy = Policy(
            **{
                "allow_http": False,
                "operator_identity": True,
                "missing_secret_grace": 300,
                **policy,
            }
        )
        self.error: LoginError | None = None
        self.latency: Callable[[TokenRequest], float] = lambda _: 0.0
        self.mints = 0
        self.life = 12 * HOUR
        self.meter = RecordingMeter()
        env = Env(
            margins=MARGINS,
            policy=lambda _: self.policy,
            digester=DIGESTER,
            clock=lambda: self.time,
            rng=random.Random(1),
            meter=self.meter,
        )
        operator = build(_SETTINGS, self.port, self.issue, env)
        self.operator, self.cache, self.controller = operator, operator.cache, operator.controller
        self.queue = self.controller.queue

    async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        """Issue a new token after the request's `latency` in seconds, or fail with `error`."""
        await asyncio.sleep(self.latency(request))
        if self.error is not None:
            raise self.error
        self.mints += 1
        if isinstance(request, CodeArtifactEndpointRequest):
            return repository_url()
        return issued_token(f"minted-{self.mints}", issued_at=int(self.time), life=self.life)

    # Objects

    def index(
        self,
        name: str,
        spec: dict[str, Any] | None = None,
        refresh_requested: float | None = None,
        **metadata: Any,
    ) -> None:
        """Create or replace an ArtifactIndex."""
        old = self.port.find("artifactindexes", NAMESPACE, name)
        if old is not None:
            metadata = {"generation": old["metadata"]["generation"] + 1, **metadata}
        body = body_of(name, spec or source("anonymous"), **metadata)
        if refresh_requested is not None:
            requested_at = format_time(refresh_requested)
            body["metadata"]["annotations"] = {REFRESH_REQUESTED_ANNOTATION: requested_at}
        body = self.port.put("artifactindexes", body)
        self.cache.put_index(parse_custom_object(ArtifactIndexSpec, body))

    def drop_index(self, name: str) -> None:
        """Delete an ArtifactIndex."""
        del self.port.objects["artifactindexes", NAMESPACE, name]
        self.cache.drop_index(ObjectRef(NAMESPACE, name))

    def options(
        self, spec: dict[str, Any] | None = None, *, name: str = "uv-config", **metadata: Any
    ) -> None:
        """Create an IndexOptions, or replace its spec."""
        old = self.port.find("indexoptions", NAMESPACE, name)
        if old is not None:
            generation = old["metadata"]["generation"] + 1
            metadata = {"status": old["status"], "generation": generation, **metadata}
        body = self.port.put("indexoptions", body_of(name, spec or {}, **metadata))
        self.cache.put_options(parse_custom_object(IndexOptionsSpec, body))

    def secret(self, name: str) -> None:
        """Create a labelled source Secret with its usual values."""
        body = secret_body(name, SECRETS[name], labels={"artifactindex.dev/role": "source"})
        ref = ObjectRef(NAMESPACE, name)
        body = self.port.put("secrets", body)
        self.cache.put_source(ref, parse_source_secret(body, self.cache.named_keys(ref)))

    def record_writes(self) -> list[tuple[str, str]]:
        """The list to which each write from now on is appended as plural and name."""
        writes: list[tuple[str, str]] = []

        def note(verb: str, plural: str, name: str) -> None:
            if verb not in ("get", "list"):
                writes.append((plural, name))

        self.port.refuse = note
        return writes

    def refuse(self, error: ApiError, when: Refuse) -> None:
        """Let the API server refuse requests (verb, plural, name) from now on."""
        self.port.refuse = lambda *request: error if when(*request) else None

    # Reconciles

    async def settle(self, *keys: Key) -> None:
        """Reconcile these keys, and everything that becomes ready because of them."""
        for key in keys or (OPTIONS,):
            self.queue.add_after(key, 0)
        while not self.queue.idle or await self.operator.clouds_settled():
            if self.queue.idle:
                continue
            key = await self.queue.get()
            await self.controller.reconcile(key)
            self.queue.done(key)

    def due_in(self, key: Key = OPTIONS) -> float:
        """Seconds until the next reconcile that is scheduled for the key."""
        return self.queue._due[key] - asyncio.get_running_loop().time()

    # Results

    def status(self, plural: str = "indexoptions", name: str = "uv-config") -> dict[str, Any]:
        """The status of an object, {} if there is none."""
        body = self.port.find(plural, NAMESPACE, name)
        return body["status"] if body else {}

    def ready(self, plural: str = "indexoptions", name: str = "uv-config") -> tuple[str, str, str]:
        """Status, reason and message of Ready."""
        for condition in self.status(plural, name).get("conditions", ()):
            if condition["type"] == "Ready":
                return condition["status"], condition["reason"], condition["message"]
        return "", "", ""

    def conditions(self) -> set[str]:
        """The types of conditions of the IndexOptions."""
        return {condition["type"] for condition in self.status()["conditions"]}

    def entries(self, name: str = "uv-config") -> dict[str, str]:
        """Names and URLs in the uv.toml of a Secret."""
        secret = self.port.find("secrets", NAMESPACE, name)
        if secret is None:
            return {}
        tables = tomllib.loads(base64.b64decode(secret["data"]["uv.toml"]).decode())["index"]
        return {table["name"]: table["url"] for table in tables}

    def output_names(self) -> set[str]:
        """The names of all outputs."""
        return {
            name
            for (plural, _, name), body in self.port.objects.items()
            if plural in ("secrets", "configmaps")
            and body["metadata"]["labels"].get("artifactindex.dev/role") == "output"
        }


async def publish_token(
    engine: Engine, spec: dict[str, Any] | None = None, *, ready: bool = True
) -> None:
    """Publish one index with a token in an output: `uv-config`, or `s` of the given spec.

    Others that are there may not be `ready`.
    """
    engine.secret("gcp-key")
    engine.index("gar", GAR)
    engine.options(spec)
    await engine.settle()
    assert not ready or engine.ready()[:2] == ("True", "Available")
    assert "minted-1" in engine.entries("uv-config" if spec is None else "s")["gar"]
