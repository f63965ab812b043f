"""The emulator as tests use it: a store, a server, faults and a log of requests."""

import asyncio
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, TypeVar

import yaml
from aiohttp import web

from support.emulator.collector import GarbageCollector
from support.emulator.faults import ANY, Fault, Faults, Outcome, RequestLog
from support.emulator.kinds import CRD_FOLDER, Kind, load_kinds
from support.emulator.selectors import parse_selectors
from support.emulator.server import Server
from support.emulator.store import Body, Record, Store
from support.emulator.threads import LoopThread
from support.emulator.watches import Watch

T = TypeVar("T")


class _Plural(Protocol):
    @property
    def plural(self) -> str: ...


Kindly: TypeAlias = str | _Plural
"""A plural such as `secrets`, or anything that has one (the operator's `Resource`)."""


Objects: TypeAlias = list[Body]
Watches: TypeAlias = list[Watch]


class Emulator:
    """An API server in this process, for tests: `with Emulator() as emulator`.

    Requests come in by HTTP at `url`. The server has a thread and an event loop of its own, so
    that a blocked loop, a synchronous test or kopf (which at its end cancels every task of the
    loop it runs in) does it no harm. The methods below work on the objects directly, from any
    thread, at once and without a trace in `requests`; they raise `Refused`.
    """

    def __init__(
        self,
        *,
        crds: Path | None = CRD_FOLDER,
        manager: str = "test",
        more: tuple[Kind, ...] = (),
    ) -> None:
        self.store = Store(load_kinds(crds) + more)
        self.requests = RequestLog()
        self.faults = Faults()
        self._server = Server(self.store, self.faults, self.requests)
        self._manager = manager
        self._thread: LoopThread | None = None
        self._runner: web.AppRunner | None = None
        self._held: socket.socket | None = None
        self._port = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        GarbageCollector(self.store)
        for namespace in ("default", "kube-system"):
            self.create_namespace(namespace)

    # Life

    def start(self, port: int = 0) -> None:
        """Serve on loopback; after a `stop()` at the same port, with the same objects."""
        self._thread = self._thread or LoopThread("emulator")
        self._thread.run(self._serve(port or self._port))

    def stop(self) -> None:
        """Stop serving and cut all connections; the objects stay."""
        if self._thread is not None and self._runner is not None:
            self.drop_watches()
            self._thread.run(self._runner.cleanup())
            self._runner = None

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        if self._thread is not None:
            self._thread.close()
            self._thread = None
        if self._held is not None:
            self._held.close()
            self._held = None
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _serve(self, port: int) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._server.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        if self._held is None:
            # While nobody listens the port must not become another connection's own end.
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._held.bind(("127.0.0.1", port))
            self._port = self._held.getsockname()[1]
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_port=True).start()

    def _do(self, action: Callable[[], T]) -> T:
        return action() if self._thread is None else self._thread.call(action)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def kubeconfig(self, path: Path | None = None) -> Path:
        """Write a kubeconfig that points here, and return its path."""
        if path is None:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="emulator-")
            path = Path(self._folder.name) / "kubeconfig"
        name = "emulator"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {"token": "emulated"}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
        path.write_text(yaml.safe_dump(config))
        return path

    # Objects

    def create_namespace(self, name: str) -> Body:
        """Create a namespace, or give the one that is there."""
        namespaces = self.store.kind("namespaces")
        body = {"metadata": {"name": name}, "status": {"phase": "Active"}}

        def ensure() -> Record:
            found = self.store.find(namespaces, "", name)
            return found or self.store.create(namespaces, "", body, manager=self._manager)

        return deepcopy(self._do(ensure).body)

    def create(self, kind: Kindly, body: Body, *, namespace: str | None = None) -> Body:
        """Create an object, in the namespace it names (else `default`), which is made if needed."""
        found = self._kind(kind)
        where = namespace or body.get("metadata", {}).get("namespace") or "default"
        if found.namespaced:
            self.create_namespace(where)
        typed = {"apiVersion": found.api_version, "kind": found.kind, **deepcopy(body)}
        place = where if found.namespaced else ""
        record = self._do(lambda: self.store.create(found, place, typed, manager=self._manager))
        return deepcopy(record.body)

    def create_all(self, objects: Iterable[tuple[Kindly, Body]], *, namespace: str) -> None:
        """Create objects of one namespace in one step: watchers hear of all at the same time."""
        self.create_namespace(namespace)
        made = [(self._kind(kind), deepcopy(body)) for kind, body in objects]

        def create() -> None:
            for kind, body in made:
                typed = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
                self.store.create(kind, namespace, typed, manager=self._manager)

        self._do(create)

    def get(self, kind: Kindly, namespace: str, name: str) -> Body:
        """Read an object; `Refused` with 404 where it is missing."""
        found = self._kind(kind)
        return deepcopy(self._do(lambda: self.store.read(found, namespace, name)).body)

    def find(self, kind: Kindly, namespace: str, name: str) -> Body | None:
        """Read an object that may be missing."""
        found = self._kind(kind)
        record = self._do(lambda: self.store.find(found, namespace, name))
        return deepcopy(record.body) if record else None

    def list(self, kind: Kindly, *, namespace: str | None = None, labels: str = "") -> Objects:
        """Read the objects that a label selector matches, by namespace and name."""
        found, predicate = self._kind(kind), parse_selectors(labels, "")
        records = self._do(lambda: self.store.select(found, namespace, predicate))
        return [deepcopy(record.body) for record in records]

    def patch(
        self,
        kind: Kindly,
        namespace: str,
        name: str,
        body: Body,
        *,
        subresource: str | None = None,
    ) -> Body:
        """Apply a merge patch."""
        found, copied = self._kind(kind), deepcopy(body)
        record = self._do(
            lambda: self.store.merge_patch(
                found, namespace, name, copied, manager=self._manager, subresource=subresource
            )
        )
        return deepcopy(record.body)

    def delete(self, kind: Kindly, namespace: str, name: str) -> None:
        """Delete an object; what it owns follows a moment later."""
        found = self._kind(kind)
        self._do(lambda: self.store.delete(found, namespace, name))

    def corrupt(
        self, kind: Kindly, namespace: str, name: str, edit: Callable[[Body], object]
    ) -> None:
        """Edit a stored object in place, past every rule: as an older version may have left it."""
        found = self._kind(kind)

        def store() -> None:
            body = deepcopy(self.store.read(found, namespace, name).body)
            edit(body)
            self.store.overwrite(found, namespace, name, body)

        self._do(store)

    # Faults

    @property
    def denied(self) -> set[str]:
        """What access reviews deny, each such as `create serviceaccounts/token`."""
        return self._server.denied

    @property
    def texts(self) -> dict[str, str]:
        """What paths answer that are no objects, such as a pod's log."""
        return self._server.texts

    def fail(
        self,
        verb: str,
        kind: Kindly,
        status: int = 500,
        *,
        count: int | None = 1,
        retry_after: float | None = None,
        message: str = "",
        outcome: Outcome = "status",
        continued: bool = False,
        subresource: str | None = None,
        name: str | None = None,
    ) -> Fault:
        """Let the next `count` matching requests fail (None: until `clear_faults`).

        `verb` and `kind` may be "*". `outcome` "reset" drops the connection before the request
        is acted on, "lost" after it. `continued` is for the later pages of a list.
        """
        fault = Fault(
            verb,
            ANY if kind == ANY else self._kind(kind).plural,
            status,
            count=count,
            retry_after=retry_after,
            message=message,
            outcome=outcome,
            continued=continued,
            subresource=subresource,
            name=name,
        )
        self.faults.waiting.append(fault)
        return fault

    def delay(
        self, seconds: float, *, verb: str = ANY, kind: Kindly = ANY, namespace: str = ANY
    ) -> None:
        """Answer matching requests later by some seconds."""
        plural = ANY if kind == ANY else self._kind(kind).plural
        self.faults.delays[namespace, verb, plural] = seconds

    def clear_faults(self) -> None:
        """Forget all faults and delays, also of requests that wait; muted watches stay muted."""
        self.faults.waiting.clear()
        self.faults.delays.clear()
        self.faults.silent.clear()

    def compact(self) -> None:
        """Forget the past: a watch from before is answered with ERROR 410, a list's rest too."""
        self._do(self.store.compact)
        self._do(self._server.expire_continue_tokens)

    def watches(self, kind: Kindly | None = None, *, user_agent: str = "") -> Watches:
        """Give the open watches."""
        wanted = None if kind is None else self._kind(kind)
        return [
            watch
            for watch in self._do(lambda: tuple(self._server.watches))
            if wanted in (None, watch.kind) and user_agent in watch.user_agent
        ]

    def drop_watches(self, kind: Kindly | None = None) -> None:
        """End the streams of open watches; the watchers may connect again."""
        for watch in self.watches(kind):
            self._do(watch.end)

    def expire_watches(self, kind: Kindly | None = None) -> None:
        """Send ERROR 410 into open watches and end them."""
        for watch in self.watches(kind):
            self._do(watch.expire)

    def silence_watches(self, kind: Kindly) -> None:
        """Keep watches of a kind open, and new ones too, but send them nothing any more."""
        self.faults.silent.add(self._kind(kind).plural)
        for watch in self.watches(kind):
            watch.muted = True

    @contextmanager
    def disconnected(self, kind: Kindly, *, compacted: bool = True) -> Iterator[None]:
        """Keep watchers of a kind away for a while: their watches end and new ones get 503.

        With `compacted` what happened meanwhile cannot be watched afterwards (410): objects
        deleted in between are never reported as such.
        """
        fault = self.fail("watch", kind, 503, count=None)
        self.drop_watches(kind)
        try:
            yield
        finally:
            if compacted:
                self.compact()
            self.faults.waiting.remove(fault)

    @property
    def bookmark_every(self) -> float:
        """Seconds between the bookmarks of a quiet watch that asked for them."""
        return self._server.bookmark_every

    @bookmark_every.setter
    def bookmark_every(self, seconds: float) -> None:
        self._server.bookmark_every = seconds

    def _kind(self, kind: Kindly) -> Kind:
        return self.store.kind(kind if isinstance(kind, str) else kind.plural)


async def wait_for(condition: Callable[[], Any], what: str, within: float = 30.0) -> Any:
    """Poll a condition in the running loop and return its first truthy value (seconds)."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not (value := condition()):
        if loop.time() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        await asyncio.sleep(0.005)
    return value
