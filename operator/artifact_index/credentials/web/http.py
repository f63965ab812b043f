"""One bounded request to a token endpoint, whose host a spec may name."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artifact_index.credentials.errors import UnreachableError, why_unreachable
from artifact_index.credentials.http_dates import parse_retry_after

LARGEST: Final = 64 * 1024
"""Bytes of an answer: a token has a few thousand. What is longer counts as no JSON."""

_CHUNK: Final = 16 * 1024
_REQUEST_IDS: Final = ("x-ms-request-id", "x-request-id", "x-jfrog-request-id")
# The log shows it: it must have no room for a token that the host sends back.
_REQUEST_ID: Final = re.compile("[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer. `body` is its JSON object, empty if it is not one; it may hold secrets.

    `retry_after` is for how many seconds the header asks to wait.
    """

    status: int
    retry_after: float | None = None
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    request_id: str = ""


class HttpClient:
    """A thread-safe, synchronous client without cookies: a connection for each request.

    It follows no redirect, does not retry, and sends no login but the one in the request: not that
    of a netrc file, either. Proxies are those of the environment. Times are in seconds; `deadline`
    is for all of a request whose answer comes in drops.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        deadline: float = 30.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._timeouts = (connect_timeout, read_timeout)
        self._deadline = deadline
        self._now = now

    def __call__(
        self,
        url: str,
        body: bytes | None,
        *,
        content_type: str = "application/x-www-form-urlencoded",
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """POST the body, or GET without one. Returns any status. Raises UnreachableError."""
        import requests  # noqa: PLC0415 - imported when first needed

        method = "GET" if body is None else "POST"
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = content_type
        with _Deadline(self._deadline) as deadline, requests.Session() as session:
            session.auth = _no_login
            session.mount("http://", deadline.adapter())
            session.mount("https://", deadline.adapter())
            why: str | None = None
            try:
                answer = session.request(
                    method,
                    url,
                    data=body,
                    headers=sent,
                    timeout=self._timeouts,
                    allow_redirects=False,
                    stream=True,
                )
                content = _read(answer)
            except (requests.RequestException, OSError, ValueError) as error:
                # Its text may quote the request; ValueErrors are faults of the libraries.
                why = " (timed out)" if deadline.passed else why_unreachable(error)
            else:
                why = " (timed out)" if deadline.passed else None
        if why is not None:
            raise UnreachableError(why)
        named = (answer.headers.get(name, "") for name in _REQUEST_IDS)
        return HttpAnswer(
            status=answer.status_code,
            retry_after=parse_retry_after(answer.headers.get("retry-after"), now=self._now()),
            body=_object(content),
            request_id=next((each for each in named if _REQUEST_ID.fullmatch(each)), ""),
        )


def _no_login(request: Any) -> Any:
    """Leave the request as it is: without this `requests` looks into the netrc file."""
    return request


def _read(answer: Any) -> bytes:
    """The content, or nothing if it is too long."""
    content = b""
    for chunk in answer.iter_content(_CHUNK):
        content += chunk
        if len(content) > LARGEST:
            return b""
    return content


class _Deadline:
    """Ends connections after some seconds: a host may send a byte just within each time limit."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        for each in self._sockets:
            each.close()

    def adapter(self) -> Any:
        """An adapter of `requests` whose connections end at the deadline."""
        from requests.adapters import HTTPAdapter  # noqa: PLC0415

        watch = self._watch

        class Adapter(HTTPAdapter):
            """Watches the sockets of its connections, whatever goes over them."""

            def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
                """The pool for a request, with connections that are watched."""
                pool = super().get_connection_with_tls_context(*args, **kwargs)
                kind: Any = pool.ConnectionCls

                class Watched(kind):  # type: ignore[misc]
                    def _new_conn(self) -> socket.socket:
                        return watch(super()._new_conn())

                pool.ConnectionCls = Watched
                return pool

        return Adapter()

    def _watch(self, connected: socket.socket) -> socket.socket:
        # A second descriptor: TLS takes the first one away from its object.
        self._sockets.append(connected.dup())
        if self.passed:  # a host with many addresses, or a slow DNS, takes its time to connect
            self._end()
        return connected

    def _end(self) -> None:
        self.passed = True
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
