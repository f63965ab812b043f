"""What a request carries, and what its session does not look at."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientTimeout, web
from kubernetes.aio.client.configuration import Configuration

from artifact_index.kube.port import Object
from artifact_index.kube.session import Session

pytestmark = pytest.mark.unit

BODIES = [
    {"data": {"uv.toml": "dG9rZW4="}},
    {"note": 'é \N{SNOWMAN} "quoted" \\ \x00 \x7f'},
    {"half of a pair": "\ud800"},
    {"nested": [{"a": None, "b": True}, 1, 1.5]},
]


async def received(body: Object) -> tuple[str, bytes]:
    """The path and the body that a server gets for a PATCH."""
    got: asyncio.Future[tuple[str, bytes]] = asyncio.get_running_loop().create_future()

    async def answer(request: web.Request) -> web.Response:
        got.set_result((request.raw_path, await request.read()))
        return web.json_response({}, headers={"Set-Cookie": "a=b"})

    runner = web.AppRunner(web.Application())
    runner.app.router.add_route("*", "/{path:.*}", answer)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    session = Session(configuration, connections=1, timeout=ClientTimeout(total=5))
    try:
        answered = await session.send("PATCH", "/a%2Fb?c=d%20e", headers={}, body=body)
        assert await answered.json() == {}
        return await got
    finally:
        await session.close()
        await runner.cleanup()


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_a_body_arrives_as_it_is_and_the_path_as_it_was_encoded(
    body: Object,
) -> None:
    path, content = await received(body)
    assert path == "/a%2Fb?c=d%20e"
    assert json.loads(content) == body


async def test_proxies_of_the_environment_and_a_netrc_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    path, _ = await received({})
    assert path.startswith("/a%2Fb")
