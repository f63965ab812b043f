"""A package index on loopback that really asks for logins and writes down who came.

It speaks the simple repository API in both forms (PEP 503 HTML, PEP 691 JSON) and holds any number
of repositories, each under its own path and with its own rule for who may come in. One server is
one host, as Artifact Registry or GitLab are for many repositories; several servers are several
hosts.
"""

import base64
import hashlib
import html
import json
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

from support.request_log import IndexRequest, RequestLog
from support.served import Published
from support.uploads import uploaded_file
from support.wheels import Wheel, normalized

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html; charset=utf-8"

Accepts = Callable[[str, str], bool]
"""Says whether a user name and a password, both raw, may come in."""


@dataclass
class Repository:
    """One index under `prefix`. `accepts` None lets everybody in.

    `denied_status` answers whom it turns away: 401 asks for a login, 403 does not, 404 pretends
    that there is nothing. `forwards_to` is the URL of another index to which requests for what is
    not here, or not to be had without a login, are redirected, as GitLab does. `files_at` is the
    prefix of another repository at which its pages say that the files are. `html_only` has no
    pages in JSON; with `uploaded_at` its files have an upload time.
    """

    prefix: str
    url: str
    wheels: dict[str, dict[str, Wheel]] = field(default_factory=dict)
    accepts: Accepts | None = None
    denied_status: int = 401
    forwards_to: str | None = None
    files_at: str | None = None
    html_only: bool = False
    uploaded_at: str | None = None

    @property
    def publish_url(self) -> str:
        """Where files are uploaded: the index URL without `simple/`, as CodeArtifact has it."""
        return self.url.removesuffix("simple/")

    def add(self, *wheels: Wheel) -> None:
        """Publish wheels."""
        for wheel in wheels:
            self.wheels.setdefault(normalized(wheel.name), {})[wheel.filename] = wheel


class IndexServer(Published):
    """The server as a context manager. Repositories may be added and changed while it runs.

    uv takes two ports for two hosts. With the `log` of another server the order of the requests to
    both can be seen. As a proxy `by_host` it is any host: scheme, host and port are the first parts
    of a path (`https/index.test:8443/simple/`), and the rest is as the client sent it, undecoded.
    """

    def __init__(
        self,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        log: RequestLog | None = None,
        by_host: bool = False,
    ) -> None:
        self.log = log or RequestLog()
        self.by_host = by_host
        self._lock = threading.Lock()
        self._repositories: dict[str, Repository] = {}
        handler = type("_BoundHandler", (_Handler,), {"index": self})
        self._server = _Server((address, port), handler)
        super().__init__(self._server)

    @property
    def netloc(self) -> str:
        """`address:port`, as it stands in a URL."""
        address, port = self._server.server_address[:2]
        return f"{address!s}:{port}"

    def add_repository(
        self,
        prefix: str,
        *wheels: Wheel,
        accepts: Accepts | None = None,
        denied_status: int = 401,
    ) -> Repository:
        """Serve an index at `/<prefix>/simple/`, as `/pypi/<repository>` in CodeArtifact."""
        prefix = prefix.strip("/")
        url = f"http://{self.netloc}/{prefix + '/' if prefix else ''}simple/"
        repository = Repository(prefix, url, accepts=accepts, denied_status=denied_status)
        repository.add(*wheels)
        with self._lock:
            self._repositories[prefix] = repository
        return repository

    def requests(self, prefix: str | None = None) -> list[IndexRequest]:
        """What was asked so far in order of the answers; of one repository if a prefix is given."""
        if prefix is None:
            return self.log.requests()
        start = f"/{prefix.strip('/')}/"
        return [request for request in self.log.requests() if request.path.startswith(start)]

    def tunnels(self) -> list[str]:
        """The `host:port` of each tunnel that a client wanted through this server as its proxy."""
        return [request.path for request in self.requests() if request.method == "CONNECT"]

    def clear(self) -> None:
        """Forget the requests so far."""
        self.log.clear()

    def find(self, path: str) -> tuple[Repository, str] | None:
        """The repository with the longest prefix of the path, and the rest of the path."""
        with self._lock:
            repositories = sorted(self._repositories.values(), key=lambda r: -len(r.prefix))
        for repository in repositories:
            start = f"/{repository.prefix}/" if repository.prefix else "/"
            if path.startswith(start):
                return repository, path[len(start) :]
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # uv opens many connections at once; the default backlog of 5 resets some of them.
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up when they have seen enough; anything else is a fault of this server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Answer:
    status: int
    content: bytes = b""
    content_type: str = "text/plain"
    location: str | None = None


class _Handler(BaseHTTPRequestHandler):
    index: IndexServer
    protocol_version = "HTTP/1.1"
    # Without it the body waits 40 ms for the client to acknowledge the head.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._reply()

    def do_HEAD(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply()

    def do_CONNECT(self) -> None:
        """Turn a tunnel away and write down where it should go.

        With this server as its HTTPS proxy a client cannot reach another host unnoticed.
        """
        self.index.log.note(IndexRequest("CONNECT", self.path, None, None, 403))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the requests are kept where a test finds them."""

    def _reply(self) -> None:
        path = self._path()
        username, password = self._login()
        body = self._body()
        answer = self._answer(path, username, password, body)
        self.index.log.note(IndexRequest(self.command, path, username, password, answer.status))
        self.send_response(answer.status)
        if answer.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
        if answer.location is not None:
            self.send_header("Location", answer.location)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    def _path(self) -> str:
        url = urlsplit(self.path)
        if not self.index.by_host:
            return unquote(url.path)
        # Through a proxy, http comes as a whole URL; https comes as a path through a tunnel.
        return f"/{url.scheme or 'https'}/{url.netloc or self.headers['Host']}{url.path}"

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _login(self) -> tuple[str | None, str | None]:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None, None
        try:
            username, _, password = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return None, None
        return username, password

    def _answer(
        self, path: str, username: str | None, password: str | None, body: bytes
    ) -> _Answer:
        found = self.index.find(path)
        if found is None:
            return _Answer(404)
        repository, rest = found
        if repository.accepts is not None and (
            username is None or not repository.accepts(username, password or "")
        ):
            return self._forwarded(repository, rest) or _Answer(repository.denied_status)
        if self.command == "POST":
            return self._upload(repository, body)
        match rest.split("/"):
            case ["simple", ""]:
                return self._project_list(repository)
            case ["simple", project, ""] if normalized(project) in repository.wheels:
                return self._project_page(repository, normalized(project))
            case ["packages", filename]:
                for wheels in repository.wheels.values():
                    if filename in wheels:
                        content = wheels[filename].content
                        return _Answer(200, content, "application/octet-stream")
        return self._forwarded(repository, rest) or _Answer(404)

    def _forwarded(self, repository: Repository, rest: str) -> _Answer | None:
        if repository.forwards_to is None or not rest.startswith("simple/"):
            return None
        return _Answer(302, location=repository.forwards_to + rest.removeprefix("simple/"))

    def _upload(self, repository: Repository, body: bytes) -> _Answer:
        file = uploaded_file(self.headers.get("Content-Type", ""), body)
        if file is None:
            return _Answer(400)
        if file[2] in repository.wheels.get(normalized(file[0]), {}):
            return _Answer(409)
        repository.add(Wheel(*file))
        return _Answer(200)

    def _project_list(self, repository: Repository) -> _Answer:
        names = sorted(repository.wheels)
        if self._wants_json() and not repository.html_only:
            return _json({"projects": [{"name": name} for name in names]})
        return _html((f"{name}/", name) for name in names)

    def _project_page(self, repository: Repository, project: str) -> _Answer:
        wheels = list(repository.wheels[project].values())
        base = "../.." if repository.files_at is None else f"/{repository.files_at}"
        links = [(f"{base}/packages/{quote(w.filename)}", w, _sha256(w)) for w in wheels]
        if self._wants_json() and not repository.html_only:
            uploaded = {"upload-time": repository.uploaded_at} if repository.uploaded_at else {}
            files = [
                {"filename": w.filename, "url": url, "hashes": {"sha256": digest}, **uploaded}
                for url, w, digest in links
            ]
            versions = sorted({w.version for w in wheels})
            return _json({"name": project, "versions": versions, "files": files})
        return _html((f"{url}#sha256={digest}", w.filename) for url, w, digest in links)

    def _wants_json(self) -> bool:
        return JSON_TYPE in self.headers.get("Accept", "")


def _sha256(wheel: Wheel) -> str:
    return hashlib.sha256(wheel.content).hexdigest()


def _json(body: dict[str, object]) -> _Answer:
    text = json.dumps({"meta": {"api-version": "1.0"}, **body})
    return _Answer(200, text.encode(), JSON_TYPE)


def _html(links: Iterable[tuple[str, str]]) -> _Answer:
    anchors = "".join(
        f'<a href="{html.escape(url)}">{html.escape(text)}</a><br>\n' for url, text in links
    )
    head = '<head><meta name="pypi:repository-version" content="1.0"></head>'
    page = f"<!DOCTYPE html><html>{head}<body>\n{anchors}</body></html>\n"
    return _Answer(200, page.encode(), HTML_TYPE)
