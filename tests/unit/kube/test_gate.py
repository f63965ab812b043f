"""No attempt at a write, and no call to a cloud, begins while the gate is closed."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import TokenRequest
from artifact_index.credentials.threads import CloudThreads
from artifact_index.gate import Gate, boot_time
from artifact_index.kube.client import KubeApi
from artifact_index.kube.errors import ApiError, NotLeading
from artifact_index.kube.resources import SECRETS

pytestmark = pytest.mark.unit

Handler = Callable[[web.Request], Awaitable[web.Response]]
SECRET = {"metadata": {"name": "s", "uid": "u", "resourceVersion": "1"}}


class Server:
    """Counts requests, and answers them as the test says."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.answer: Handler = self.good

    async def good(self, _: web.Request) -> web.Response:
        return web.json_response(SECRET)

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append(request.method)
        return await self.answer(request)


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def api(server: Server) -> AsyncIterator[KubeApi]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    opened = KubeApi(configuration, rand=lambda: 0.0)
    yield opened
    await opened.close()
    await runner.cleanup()


WRITES: dict[str, Callable[[KubeApi], Awaitable[Any]]] = {
    "create": lambda api: api.create(SECRETS, "n", {"metadata": {"name": "s"}}),
    "patch": lambda api: api.patch(SECRETS, "n", "s", {"data": {"a": "x"}}),
    "large": lambda api: api.patch(SECRETS, "n", "s", {"data": {"a": "x" * 100_000}}),
    "delete": lambda api: api.delete(SECRETS, "n", "s", uid="u", version=1),
    "token": lambda api: api.request_token("n", "s", audiences=["a"], seconds=600),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_is_not_sent_while_the_gate_is_closed(
    api: KubeApi, server: Server, write: Callable[[KubeApi], Awaitable[Any]]
) -> None:
    api.gate.close()
    with pytest.raises(NotLeading):
        await write(api)
    assert server.seen == []
    await api.get(SECRETS, "n", "s")
    assert server.seen == ["GET"]


async def test_the_second_attempt_passes_the_gate_as_the_first_one(
    api: KubeApi, server: Server
) -> None:
    async def busy(_: web.Request) -> web.Response:
        api.gate.close()
        return web.Response(status=429, headers={"Retry-After": "0"})

    server.answer = busy
    with pytest.raises(NotLeading):
        await WRITES["patch"](api)
    assert server.seen == ["PATCH"]


async def test_a_write_ends_before_another_one_may_lead(api: KubeApi, server: Server) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    server.answer = hang
    api.gate.closes_at, api.gate.grace = boot_time() + 0.2, 0.1
    begun = time.monotonic()
    with pytest.raises(ApiError, match="cannot be reached"):
        await WRITES["patch"](api)
    assert time.monotonic() - begun < 10


def test_a_gate_that_nobody_closes_is_open_for_ever() -> None:
    gate = Gate()
    assert gate.open and gate.left() == math.inf
    gate.closes_at = boot_time() + 100
    assert gate.open and 90 < gate.left() <= 100
    gate.close()
    assert not gate.open


async def test_a_call_to_a_cloud_that_waited_for_its_turn_passes_the_gate_then() -> None:
    gate, calls = Gate(), []
    threads = CloudThreads(lambda *_: calls.append(1), gate=gate)  # type: ignore[arg-type]
    gate.close()
    request = cast(TokenRequest, SimpleNamespace(service="sts"))
    with pytest.raises(LoginError, match="leads now"):
        await threads.issue(request, {})
    assert calls == []
