"""What is asked all the time: new files of the good tenant, and /healthz."""

import contextlib
import http.client
import math
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.scene import Object
from bench.tenants.plan import GOOD, NEW, new_objects
from support.chaos.fleet import PLURALS
from support.control_plane import wait_until
from support.kube_proxy import KubeProxy
from support.operator_process import OperatorProcess

_EVERY = 1.0
_LATEST = 60.0
"""Seconds after which a file that is not there yet is not waited for."""
_HEALTH_EVERY = 0.5
_HEALTH_TIMEOUT = 5.0
"""Seconds: the chart's `livenessProbe.timeoutSeconds`."""


class Follower(Protocol):
    """Says of each file when it was served first, in POSIX seconds."""

    @property
    def served(self) -> dict[str, float]:
        """By name."""


@dataclass
class NewFiles:
    """Creates a file each second; `waits` are the seconds until each was served, in that order.

    `objects` makes what is created for a name in the `namespace`, the file last. What is there is
    taken away again, so that there are never more logins than there were.
    """

    proxy: KubeProxy
    follower: Follower
    first: int = 0
    waits: list[float] = field(default_factory=list)
    created: dict[str, float] = field(default_factory=dict)
    namespace: str = GOOD
    objects: Callable[[str], Iterable[Object]] = new_objects
    _waited: dict[str, float] = field(default_factory=dict)

    def step(self) -> None:
        """Create the next one, and delete those that are served."""
        name = f"{NEW}{self.first + len(self.created) + len(self._waited):05}"
        for item in self.objects(name):
            begun = time.time()
            self._create(item)
        self.created[name] = begun
        self._collect()

    def finish(self) -> None:
        """Wait for the last ones; those that do not come count for as long as they were awaited."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self.created.keys() <= self.follower.served.keys(), "them", _LATEST)
        self._collect()
        now = time.time()
        for name, begun in list(self.created.items()):
            self._leave(name, now - begun)
        self.waits = [self._waited[name] for name in sorted(self._waited)]

    @property
    def p50(self) -> float:
        """The median wait in seconds."""
        return statistics.median(self.waits)

    @property
    def p99(self) -> float:
        """The 99th percentile of the waits in seconds."""
        return _p99(self.waits)

    def p99_beyond(self, bare: "NewFiles") -> float:
        """The 99th percentile of the seconds by which each took longer than a bare one then."""
        pairs = zip(self.waits, bare.waits, strict=False)
        return _p99([max(0.0, waited - without) for waited, without in pairs])

    def _collect(self) -> None:
        for name, begun in list(self.created.items()):
            if name in self.follower.served:
                self._leave(name, self.follower.served[name] - begun)

    def _leave(self, name: str, waited: float) -> None:
        del self.created[name]
        self._waited[name] = waited
        for kind in ("IndexOptions", "ArtifactIndex", "Secret"):
            self.proxy.request("DELETE", f"{PLURALS[kind].format(self.namespace)}/{name}")

    def _create(self, item: Object) -> None:
        resource, namespace, body = item
        status, answer = self.proxy.request("POST", resource.collection_path(namespace), body)
        if status != 201:
            raise RuntimeError(f"{resource.plural}: {status} {answer}")


def _p99(waits: Sequence[float]) -> float:
    return sorted(waits)[math.ceil(0.99 * len(waits)) - 1]


@contextlib.contextmanager
def creating(*each: NewFiles) -> Iterator[None]:
    """Create one of each every second while the block lasts, then wait for the last ones."""
    ended, failed = threading.Event(), list[BaseException]()

    def create() -> None:
        try:
            while not ended.is_set():
                begun = time.monotonic()
                for files in each:
                    files.step()
                ended.wait(max(0.0, begun + _EVERY - time.monotonic()))
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=create, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failed:
        raise failed[0]
    for files in each:
        files.finish()


@dataclass
class HealthAsked:
    """Answers of /healthz: `bad` are those other than 200 within 5 s; `worst` is in seconds.

    `gap` is the longest time without a good one, in seconds.
    """

    asked: int = 0
    bad: int = 0
    worst: float = 0.0
    gap: float = 0.0


@contextlib.contextmanager
def asking_health(operator: OperatorProcess) -> Iterator[HealthAsked]:
    """Ask a running operator twice a second for as long as the block lasts."""
    found, ended, port = HealthAsked(), threading.Event(), operator.health_port

    def ask() -> None:
        last_good = time.monotonic()
        while not ended.is_set():
            begun = time.monotonic()
            good = _is_good(port)
            now = time.monotonic()
            found.asked += 1
            found.bad += not good
            found.worst = max(found.worst, now - begun)
            found.gap = max(found.gap, now - last_good)
            last_good = now if good else last_good
            ended.wait(max(0.0, begun + _HEALTH_EVERY - now))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join(2 * _HEALTH_TIMEOUT)


def _is_good(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_HEALTH_TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
