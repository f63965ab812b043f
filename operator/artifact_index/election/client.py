"""Reads, writes and watches one Lease, over connections that no other request shares.

A thousand writes that wait for the operator's own connections do not hold up a renewal.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.configuration import Configuration

from artifact_index.election.candidate import Record, Request
from artifact_index.instrumentation import Meter
from artifact_index.kube.client import KubeApi, object_in
from artifact_index.kube.errors import UNREACHABLE, ApiError
from artifact_index.kube.resources import Resource
from artifact_index.kube.session import Session

LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")

_WATCHED_FOR: Final = 290
"""Seconds after which the API server ends a watch; kube-controller-manager has some 5 min, too."""

_METHODS: Final = {"get": "GET", "create": "POST", "update": "PUT"}


class LeaseClient(KubeApi):
    """The API server for one Lease, `where` is `NAMESPACE/NAME`; no request is repeated."""

    def __init__(self, configuration: Configuration, where: str, *, meter: Meter) -> None:
        super().__init__(configuration, max_concurrency=2, meter=meter)
        self.namespace, _, self.name = where.partition("/")
        limits = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_WATCHED_FOR + 10)
        self._stream = Session(configuration, connections=1, timeout=limits)

    async def close(self) -> None:
        """Close the connections."""
        await self._stream.close()
        await super().close()

    async def ask(self, request: Request, seconds: float) -> Record:
        """Send a request, and return the Lease. Raises ApiError, after `seconds` at the latest."""
        path = LEASES.object_path(self.namespace, self.name)
        body = request.body
        if request.verb == "create":
            path = LEASES.collection_path(self.namespace)
        if body is not None:
            metadata = {"name": self.name, "namespace": self.namespace} | (
                body.get("metadata") or {}
            )
            body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, **body} | {
                "metadata": metadata
            }
        clock = asyncio.get_running_loop().time
        begun, code = clock(), UNREACHABLE
        try:
            async with asyncio.timeout(seconds):
                answer, content = await self._exchange(_METHODS[request.verb], path, body, None)
            code = answer.status
            return record_in(object_in(answer, content or b"", sensitive=False))
        except TimeoutError:
            message = f"the API server did not answer within {seconds:.1f} s"
            raise ApiError(UNREACHABLE, "Timeout", message) from None
        finally:
            self._meter.api_request(
                verb=request.verb, resource=LEASES.plural, subresource="",
                code=code, seconds=clock() - begun,
            )  # fmt: skip

    async def changes(self) -> AsyncIterator[Record | None]:
        """The Lease now and after each change, None once it is deleted, until the watch ends.

        Raises ApiError.
        """
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={self.name}",
            "timeoutSeconds": str(_WATCHED_FOR),
        }
        path = f"{LEASES.collection_path(self.namespace)}?{urlencode(query)}"
        try:
            headers = {**self._headers, "Accept": "application/json"}
            if token := await self._token():
                headers["Authorization"] = token
            answer = await self._stream.send("GET", path, headers=headers, body=None)
            async with answer:
                if answer.status != 200:
                    object_in(answer, await answer.read(), sensitive=False)
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(UNREACHABLE, "WatchEnded", "the watch of the Lease ended")
                    if event["type"] != "BOOKMARK":
                        gone = event["type"] == "DELETED"
                        yield None if gone else record_in(event["object"])
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            what = type(error).__name__
            raise ApiError(UNREACHABLE, what, "the watch of the Lease broke off") from None


def record_in(body: object) -> Record:
    """The Lease in an answer. Raises ApiError for what is none, as a proxy may answer."""
    try:
        record = Record(body)  # type: ignore[arg-type]
        _ = record.version, record.duration, int(record.spec.get("leaseTransitions") or 0)
    except (LookupError, TypeError, ValueError):
        raise ApiError(502, "BadAnswer", "the answer of the API server is no Lease") from None
    return record
