"""Two namespaces that share the operator's identity, and one asks for refreshes all the time."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from pydantic import SecretStr

from artifact_index.api.constants import REFRESH_REQUESTED_ANNOTATION
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.settings import Settings
from artifact_index.wiring import Operator, env_of
from support.memory_port import MemoryPort
from support.operating import operating
from support.reconcile_builders import body_of, source
from support.virtual_time import VirtualLoop

pytestmark = pytest.mark.unit

EPOCH = 1_767_300_000
HOUR = 3600
FILES = 5
ASKS, OTHER = "asks", "other"
SETTINGS = Settings(
    operator_namespace="system", operator_identity_namespaces=(ASKS, OTHER), workers=2
)


class Scene:
    """A whole operator, and how often the Secrets of each namespace were written."""

    def __init__(self) -> None:
        self.port = MemoryPort()
        self.mints = 0
        self.written: Counter[str] = Counter()
        for namespace in (ASKS, OTHER):
            index = body_of("gar", _gar(), uid=f"{namespace}-gar", namespace=namespace)
            self.port.put("artifactindexes", index)
            for number in range(FILES):
                self.port.put("indexoptions", _options(namespace, number))

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        self.mints += 1
        token = SecretStr(f"token-{self.mints}")
        await asyncio.sleep(0.3)
        return Token(token, int(self.now()), int(self.now()) + HOUR)

    def operating(self) -> Any:
        env = env_of(SETTINGS, Digester(b"key"), clock=self.now, rng=random.Random(1))
        return operating(SETTINGS, self.port, self.issue, env)

    def request(self, operator: Operator) -> None:
        """Somebody annotates an IndexOptions of the one namespace."""
        body = self.port.find("indexoptions", ASKS, "file-0")
        assert body is not None
        annotations = {REFRESH_REQUESTED_ANNOTATION: format_time(self.now())}
        body = {**body, "metadata": {**body["metadata"], "annotations": annotations}}
        operator.feed.watched("indexoptions", "MODIFIED", self.port.put("indexoptions", body))

    def versions(self) -> dict[tuple[str, str], str]:
        return {
            (namespace, name): body["metadata"]["resourceVersion"]
            for (plural, namespace, name), body in self.port.objects.items()
            if plural == "secrets"
        }


def _gar() -> dict[str, Any]:
    repository = source("googleArtifactRegistry")["googleArtifactRegistry"]
    identity: dict[str, Any] = {"operatorIdentity": {}}
    return {"googleArtifactRegistry": {**repository, "auth": identity}}


def _options(namespace: str, number: int) -> dict[str, Any]:
    name = f"file-{number}"
    spec = {"maxBuildDuration": "10m"}
    return body_of(name, spec, uid=f"{namespace}-{name}", namespace=namespace)


def changed(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> set[str]:
    """The namespaces in which a Secret was written."""
    return {
        namespace for (namespace, name), seen in after.items() if before[namespace, name] != seen
    }


async def live() -> None:
    scene = Scene()
    async with scene.operating() as operator:
        await asyncio.sleep(10)
        first = scene.versions()
        assert len(first) == 2 * FILES and scene.mints == 1
        for minute in range(1, 11):
            scene.request(operator)
            await asyncio.sleep(61)
            assert scene.mints == 1 + minute
            assert changed(first, scene.versions()) == {ASKS}
    # A restart finds two tokens of one login, and leaves each where it is.
    before, writes = scene.versions(), scene.port.writes.total()
    async with scene.operating():
        await asyncio.sleep(60)
        assert scene.versions() == before
        assert (scene.mints, scene.port.writes.total()) == (11, writes)
        # The other namespace's token is due: its files get the latest one, without a mint.
        await asyncio.sleep(1500)
        assert changed(before, scene.versions()) == {OTHER}
        assert scene.mints == 11


def test_one_namespaces_requests_write_no_file_of_another_nor_does_a_restart_after_them() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())
