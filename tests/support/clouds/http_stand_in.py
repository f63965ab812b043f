"""What every cloud stand-in has: a threaded loopback server, counts and injected faults."""

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class HttpRequest:
    """One request; header names are lower-case, `target` is path and query as sent."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True)
class HttpAnswer:
    """One answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: object, *, status: int = 200, **headers: str) -> HttpAnswer:
    """An answer with a JSON body; header names are written with underscores."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return HttpAnswer(status, json.dumps(value).encode(), headers=named)


@dataclass(frozen=True)
class Fault:
    """What goes wrong instead of an answer.

    `code` is formed into the service's own error body; `body` replaces it verbatim. `extra` are
    further members of the error body. `hang_seconds` keeps silent that long, or until the stand-in
    stops; `reset` then breaks the connection.
    """

    status: int = 500
    code: str = ""
    message: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    hang_seconds: float = 0
    reset: bool = False


@dataclass
class _Injected:
    operation: str
    fault: Fault
    left: int | None
    where: Mapping[str, str]


class RefusedError(Exception):
    """An operation says no, in the service's own words."""

    def __init__(self, status: int, code: str, message: str = "", **extra: Any) -> None:
        super().__init__(code)
        self.fault = Fault(status=status, code=code, message=message, extra=extra)


class HttpStandIn:
    """Base class. Use as a context manager; settings may be changed while it runs.

    `address` is where it listens and is reached, to be set before it starts. A subclass gives
    `operation_of`, `answer` and `error_answer`.
    """

    def __init__(self) -> None:
        self.address = "127.0.0.1"
        self.lock = threading.RLock()
        self._injected: list[_Injected] = []
        self._calls: Counter[str] = Counter()
        self._mints: Counter[tuple[str, str]] = Counter()
        self._stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    # -- life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, *, port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._stopping.clear()
        self._server = _Server((self.address, port), _handler_of(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; whoever hangs is let go."""
        self._stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join(timeout=5)
            self._server.server_close()
            self._server = None

    @property
    def port(self) -> int:
        """The port listened on."""
        assert self._server is not None, "the stand-in has not been started"
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`http://<address>:<port>`, without a slash at the end."""
        return f"http://{self.address}:{self.port}"

    # -- counts

    def calls(self, operation: str | None = None) -> int:
        """How often an operation was asked for, refusals and faults included."""
        with self.lock:
            return self._calls.total() if operation is None else self._calls[operation]

    def mints(self, operation: str | None = None, principal: str | None = None) -> int:
        """How often an operation was granted, in all or to one principal."""
        with self.lock:
            return sum(
                count
                for (granted, whom), count in self._mints.items()
                if operation in (None, granted) and principal in (None, whom)
            )

    def granted(self, operation: str, principal: str) -> None:
        """Count a grant."""
        with self.lock:
            self._mints[operation, principal] += 1

    # -- faults

    def inject(
        self, operation: str, fault: Fault, *, times: int | None = None, **where: str
    ) -> None:
        """Let an operation fail, `times` times or until cleared.

        `where` limits it to requests with these parameters (query, form or JSON body) or, by
        `principal`, to one caller. The last one injected that fits wins.
        """
        with self.lock:
            self._injected.append(_Injected(operation, fault, times, where))

    def clear(self, operation: str | None = None) -> None:
        """Take injected faults back, of one operation or all."""
        with self.lock:
            self._injected = [
                item for item in self._injected if operation not in (None, item.operation)
            ]

    def _fault(self, operation: str, inputs: Mapping[str, str]) -> Fault | None:
        with self.lock:
            for item in reversed(self._injected):
                fits = item.operation == operation and item.left != 0
                if fits and all(inputs.get(name) == text for name, text in item.where.items()):
                    if item.left is not None:
                        item.left -= 1
                    return item.fault
        return None

    # -- the service

    def operation_of(self, request: HttpRequest) -> str:
        """Name of the operation that the request asks for."""
        raise NotImplementedError

    def inputs_of(self, operation: str, request: HttpRequest) -> Mapping[str, str]:
        """Parameters and principal of the request, for `where` of `inject`."""
        return {**request.query, **request.form}

    def answer(self, operation: str, request: HttpRequest) -> HttpAnswer:
        """Do it; raises RefusedError."""
        raise NotImplementedError

    def error_answer(self, operation: str, fault: Fault) -> HttpAnswer:
        """A refusal or fault as this service words it."""
        raise NotImplementedError

    def respond(self, request: HttpRequest) -> HttpAnswer | None:
        """The answer, or None to break the connection."""
        operation = self.operation_of(request)
        with self.lock:
            self._calls[operation] += 1
        fault = self._fault(operation, self.inputs_of(operation, request))
        if fault is None:
            try:
                return self.answer(operation, request)
            except RefusedError as refusal:
                return self.error_answer(operation, refusal.fault)
        if fault.hang_seconds:
            self._stopping.wait(fault.hang_seconds)
        if fault.reset:
            return None
        if fault.body is not None:
            kind = fault.headers.get("Content-Type", "application/json")
            rest = {k: v for k, v in fault.headers.items() if k != "Content-Type"}
            return HttpAnswer(fault.status, fault.body.encode(), kind, rest)
        return self.error_answer(operation, fault)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no error here."""


def _handler_of(stand_in: HttpStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        # Header and body are two writes: on a connection that is kept the second would wait 40 ms.
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            request = HttpRequest(
                method=self.command,
                target=self.path,
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            answer = stand_in.respond(request)
            if answer is None:
                self._reset()
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def _reset(self) -> None:
            # SO_LINGER 0: the client sees a reset instead of an orderly end.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

    return Handler
