"""The week: an operator between clouds and an API server in memory, on a virtual clock."""

import asyncio
import base64
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from artifact_index.reconcile.cache.digests import Digester
from artifact_index.settings import Settings
from artifact_index.wiring import Operator, env_of
from bench.week import shown
from bench.week.ledger import ELECTION, LEASES, NO_CAUSE, RESTART, Ledger
from bench.week.memory import Clouds, Server
from bench.week.plan import Index, Login, Place, Week, file_body, index_body, key_id, secret_body
from bench.week.timeline import Timeline
from bench.week.witness import STARTING, Minted, Witness
from support.lease_server import LeaseServer, Line, Replica, Trouble
from support.misfortunes import EPOCH
from support.operating import operating
from support.virtual_time import VirtualLoop

_SECOND_LISTING = 5.0
_HARMLESS_CODE = 410
_MIRROR = "https://mirror.example/simple"


@dataclass
class Lived:
    """The outcome of a week; `before_outage` has the last token of each login before it.

    `reads` counts requests. `cpu` is in seconds, of operator and surroundings together.
    """

    plan: Week
    timeline: Timeline
    ledger: Ledger
    reads: Counter[str]
    before_outage: dict[str, Minted] = field(default_factory=dict)
    cpu: float = 0.0


def live_through(plan: Week, tamper: Callable[[Operator], None] = lambda operator: None) -> Lived:
    """Run a week; `tamper` may change the operator at each of its starts, to test the counting."""
    return _Life(plan, tamper).live()


class _Life:
    """Makes the events of the timeline happen, and reports each of them to the witness."""

    def __init__(self, plan: Week, tamper: Callable[[Operator], None]) -> None:
        self._plan = plan
        self._tamper = tamper
        self._keys: Counter[str] = Counter()
        self._ledger = Ledger(self._now)
        self._witness = Witness(plan, self._ledger)
        self._server = Server(self._ledger.written)
        self._leases = LeaseServer()
        logins = plan.logins().values()
        lives = {login.name: login.life for login in logins if login.life is not None}
        self._clouds = Clouds(lives, self._witness.answered)
        self._lived = Lived(plan, Timeline(plan), self._ledger, self._server.reads)
        self._settings = Settings(
            operator_namespace="operator",
            operator_identity_namespaces=tuple(sorted({file[0] for file in plan.all_files()})),
            mint_patience=120.0,
        )

    def live(self) -> Lived:
        """Run the whole week."""
        begun = time.process_time()
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(self._run())
        self._lived.cpu = time.process_time() - begun
        return self._lived

    async def _run(self) -> None:
        self._prepare()
        changes = asyncio.create_task(self._change())
        down, up = self._lived.timeline.restart
        async with self._operating():
            standby = self._replica("b")
            await self._sleep_until(down)
        self._ledger.blame(RESTART)
        await self._sleep_until(up)
        async with self._operating():
            await self._sleep_until(up + STARTING)
            self._ledger.blame(NO_CAUSE)
            await self._sleep_until(self._plan.seconds)
        await standby.kill()
        await changes

    def _replica(self, name: str) -> Replica:
        """A candidate for the Lease, whose requests are counted; the operator beside it asks none.

        It follows the first life of the operator while that restarts, and then stays the leader.
        """

        def counted() -> Trouble:
            self._ledger.count(ELECTION, LEASES)
            return Trouble()

        replica = Replica(Line(self._leases, name, counted), self._plan.election)
        replica.start()
        return replica

    @asynccontextmanager
    async def _operating(self) -> AsyncIterator[None]:
        """One life of the operator with all parts that read, and the server's watch for kopf's."""
        env = env_of(
            self._settings,
            Digester(b"key"),
            clock=lambda: EPOCH + self._now(),
            rng=random.Random(1),
        )
        async with operating(self._settings, self._server, self._clouds.issue, env) as operator:
            self._tamper(operator)
            replica = self._replica("a")
            self._server.watcher = operator.feed
            readers = [
                asyncio.create_task(operator.sources.run()),
                asyncio.create_task(operator.relister.run(_SECOND_LISTING)),
            ]
            try:
                yield
            finally:
                self._server.watcher = None
                await replica.stop()
                for task in readers:
                    task.cancel()
                await asyncio.gather(*readers, return_exceptions=True)

    def _prepare(self) -> None:
        for login in self._plan.logins().values():
            if login.secret is not None:
                self._put_secret(login)
        for file in self._plan.all_files():
            self._server.change("indexoptions", file[0], file_body(file))
        for index in self._plan.indexes():
            self._server.change("artifactindexes", index.file[0], index_body(index))
        self._witness.started(self._plan)

    async def _change(self) -> None:
        for at, change in self._lived.timeline.changes(self):
            await self._sleep_until(at)
            change()

    # What happens, as the timeline has it

    def edit_index(self, index: Index) -> None:
        """Its uv ignores a status code that nobody answers."""
        body = index_body(index)
        body["spec"]["ignoreErrorCodes"] = [_HARMLESS_CODE]
        generation = self._server.change("artifactindexes", index.file[0], body)
        output = shown.code_ignored(index, _HARMLESS_CODE)
        self._witness.index_edited(index, output, generation)

    def edit_file(self, file: Place) -> None:
        """A mirror in the place of PyPI."""
        body = file_body(file)
        body["spec"]["publicIndex"] = {"url": _MIRROR}
        generation = self._server.change("indexoptions", file[0], body)
        self._witness.file_edited(file, shown.text(_MIRROR), generation)

    def rotate(self, login: Login) -> None:
        """Another key or password in the source Secret."""
        self._keys[login.name] += 1
        self._put_secret(login)
        if login.life is None:
            self._witness.password_rotated(login, key_id(login, self._keys[login.name]))
        else:
            self._witness.key_rotated(login)

    def add_index(self, index: Index) -> None:
        """Somebody creates it."""
        self._server.change("artifactindexes", index.file[0], index_body(index))
        self._witness.index_added(index)

    def delete_index(self, index: Index) -> None:
        """Somebody deletes it."""
        self._server.remove("artifactindexes", index.file[0], index.name)
        self._witness.index_deleted(index)

    def begin_outage(self) -> None:
        """No cloud answers until the end of it."""
        self._clouds.outages.append(self._lived.timeline.outage)
        self._lived.before_outage = dict(self._witness.minted)

    def _put_secret(self, login: Login) -> None:
        body = secret_body(login, self._keys[login.name])
        values = body.pop("stringData")
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self._server.change("secrets", body["metadata"].pop("namespace"), {**body, "data": data})

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _sleep_until(self, at: float) -> None:
        await asyncio.sleep(at - self._now())
