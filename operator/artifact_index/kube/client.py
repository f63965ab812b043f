"""The API server's client, with the official one's configuration and with plain JSON dicts.

The generated API classes and models cost start-up time, memory and twice the CPU per request. What
remains of the official client is how it finds the server and the login, and its TLS.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException
from pydantic_core import from_json

from artifact_index import __version__
from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.instrumentation import UNMEASURED, Meter
from artifact_index.kube.errors import UNREACHABLE, ApiError, error_from_response, shorten
from artifact_index.kube.paging import FEWEST, LARGEST_PAGE, PageSizes
from artifact_index.kube.port import ListPage, Object
from artifact_index.kube.resources import SECRETS, SERVICE_ACCOUNTS, Resource
from artifact_index.kube.retries import delay_before_retry
from artifact_index.kube.session import Session

_JSON: Final = "application/json"
_MERGE_PATCH: Final = "application/merge-patch+json"
_METHODS = {"get": "GET", "list": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
# A listing that has expired this often is read in one page: slow pages would expire again.
_EXPIRIES_BEFORE_ONE_PIECE: Final = 2

_LARGE: Final = 64 * 1024
"""Characters of data from which a body counts as large. With its copies, its encryption and the
answer it takes ten times as much: sixteen files of a hundred indexes at once were the memory peak.
"""
_LARGE_AT_A_TIME: Final = 2
_LARGE_FOR: Final = 0.5
"""Seconds after which the next large body may follow although there is no answer yet: a namespace
whose writes a webhook holds up must not hold up the others."""

_HANDSHAKE: Final = 10.0
"""Seconds for the TCP and TLS handshake."""


class KubeApi:
    """The API server, implementing `KubePort`.

    `configuration` comes from `kube.connect.load_configuration`. A request may take `timeout`
    seconds from its start to the last byte of the answer (waiting for a free connection does not
    count). `meter` records every HTTP request, retries too. No attempt at a write is sent while
    `gate` is closed: NotLeading is raised. Create and use it inside one event loop.
    """

    field_manager: str = FIELD_MANAGER
    """Whom the API server records as the author of a change, and as the User-Agent."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        max_concurrency: int = 32,
        timeout: float = 30.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rand: Callable[[], float] = random.random,
        meter: Meter = UNMEASURED,
    ) -> None:
        self._configuration = configuration
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=_HANDSHAKE)
        self._session = Session(configuration, connections=max_concurrency, timeout=limits)
        self.gate = self._session.gate
        self._slots = asyncio.Semaphore(max_concurrency)
        self._large_slots = asyncio.Semaphore(_LARGE_AT_A_TIME)
        self._sleep = sleep
        self._rand = rand
        self._managed = {"fieldManager": self.field_manager}
        self._headers = {"User-Agent": f"{self.field_manager}/{__version__}"}
        self._meter = meter
        self.page_sizes = PageSizes()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        page: int | None = None,
    ) -> AsyncIterator[ListPage]:
        """Yield the objects page by page (see `KubePort.list`)."""
        path = resource.collection_path(namespace)
        query = {"labelSelector": label_selector} if label_selector else {}
        token, expiries = "", 0
        while True:
            paging = {"continue": token} if token else {}
            limit, most = page or self.page_sizes.of(resource.plural), None
            if expiries < _EXPIRIES_BEFORE_ONE_PIECE:
                paging["limit"] = str(limit)
                most = LARGEST_PAGE if limit > FEWEST else None
            try:
                answer = await self._call("list", resource, path, query=query | paging, most=most)
            except _PageTooLargeError:
                page = None
                self.page_sizes.shrink(resource.plural)
                continue
            except ApiError as error:
                if not (error.expired and token):
                    raise
                expiries += 1
                token = ""
                continue
            meta, items = answer.get("metadata") or {}, answer.pop("items", None) or ()
            first, token = not token, meta.get("continue") or ""
            yield ListPage(
                items=tuple(items), resource_version=meta.get("resourceVersion", ""), first=first
            )
            # The next page may be as large: this one is not held beside it.
            del items
            if not token:
                return

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Read one object (see `KubePort.get`)."""
        return await self._call("get", resource, resource.object_path(namespace, name))

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create an object (see `KubePort.create`)."""
        path = resource.collection_path(namespace)
        typed = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return await self._call("create", resource, path, query=self._managed, body=typed)

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Object,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Apply a merge patch (see `KubePort.patch`)."""
        path = resource.object_path(namespace, name, subresource)
        answer = await self._call(
            "patch", resource, path, subresource=subresource, query=self._managed, body=body
        )
        uid = body.get("metadata", {}).get("uid")
        if uid and answer["metadata"]["uid"] != uid:
            # The server drops the metadata of a status before it compares (measured on 1.34).
            message = f"another {resource.kind} has the name {name} now, its status was written"
            raise ApiError(409, "Conflict", message)
        return answer

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: int
    ) -> None:
        """Delete this version of an object (see `KubePort.delete`)."""
        this = {"uid": uid, "resourceVersion": str(version)}
        options = {"preconditions": this, "propagationPolicy": "Background"}
        await self._call("delete", resource, resource.object_path(namespace, name), body=options)

    async def request_token(
        self, namespace: str, service_account: str, *, audiences: Sequence[str], seconds: int
    ) -> str:
        """Request a token of a ServiceAccount (see `KubePort.request_token`)."""
        path = SERVICE_ACCOUNTS.object_path(namespace, service_account, "token")
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": list(audiences), "expirationSeconds": seconds},
        }
        answer = await self._call("create", SERVICE_ACCOUNTS, path, subresource="token", body=body)
        token = (answer.get("status") or {}).get("token")
        if not isinstance(token, str) or not token:
            raise ApiError(502, "BadAnswer", "the answer to a TokenRequest holds no token")
        return token

    async def _call(
        self,
        verb: str,
        resource: Resource,
        path: str,
        *,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        most: int | None = None,
    ) -> Object:
        if query:
            path = f"{path}?{urlencode(query)}"
        clock = asyncio.get_running_loop().time
        attempt = 0
        while True:
            begun, code = clock(), UNREACHABLE
            try:
                answer, content = await self._exchange(_METHODS[verb], path, body, most)
                code = answer.status
                if content is None:
                    raise _PageTooLargeError
                parsed = object_in(answer, content, sensitive=resource == SECRETS)
                objects = len(parsed.get("items") or ()) if verb == "list" else 1
                self.page_sizes.learn(resource.plural, objects=objects, size=len(content))
                return parsed
            except ApiError as error:
                delay = delay_before_retry(
                    error, verb=verb, resource=resource, attempt=attempt, random=self._rand()
                )
                if delay is None:
                    raise
            finally:
                self._meter.api_request(
                    verb=verb, resource=resource.plural, subresource=subresource or "",
                    code=code, seconds=clock() - begun,
                )  # fmt: skip
            attempt += 1
            await self._sleep(delay)

    async def _exchange(
        self, method: str, path: str, body: Object | None, most: int | None, accept: str = _JSON
    ) -> tuple[aiohttp.ClientResponse, bytes | None]:
        """The answer in the form `accept`, and its body; None for one of more than `most` bytes."""
        content_type = _MERGE_PATCH if method == "PATCH" else _JSON
        headers = {**self._headers, "Accept": accept, "Content-Type": content_type}
        if token := await self._token():
            headers["Authorization"] = token
        try:
            async with self._large_slot() if _is_large(body) else self._slots:
                answer = await self._session.send(method, path, headers=headers, body=body)
                return answer, await _read(answer, most)
        except (aiohttp.ClientError, OSError) as error:
            raise _unreachable(error) from None

    @contextlib.asynccontextmanager
    async def _large_slot(self) -> AsyncIterator[None]:
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._large_slots.release()

        await self._large_slots.acquire()
        overdue = asyncio.get_running_loop().call_later(_LARGE_FOR, give_back)
        try:
            async with self._slots:
                yield
        finally:
            overdue.cancel()
            give_back()

    async def _token(self) -> str | None:
        try:
            # The client reads a rotated token again in this call.
            token: str | None = await self._configuration.get_api_key_with_prefix("BearerToken")
        except (ConfigException, OSError) as error:
            message = f"the login to the API server cannot be read: {shorten(str(error))}"
            raise ApiError(UNREACHABLE, "NoLogin", message, sent=False) from None
        return token


class _PageTooLargeError(Exception):
    """A page of a listing has more bytes than may be held at a time."""


async def _read(answer: aiohttp.ClientResponse, most: int | None) -> bytes | None:
    if most is None:
        return await answer.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            answer.close()
            return None
    return b"".join(chunks)


def _is_large(body: Object | None) -> bool:
    data = (body or {}).get("data") or {}
    return sum(len(value or "") for value in data.values()) > _LARGE


def object_in(answer: aiohttp.ClientResponse, content: bytes, *, sensitive: bool) -> Object:
    """The object in an answer; of a `sensitive` one no error quotes the text. Raises ApiError."""
    if answer.status >= 400:
        raise error_from_response(
            answer.status, answer.reason or "", answer.headers, content, sensitive=sensitive
        )
    parsed: Any = None
    # Equal short strings of all answers become one string, except for the values of Secrets. The
    # fast parser refuses half of a surrogate pair, which must not hide the rest of a listing.
    for decode in (partial(from_json, cache_strings="keys" if sensitive else "all"), json.loads):
        with contextlib.suppress(ValueError):
            parsed = decode(content)
            break
    if not isinstance(parsed, dict):
        # From a proxy, or cut off; the text may be anything, so the error does not quote it.
        raise ApiError(502, "BadAnswer", "the answer of the API server is not a JSON object")
    return parsed


def _unreachable(error: Exception) -> ApiError:
    """The error for a request without an answer, from what the HTTP client raised."""
    reason = "Timeout" if isinstance(error, TimeoutError) else "Unreachable"
    sent = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    text = shorten(str(error)) or type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        text += (
            "; if the cluster has a new certificate authority, put its certificate into the "
            "kubeconfig (a pod gets it by itself), and restart the operator"
        )
    return ApiError(UNREACHABLE, reason, f"the API server cannot be reached: {text}", sent=sent)
