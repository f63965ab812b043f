"""One Lease on an API server in memory, and candidates for it whose requests meet trouble."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from artifact_index.election.candidate import Candidate, Record, Request, Timing
from artifact_index.election.elector import Elector
from artifact_index.gate import Gate
from artifact_index.kube.errors import ApiError

Body = dict[str, Any]
EPOCH = 1_796_000_000.0


class LeaseServer:
    """Keeps the Lease with the rules of the API server: one winner for each version.

    Nobody changes what they get or gave: a week has 300,000 renewals.
    """

    def __init__(self) -> None:
        self.body: Body | None = None
        self.requests: list[tuple[float, str, str]] = []
        """When, by whom, and the verb."""
        self._version = 100
        self._watchers: list[asyncio.Queue[Body | None]] = []

    def act(self, request: Request) -> Record:
        """Answer a request. Raises ApiError."""
        if request.verb == "create":
            if self.body is not None:
                raise ApiError(409, "AlreadyExists", "it is there")
        elif self.body is None:
            raise ApiError(404, "NotFound", "there is none")
        if request.verb == "get":
            return Record(self.body or {})
        body = request.body or {}
        if request.verb == "update":
            version = body["metadata"]["resourceVersion"]
            if version != (self.body or {})["metadata"]["resourceVersion"]:
                raise ApiError(409, "Conflict", "stale")
        return Record(self.put(body["spec"], **(body.get("metadata") or {})))

    def put(self, spec: Body, **metadata: Any) -> Body:
        """Write it as anybody may."""
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self.body = {"metadata": metadata, "spec": spec}
        self._tell(self.body)
        return self.body

    def delete(self) -> None:
        """Delete it."""
        self.body = None
        self._tell(None)

    @property
    def spec(self) -> Body:
        """What it says."""
        assert self.body is not None
        spec: Body = self.body["spec"]
        return spec

    def _tell(self, body: Body | None) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(body)

    async def changes(self) -> AsyncIterator[Body | None]:
        """What a watch shows, without end."""
        queue: asyncio.Queue[Body | None] = asyncio.Queue()
        if self.body is not None:
            queue.put_nowait(self.body)
        self._watchers.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(queue)


@dataclass(frozen=True)
class Trouble:
    """What becomes of one request: `status` refuses it, `lost` loses the answer, it takes `delay`.

    Half of the time goes by before the server acts.
    """

    delay: float = 0.0
    status: int = 200
    lost: bool = False
    retry_after: float | None = None


HANGS = Trouble(delay=1e6)


@dataclass
class Line:
    """A candidate's connection: `trouble` is asked before each request, `late` delays its watch."""

    server: LeaseServer
    who: str
    trouble: Callable[[], Trouble] = Trouble
    late: float = 0.0
    deaf: bool = False
    """Whether the watch shows nothing."""
    namespace: str = "artifact-index-system"
    name: str = "artifact-index-operator"

    async def close(self) -> None:
        """Nothing is open."""

    async def ask(self, request: Request, seconds: float) -> Record:
        """See `LeasePort`."""
        now = asyncio.get_running_loop().time()
        self.server.requests.append((now, self.who, request.verb))
        trouble = self.trouble()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.sleep(trouble.delay / 2)
                if trouble.status != 200:
                    raise ApiError(trouble.status, "Trouble", "no", retry_after=trouble.retry_after)
                acted = self.server.act(request)
                await asyncio.sleep(1e6 if trouble.lost else trouble.delay / 2)
                return acted
        except TimeoutError:
            raise ApiError(0, "Timeout", "no answer") from None

    async def changes(self) -> AsyncIterator[Record | None]:
        """See `LeasePort`."""
        async for body in self.server.changes():
            await asyncio.sleep(self.late)
            if not self.deaf:
                yield None if body is None else Record(body)


class WatchedGate(Gate):
    """Tells when it opens, and when it was last open."""

    __slots__ = ("_before", "_closes_at", "on_open")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.on_open: Callable[[], None] = lambda: None
        self._before = self._closes_at = -1e9
        super().__init__(clock)
        self.close()
        self._before = -1e9  # nothing has passed yet

    @property
    def closes_at(self) -> float:
        return self._closes_at

    @closes_at.setter
    def closes_at(self, at: float) -> None:
        self._before = self.last_open()
        was_open, self._closes_at = self.open, at
        if self.open and not was_open:
            self.on_open()

    def last_open(self) -> float:
        """When something last passed it, or could."""
        return max(self._before, min(self.clock(), self._closes_at))


@dataclass(eq=False)
class Replica:
    """A candidate that runs: `worked` are the times in which its work ran."""

    line: Line
    timing: Timing = field(default_factory=Timing)
    in_use: bool = False
    identity: str = ""
    worked: list[list[float]] = field(default_factory=list)
    stubborn: bool = False
    """Whether its work does not end when it is cancelled."""

    def __post_init__(self) -> None:
        self.clock = asyncio.get_running_loop().time
        self.gate = WatchedGate(self.clock)
        identity = self.identity or self.line.who
        self.candidate = Candidate(
            identity, self.timing, self.gate, in_use=lambda: self.in_use, rng=random.Random(1)
        )
        self.elector = Elector(
            self.line, self.candidate, self._work, wall=lambda: EPOCH + self.clock()
        )

    def start(self) -> "asyncio.Task[None]":
        """Run it."""
        self.task = asyncio.create_task(self.elector.run())
        return self.task

    async def kill(self) -> None:
        """End it without a trace."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.gate.close()

    async def stop(self) -> None:
        """End it as SIGTERM does."""
        self.task.cancel()
        await asyncio.wait({self.task}, timeout=0.5)
        await self.elector.end(0.5)

    async def _work(self) -> None:
        self.worked.append([self.clock()])
        try:
            await asyncio.sleep(1e9)
        except asyncio.CancelledError:
            if not self.stubborn:
                raise
            await asyncio.sleep(1e9)
        finally:
            self.worked[-1].append(self.clock())


def holders(replicas: list[Replica]) -> Iterator[str]:
    """Whose gates are open now."""
    return (each.line.who for each in replicas if each.gate.open)
