"""The listing with which kopf begins a watch: one object, whatever the number of them."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from artifact_index.watching import kopf_adapter

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("items", [[{"metadata": {"name": "first"}}], None], ids=["some", "none"])
async def test_a_watch_begins_with_one_page_without_spec_and_data(
    items: list[dict[str, Any]] | None,
) -> None:
    accepted: list[str] = []

    async def listing(request: web.Request) -> web.Response:
        accepted.append(request.headers["Accept"])
        metadata = {"resourceVersion": "7", "continue": "more", "remainingItemCount": 9_999}
        return web.json_response({"metadata": metadata, "items": items})

    app = web.Application()
    app.router.add_get("/secrets", listing)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession(
            middlewares=(kopf_adapter._begin_watches({"/secrets": "5", "/other": "6"}),),
            response_class=kopf_adapter._Answer,
        ) as session:
            limit = kopf_adapter.settings(60).watching.chunk_size
            host, port = runner.addresses[0][:2]
            url = f"http://{host}:{port}/secrets?limit={limit}"
            found = await (await session.get(url)).json()
            after_a_gap = await (await session.get(url)).json()
    finally:
        await runner.cleanup()
    assert limit == 1
    assert "as=PartialObjectMetadataList" in accepted[0]
    assert found["items"] == (items or [])
    assert found["metadata"]["resourceVersion"] == "5", "the operator's own first listing"
    assert after_a_gap["metadata"]["resourceVersion"] == "7"
    assert "continue" not in found["metadata"], "kopf would go on to the next page"
