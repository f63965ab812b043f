"""What kopf reads of the API server: the listing with which a watch begins, and where that is."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp

LISTED: Final = 1
"""Objects in the listing with which a watch begins, without spec and data."""

_FEW_CHANGES: Final = 1000
"""Changes of the whole store that a watch repeats at most: those that it selects of them are half a
second of CPU at the worst."""

_METADATA_ONLY: Final = (
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
)


class Streams:
    """A middleware of kopf's HTTP session.

    `since` are the versions of the collections, by path, that the operator's own first listing
    showed. Each is used once: after a gap a watch begins at the present. `began` is called when a
    watch begins: it has the operator list everything, since no event reports what was deleted
    before.
    """

    def __init__(self, since: Mapping[str, str], began: Callable[[], None]) -> None:
        self._since = dict(since)
        self._began = began

    async def __call__(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request of kopf, and prepare the answer if it is a listing.

        The listing only says what the present version is; the operator's own one, which follows,
        reads. kopf takes a millisecond for each object: whoever has ten thousand would delay
        everybody's changes.
        """
        if "limit" not in request.url.query:
            return await send(request)
        request.headers["Accept"] = _METADATA_ONLY
        answer = await send(request)
        if answer.ok and isinstance(answer, Answer):
            answer.since = self._since.pop(request.url.path, "")
            self._began()
        return answer


class Answer(aiohttp.ClientResponse):
    """An answer of the API server: of a list only the first page.

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


def beginning(since: str, now: str) -> str:
    """The version at which a watch begins: `since`, unless that is empty or long ago.

    The store numbers its changes. Its number may have gone back, where it was restored.
    """
    if since.isdigit() and now.isdigit() and 0 <= int(now) - int(since) <= _FEW_CHANGES:
        return since
    return now
