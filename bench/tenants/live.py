"""The good tenant alone, then beside the hostile ones, then with all of them at a restart."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from artifact_index.kube.resources import SECRETS
from bench.bytecode import Build
from bench.changes import Change, create, make
from bench.observe import cpu_seconds, memory_mib
from bench.rounds import fresh_server
from bench.tenants.bare import BARE, BareLoop, bare_objects
from bench.tenants.plan import HUNG_USER, LARGE, NAMESPACES, SLOW, Tenants, another_password
from bench.tenants.probes import HealthAsked, NewFiles, asking_health, creating
from bench.tenants.slow_admission import SlowAdmission
from bench.tenants.witness import Seen, Witness
from support.clouds.http_stand_in import Fault
from support.control_plane import wait_until
from support.kube_proxy import KubeProxy
from support.operator_process import OperatorProcess
from support.scrapes import Scrape
from support.world import OPERATOR_USER, World, open_world

ALONE, ARRIVING, BESIDE, RESTARTED = "alone", "others arrive", "beside others", "restarted"

_LAG = "artifact_index_event_loop_lag_seconds"
_MINT, _LOOKUP = "GetAuthorizationToken", "GetRepositoryEndpoint"
_HANG = 60.0
"""Seconds for which the cloud is silent: the operator gives up before."""
_START = 120.0


@dataclass
class Watched:
    """One phase: what the good tenant noticed, and what the operator took.

    `lag_p99` in seconds is the bucket of the operator's own histogram. `memory` is the peak of the
    process in MiB. `mints` are requests for tokens, also those that were refused, `lookups` those
    for the URLs of repositories. `bare` are the files of a loop without an operator.
    """

    name: str
    seconds: float
    files: NewFiles
    health: HealthAsked
    seen: Seen = field(default_factory=Seen)
    lag_p99: float = 0.0
    memory: float = 0.0
    cpu: float = 0.0
    mints: int = 0
    lookups: int = 0
    bare: NewFiles | None = None


def live_together(plan: Tenants, build: Build) -> list[Watched]:
    """Every phase on one API server."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = stack.enter_context(open_world(stack.enter_context(fresh_server())))
        admission = stack.enter_context(SlowAdmission(folder, plan.delay))
        proxy = stack.enter_context(KubeProxy(world.plane))
        witness = stack.enter_context(Witness(proxy, world.aws))
        bare = stack.enter_context(BareLoop(proxy))
        together = _Together(plan, build, world, witness, bare)
        together.prepare(admission)
        together.run()
    return together.phases


class _Together:
    def __init__(
        self, plan: Tenants, build: Build, world: World, witness: Witness, bare: BareLoop
    ) -> None:
        self._plan = plan
        self._build = build
        self._world = world
        self._witness = witness
        self._bare = bare
        self._admin = world.plane.kubeconfig_admin
        self._passwords = 0
        self._files = 0
        self.phases: list[Watched] = []

    def prepare(self, admission: SlowAdmission) -> None:
        """The namespaces, the slow admission to one of them, and the good tenant."""
        names = [{"metadata": {"name": name}} for name in (*NAMESPACES, BARE)]
        spaces = [{"apiVersion": "v1", "kind": "Namespace", **name} for name in names]
        self._world.apply(*spaces, admission.configuration(SLOW, OPERATOR_USER))
        self._world.aws.cap_seconds = self._plan.life
        silent = Fault(hang_seconds=_HANG, reset=True)
        self._world.aws.inject(_MINT, silent, principal=HUNG_USER)
        asyncio.run(create(self._admin, list(self._plan.good_objects(self._world.aws))))

    def run(self) -> None:
        """All phases, in order."""
        with self._operator() as operator:
            self._await_good()
            with self._watched(ALONE, operator):
                time.sleep(self._plan.seconds)
            with self._watched(ARRIVING, operator):
                hostile = list(self._plan.hostile_objects(self._world.aws))
                asyncio.run(create(self._admin, hostile, self._plan.arrival))
            with self._watched(BESIDE, operator):
                self._change_passwords(self._plan.seconds)
        with self._operator() as operator, self._watched(RESTARTED, operator):
            self._change_passwords(self._plan.seconds / 2)

    @contextmanager
    def _operator(self) -> Iterator[OperatorProcess]:
        flags, build = self._plan.flags, self._build
        operator = self._world.operator(*flags, python=build.python, **build.env)
        with operator:
            yield operator

    def _await_good(self) -> None:
        def served() -> bool:
            return self._witness.take().held == self._plan.good

        wait_until(served, "the good tenant's tokens", _START)

    def _change_passwords(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self._passwords += 1
            body = another_password(self._passwords)
            change = Change(SECRETS, LARGE, body["metadata"]["name"], body, ("", "", ""))
            asyncio.run(make(self._admin, [change], 0))
            time.sleep(max(0.0, min(self._plan.password_seconds, ends - time.monotonic())))

    @contextmanager
    def _watched(self, name: str, operator: OperatorProcess) -> Iterator[None]:
        """What happens inside; a phase ends when its new files are there, or are given up."""
        proxy, first = self._witness.proxy, self._files
        files = NewFiles(proxy, self._witness, first)
        bare = NewFiles(proxy, self._bare, first, namespace=BARE, objects=bare_objects)
        begun, cpu, lag = time.monotonic(), cpu_seconds(operator.pid), _lag_counts(operator)
        calls = self._world.aws.calls
        mints, lookups = calls(_MINT), calls(_LOOKUP)
        self._witness.take()
        with asking_health(operator) as health, creating(files, bare):
            yield
        self._files += len(files.waits)
        self.phases.append(
            Watched(
                name,
                seconds=time.monotonic() - begun,
                files=files,
                health=health,
                seen=self._witness.take(),
                lag_p99=_p99(lag, _lag_counts(operator)),
                memory=memory_mib(operator.pid),
                cpu=cpu_seconds(operator.pid) - cpu,
                mints=calls(_MINT) - mints,
                lookups=calls(_LOOKUP) - lookups,
                bare=bare,
            )
        )


def _lag_counts(operator: OperatorProcess) -> dict[float, float]:
    """How many timers were at most so many seconds late."""
    buckets = Scrape(operator).of(f"{_LAG}_bucket")
    return {float(bound): count for (bound,), count in buckets.items()}


def _p99(before: dict[float, float], after: dict[float, float]) -> float:
    """The least bound that holds for 99 % of what came between."""
    counts = {bound: after[bound] - before[bound] for bound in sorted(after)}
    return next(bound for bound, count in counts.items() if count >= 0.99 * max(counts.values()))
