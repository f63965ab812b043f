"""What kopf is shown: where its watches begin, and no echoes of the operator's own writes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kopf._cogs.clients.api import iter_jsonlines

from artifact_index.watching import kopf_adapter
from artifact_index.watching.streams import Answer, Streams, _WithoutEchoes, beginning

pytestmark = pytest.mark.unit

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Known:
    """A feed that holds the object `written`."""

    def take_echo(self, plural: str, body: Mapping[str, Any]) -> bool:
        return (plural, body["metadata"]["name"]) == ("secrets", "written")


@asynccontextmanager
async def session_with(
    handler: Handler,
    since: Mapping[str, str] | None = None,
    began: Callable[[], None] = lambda: None,
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """kopf's session, and the URL of the Secrets that the handler answers for."""
    app = web.Application()
    app.router.add_get("/secrets", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    feed: Any = Known()
    try:
        async with aiohttp.ClientSession(
            middlewares=(Streams(feed, since or {}, began),), response_class=Answer
        ) as session:
            host, port = runner.addresses[0][:2]
            yield session, f"http://{host}:{port}/secrets"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("items", [[{"metadata": {"name": "first"}}], None], ids=["some", "none"])
async def test_a_watch_begins_with_one_page_without_spec_and_data(
    items: list[dict[str, Any]] | None,
) -> None:
    accepted: list[str] = []
    began: list[None] = []

    async def listing(request: web.Request) -> web.Response:
        accepted.append(request.headers["Accept"])
        metadata = {"resourceVersion": "7", "continue": "more", "remainingItemCount": 9_999}
        return web.json_response({"metadata": metadata, "items": items})

    limit = kopf_adapter.settings(60).watching.chunk_size
    async with session_with(
        listing, {"/secrets": "5", "/other": "6"}, lambda: began.append(None)
    ) as (session, url):
        found = await (await session.get(f"{url}?limit={limit}")).json()
        after_a_gap = await (await session.get(f"{url}?limit={limit}")).json()
    assert limit == 1
    assert len(began) == 2, "also of an empty list"
    assert "as=PartialObjectMetadataList" in accepted[0]
    assert found["items"] == (items or [])
    assert found["metadata"]["resourceVersion"] == "5", "the operator's own first listing"
    assert after_a_gap["metadata"]["resourceVersion"] == "7"
    assert "continue" not in found["metadata"], "kopf would go on to the next page"


@pytest.mark.parametrize(
    ("since", "now", "begins"),
    [
        ("", "70", "70"),
        ("70", "70", "70"),
        ("70", "1070", "70"),
        ("70", "1071", "1071"),
        ("1070", "70", "70"),
        ("70", "opaque", "opaque"),
    ],
    ids=["after a gap", "nothing changed", "few changes", "many", "restored", "opaque"],
)
def test_a_watch_begins_at_the_first_listing_if_little_has_changed_since(
    since: str, now: str, begins: str
) -> None:
    assert beginning(since, now) == begins


def event(kind: str, name: str, version: int, **more: Any) -> bytes:
    metadata = {"name": name, "namespace": "team", "resourceVersion": str(version)}
    return json.dumps({"type": kind, "object": {"metadata": metadata, **more}}).encode()


GONE = json.dumps({"type": "ERROR", "object": {"code": 410}}).encode()
ODD = event("MODIFIED", "other", 9, data={"key": "\ud800"})
"""JSON that only a lenient decoder reads."""


@pytest.mark.parametrize("size", [7, 1_000, 10**6], ids=["torn", "in pieces", "at once"])
async def test_an_own_write_comes_back_as_a_bookmark_and_all_else_as_it_is(size: int) -> None:
    sent = [
        event("ADDED", "other", 1),
        event("MODIFIED", "written", 2, data={"key": "x" * 3_000}),
        event("MODIFIED", "other", 3, data={"key": "y" * 3_000}),
        event("ADDED", "written", 4),
        event("DELETED", "written", 5),
        event("BOOKMARK", "written", 6),
        ODD,
        GONE,
    ]

    async def watch(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        text = b"\n".join(sent) + b"\n"
        for start in range(0, len(text), size):
            await response.write(text[start : start + size])
        return response

    async with session_with(watch) as (session, url):
        async with session.get(f"{url}?watch=true") as answer:
            shown = [line async for line in iter_jsonlines(answer.content)]
        async with session.get(f"{url}?watch=true") as left:
            assert await anext(iter_jsonlines(left.content)) == sent[0]
        assert left.closed
    for place, version in ((1, "2"), (3, "4")):
        found = json.loads(shown[place])
        # kopf goes on from this version after a broken connection.
        assert found == {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}
    untouched = [0, 2, 4, 5, 6, 7]
    assert [shown[place] for place in untouched] == [sent[place] for place in untouched]


async def test_a_refused_watch_is_answered_as_it_is() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "code": 403}, status=403)

    async with session_with(refuse) as (session, url):
        answer = await session.get(f"{url}?watch=true")
        assert (await answer.json())["code"] == 403


async def test_the_answer_to_a_write_that_came_with_its_event_is_read_first() -> None:
    answered: list[int] = []
    line = event("MODIFIED", "written", 2)

    class Content:
        async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
            # What waits for the answer is woken in the same iteration of the event loop.
            asyncio.get_running_loop().call_soon(answered.append, 2)
            yield line + b"\n"

    content: Any = Content()
    shown = _WithoutEchoes(content, lambda _: bool(answered)).iter_chunked(1024)
    assert [json.loads(each)["type"] async for each in shown] == ["BOOKMARK"]
