"""What kopf reads of the API server: where a watch begins, and which of its events it shows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Final

import aiohttp
from pydantic_core import from_json, to_json

from artifact_index.kube.port import Object
from artifact_index.reconcile.cache.feed import Feed

LISTED: Final = 1
"""Objects in the listing with which a watch begins, without spec and data."""

_FEW_CHANGES: Final = 1000
"""Changes of the whole store that a watch repeats at most: those that it selects of them are half a
second of CPU at the worst."""

_METADATA_ONLY: Final = (
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
)


class Streams:
    """A middleware of kopf's HTTP session: it leaves out what the `feed` takes as an echo.

    `since` are the versions of the collections, by path, that the operator's own first listing
    showed. Each is used once: after a gap a watch begins at the present. `began` is called when a
    watch begins: it has the operator list everything, since no event reports what was deleted
    before.
    """

    def __init__(self, feed: Feed, since: Mapping[str, str], began: Callable[[], None]) -> None:
        self._feed = feed
        self._since = dict(since)
        self._began = began

    async def __call__(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request of kopf, and prepare the answer if it is a listing or a watch.

        The listing only says what the present version is; the operator's own one, which follows,
        reads. kopf takes a millisecond for each object: whoever has ten thousand would delay
        everybody's changes.
        """
        path, query = request.url.path, request.url.query
        if "limit" in query:
            request.headers["Accept"] = _METADATA_ONLY
        answer = await send(request)
        if answer.ok and isinstance(answer, Answer):
            if "limit" in query:
                answer.since = self._since.pop(path, "")
                self._began()
            elif "watch" in query:
                answer.leave_out(partial(self._feed.take_echo, path.rpartition("/")[2]))
        return answer


class Answer(aiohttp.ClientResponse):
    """An answer of the API server: of a list only the first page, of a watch only what is new.

    An empty list of metadata is null; kopf iterates over it. `since` is an earlier version of the
    list; see `beginning`.
    """

    since = ""

    async def json(self, **how: Any) -> Any:
        """The JSON in the body."""
        answer = await super().json(**how)
        if isinstance(answer, dict) and "items" in answer:
            answer["items"] = answer["items"] or []
            metadata = answer["metadata"]
            metadata.pop("continue", None)
            metadata["resourceVersion"] = beginning(self.since, metadata["resourceVersion"])
        return answer

    def leave_out(self, take_echo: Callable[[Object], bool]) -> None:
        """Show of each event that `take_echo` takes only that it came."""
        self.content = _WithoutEchoes(self.content, take_echo)  # type: ignore[assignment]


def beginning(since: str, now: str) -> str:
    """The version at which a watch begins: `since`, unless that is empty or long ago.

    The store numbers its changes. Its number may have gone back, where it was restored.
    """
    if since.isdigit() and now.isdigit() and 0 <= int(now) - int(since) <= _FEW_CHANGES:
        return since
    return now


class _WithoutEchoes:
    """The lines of a watch, in their order; a bookmark of the same version in place of each echo.

    Each write of the operator comes back as an event, of which the answer to the write has told
    everything. kopf takes most of a millisecond for each, a fifth of the CPU of a large wave.
    """

    def __init__(self, content: aiohttp.StreamReader, take_echo: Callable[[Object], bool]) -> None:
        self._content = content
        self._take_echo = take_echo

    def __getattr__(self, name: str) -> Any:
        """What aiohttp itself asks of the content, when the watch ends."""
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Whole lines, as kopf asks for them."""
        rest = b""
        async for chunk in self._content.iter_chunked(size):
            *lines, rest = (rest + chunk).split(b"\n")
            # The answer to a write, which may have come with its event, is read first.
            await asyncio.sleep(0)
            for line in lines:
                yield self._shown(line) + b"\n"
        if rest:
            yield rest

    def _shown(self, line: bytes) -> bytes:
        try:
            event = from_json(line, cache_strings="keys")
        except ValueError:
            # Half of a surrogate pair, say, which kopf's slower decoder reads.
            return line
        if event.get("type") not in ("ADDED", "MODIFIED") or not self._take_echo(event["object"]):
            return line
        version = event["object"]["metadata"]["resourceVersion"]
        bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}
        return to_json(bookmark)
