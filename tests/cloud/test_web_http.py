"""The POST to a host that a spec may name: what it sends, and how little it puts up with."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from artifact_index.credentials.errors import UnreachableError
from artifact_index.credentials.web.http import LARGEST, HttpClient
from support.clouds.http_stand_in import HttpAnswer, HttpRequest, HttpStandIn

pytestmark = pytest.mark.cloud


class Echo(HttpStandIn):
    """Answers what it is told to, and keeps the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[HttpRequest] = []
        self.said = HttpAnswer(200, b'{"a": 1}')

    def operation_of(self, request: HttpRequest) -> str:
        return "Post"

    def answer(self, operation: str, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        return self.said


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        yield server


@pytest.fixture
def post() -> HttpClient:
    return HttpClient(connect_timeout=5, read_timeout=5)


def test_the_request_has_the_body_and_nothing_that_logs_in(
    echo: Echo, post: HttpClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    echo.said = HttpAnswer(201, b'{"a": 1}', headers={"X-Request-Id": "r-1", "Set-Cookie": "c=1"})
    for _ in range(2):
        answer = post(f"{echo.url}/token", b"body", content_type="a/b", headers={"X-More": "1"})
    assert (answer.status, dict(answer.body), answer.request_id) == (201, {"a": 1}, "r-1")
    asked = echo.asked[1]
    assert (asked.method, asked.path, asked.body) == ("POST", "/token", b"body")
    assert asked.headers["content-type"] == "a/b" and asked.headers["x-more"] == "1"
    assert asked.headers["accept"] == "application/json"
    assert not {"authorization", "cookie"} & asked.headers.keys()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer(echo: Echo, post: HttpClient, status: int) -> None:
    echo.said = HttpAnswer(status, headers={"Location": f"{echo.url}/elsewhere"})
    assert post(echo.url, b"x", content_type="a/b").status == status
    assert len(echo.asked) == 1


def test_without_a_body_it_is_a_get(echo: Echo, post: HttpClient) -> None:
    assert post(f"{echo.url}/metadata", None, headers={"Metadata": "true"}).status == 200
    (asked,) = echo.asked
    assert (asked.method, asked.body, asked.headers["metadata"]) == ("GET", b"", "true")
    assert "content-type" not in asked.headers


def test_the_header_says_how_long_to_wait(echo: Echo, post: HttpClient) -> None:
    echo.said = HttpAnswer(429, headers={"Retry-After": "3304"})
    assert post(echo.url, b"x", content_type="a/b").retry_after == 3304


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"<h1>portal</h1>", b"[" * 60_000, b"\xff\xfe", b'{"a":"' + b"x" * LARGEST],
)
def test_what_is_no_json_object_or_too_long_is_empty(
    echo: Echo, post: HttpClient, content: bytes
) -> None:
    echo.said = HttpAnswer(200, content)
    assert post(echo.url, b"x", content_type="a/b").body == {}


def test_a_body_is_not_shown_by_its_answer(echo: Echo, post: HttpClient) -> None:
    echo.said = HttpAnswer(200, b'{"token": "canary"}')
    assert "canary" not in repr(post(echo.url, b"x", content_type="a/b"))


@contextmanager
def dripping(start: bytes) -> Iterator[str]:
    """A server that sends `start` and then a byte now and then, for ever."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(start)
                while not stop.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        stop.set()


@pytest.mark.parametrize(
    ("scheme", "start"),
    [
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK\r\nX-Long: "),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00"),
    ],
    ids=["status", "header", "body", "body without length", "handshake"],
)
def test_an_answer_in_drops_ends_at_the_deadline(scheme: str, start: bytes) -> None:
    post = HttpClient(connect_timeout=5, read_timeout=5, deadline=0.5)
    with dripping(start) as address:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="timed out"):
            post(f"{scheme}://{address}/", b"x", content_type="a/b")
        assert time.monotonic() - began < 4


def test_a_connection_after_the_deadline_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Such as of a host with many addresses, all but the last of which are silent.
    connect = socket.socket.connect

    def slowly(self: socket.socket, address: object) -> None:
        time.sleep(0.5)
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", slowly)
    post = HttpClient(connect_timeout=5, read_timeout=5, deadline=0.1)
    with dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n") as address:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="timed out"):
            post(f"http://{address}/", b"x", content_type="a/b")
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("named", ["opaque_token", "a.b.c", "x" * 65, "a b", ""])
def test_a_request_id_has_no_room_for_a_token(echo: Echo, post: HttpClient, named: str) -> None:
    echo.said = HttpAnswer(200, headers={"X-Request-Id": named, "X-JFrog-Request-Id": "r-2"})
    assert post(echo.url, b"x", content_type="a/b").request_id == "r-2"


def test_nobody_listening_is_said_in_words(post: HttpClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    with pytest.raises(UnreachableError, match="connection refused") as caught:
        post(url, b"canary", content_type="a/b")
    assert "canary" not in repr(caught.value.__context__)
