"""Nothing is kept of objects that are gone: namespaces of short life, one after the other."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from artifact_index.api.constants import ROLE_LABEL, ROLE_SOURCE
from artifact_index.credentials.aws.requests import CodeArtifactEndpointRequest
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.reconcile.apply import planning
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.resolve import resolver
from artifact_index.settings import Settings
from artifact_index.wiring import Operator, env_of
from support.held_memory import container_sizes, living_objects, unbounded_caches
from support.memory_port import MemoryPort
from support.operating import operating
from support.reconcile_builders import (
    HOUR,
    NOW,
    SECRETS,
    body_of,
    issued_token,
    login_error,
    repository_url,
    secret_body,
    source,
)
from support.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit

SETTINGS = Settings(relist_interval=600)
FAILING = "failing"
QUIET = 3 * HOUR
"""Seconds after which everything has been forgotten that is remembered for a while."""


class Cluster:
    """Namespaces that come and go before a running operator."""

    def __init__(self) -> None:
        self.port = MemoryPort()
        self.operator: Operator | None = None
        self.served = 0

    async def issue(self, request: TokenRequest, _: KeyMaterial) -> Token:
        await asyncio.sleep(0.01)
        if getattr(request, "domain", None) == FAILING:
            raise login_error()
        if isinstance(request, CodeArtifactEndpointRequest):
            return repository_url()
        return issued_token(issued_at=int(self.now()), life=HOUR)

    def now(self) -> float:
        return NOW + asyncio.get_running_loop().time()

    @asynccontextmanager
    async def operating(self) -> AsyncIterator[Operator]:
        env = env_of(SETTINGS, Digester(b"key"), clock=self.now, rng=random.Random(1))
        async with operating(SETTINGS, self.port, self.issue, env) as operator:
            self.operator = operator
            readers = [
                asyncio.create_task(operator.sources.run()),
                asyncio.create_task(operator.relister.run(5)),
            ]
            yield operator
            for task in readers:
                task.cancel()

    def show(self, event: str, plural: str, body: dict[str, Any]) -> None:
        assert self.operator is not None
        self.operator.feed.watched(plural, event, body)

    async def one_namespace(self, number: int) -> None:
        """A namespace with a login, its URL and a password is made, served and deleted.

        In one of three the login fails, in another its Secret is missing.
        """
        namespace = f"pr-{number}"
        domain = FAILING if number % 3 == 1 else f"d{number}"
        key = "no-such-key" if number % 3 == 2 else "aws-key"
        auth = {"secretRef": {"name": key}}
        aws = source("codeArtifact", domain=domain, region=f"eu-west-{number % 2}", auth=auth)
        made = [
            ("secrets", secret_body("aws-key", SECRETS["aws-key"], namespace=namespace,
                                    uid=f"aws-{number}", labels={ROLE_LABEL: ROLE_SOURCE})),
            # Without our label: read by name.
            ("secrets", secret_body("basic", SECRETS["basic"], namespace=namespace)),
            ("artifactindexes", body_of("a", aws, namespace=namespace, uid=f"a-{number}")),
            ("artifactindexes", body_of("b", source("basicAuth"), namespace=namespace,
                                        uid=f"b-{number}")),
            ("indexoptions", body_of("uv-config", {}, namespace=namespace, uid=f"o-{number}")),
        ]  # fmt: skip
        for plural, body in made:
            self.show("ADDED", plural, self.port.put(plural, body))
        await asyncio.sleep(10)
        self.served += self.port.find("secrets", namespace, "uv-config") is not None
        for plural, where, name in [key for key in self.port.objects if key[1] == namespace]:
            body = self.port.objects.pop((plural, where, name))
            self.port._version += 1
            body["metadata"]["resourceVersion"] = str(self.port._version)
            if plural != "events":
                self.show("DELETED", plural, body)
        await asyncio.sleep(10)

    async def namespaces(self, first: int, end: int) -> None:
        """Namespaces one after the other, and a last one by which all others are forgotten."""
        for number in range(first, end - 1):
            await self.one_namespace(number)
        await asyncio.sleep(QUIET)
        await self.one_namespace(end - 1)
        await asyncio.sleep(QUIET)


def test_after_many_namespaces_as_much_is_held_as_after_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The memos forget the oldest: few namespaces fill these.
    monkeypatch.setattr(resolver, "STATES", 8)
    monkeypatch.setattr(planning, "PLANS", 8)

    async def live() -> None:
        cluster = Cluster()
        async with cluster.operating() as operator:
            held: list[tuple[Counter[str], Counter[str]]] = []
            for first, end in ((0, 12), (12, 111)):
                await cluster.namespaces(first, end)
                held.append((container_sizes(operator), living_objects()))
            assert unbounded_caches() == []
        assert cluster.served == 111
        (few, few_living), (many, many_living) = held
        assert many == few
        # One of three namespaces leaves something behind, or none does.
        assert {kind for kind, more in (many_living - few_living).items() if more > 10} == set()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())
