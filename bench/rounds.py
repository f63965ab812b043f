"""One round: the operator on a fresh API server, then the bare loop on another."""

import asyncio
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from artifact_index.kube.resources import SECRETS
from bench.bare_loop import Write, wave
from bench.observe import (
    Requests,
    Snapshot,
    await_quiet,
    await_writes,
    cpu_seconds,
    memory_mib,
    requests_since,
    snapshot,
)
from bench.scene import NAMESPACE, Scene, access_key, create_objects, rotate_login
from support.control_plane import ControlPlane
from support.operator_process import REPOSITORY, OperatorProcess
from support.world import World, open_world

_LAG = re.compile(r"event loop lag over the last minute: p99 (\d+) ms, worst (\d+) ms")

_DEADLINE = 180.0
"""Seconds that any phase may take before the bench gives up."""

_UNTIL_SECOND_LISTING = 6.5
"""Seconds without a request after which the listing that follows a start has been, too."""

COLD_START, RESTART, IDLE = "cold start", "restart", "idle"
KEY_ROTATED, TOKEN_REFRESHED = "key rotated", "token refreshed"
WITH_BARE_LOOP = (COLD_START, KEY_ROTATED, TOKEN_REFRESHED)


@dataclass(frozen=True)
class Durations:
    """Seconds: `idle`, for how long the operator is watched doing nothing, and `life` of the tokens
    minted after the key is rotated: a little more than what the freshness formula sets aside, so
    that their refresh can be waited for. None leaves the refresh out."""

    idle: float
    life: int | None


@dataclass
class Phase:
    """One thing that the operator did, and what it cost; None where it has no meaning.

    Seconds: `total` from its first request (or from what made it act) to its last write,
    `writing` from the first to the last write, `bare` the bare loop's from first to last write.
    `start_up` is from the start of the process to its first request, `ready` to /readyz.
    `memory` is the peak in MiB; of the idle phase it is the growth. `ratio` is `total` over
    `bare`; `work_ratio` that of the CPU times with the API server's, which a machine that is busy
    with other things distorts less.
    """

    scene: str
    name: str
    writes: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    mints: int = 0
    endpoint_calls: int = 0
    total: float | None = None
    writing: float | None = None
    start_up: float | None = None
    ready: float | None = None
    cpu: float | None = None
    server_cpu: float | None = None
    memory: float | None = None
    lag_p99: float | None = None
    lag_worst: float | None = None
    bare: float | None = None
    bare_cpu: float | None = None
    bare_server_cpu: float | None = None
    ratio: float | None = None
    work_ratio: float | None = None

    def timed(self, requests: Requests, begun: float) -> None:
        """Take the times of a phase that wrote."""
        self.total = requests.last_write - begun
        self.writing = requests.last_write - requests.first_write

    def compare(self) -> None:
        """Set the operator against the bare loop."""
        if self.total and self.bare:
            self.ratio = self.total / self.bare
        if self.cpu and self.server_cpu and self.bare_cpu and self.bare_server_cpu:
            bare = self.bare_cpu + self.bare_server_cpu
            self.work_ratio = (self.cpu + self.server_cpu) / bare


@contextmanager
def fresh_server() -> Iterator[ControlPlane]:
    """kube-apiserver and etcd; the controllers' work on the same cores would only add noise."""
    plane = ControlPlane()
    plane.binaries = dataclasses.replace(plane.binaries, kube_controller_manager=None)
    with plane:
        yield plane


def run_round(scene: Scene, durations: Durations, env: dict[str, str]) -> list[Phase]:
    """The operator's phases, those that write with the bare loop's time beside them.

    `env` is set for both processes.
    """
    with fresh_server() as plane, open_world(plane) as world:
        operated = _OperatorRound(scene, durations, world, env)
        operated.run()
    waves = [
        wave(before, after)
        for before, after in zip([None, *operated.states], operated.states, strict=False)
    ]
    with fresh_server() as plane, open_world(plane) as world:
        _prepare(scene, world)
        written = [phase for phase in operated.phases if phase.name in WITH_BARE_LOOP]
        _run_bare_loop(world, waves, written, env)
    return operated.phases


def _prepare(scene: Scene, world: World) -> None:
    world.namespace(NAMESPACE)
    objects = [(SECRETS, access_key(world.aws)), *scene.objects()]
    asyncio.run(create_objects(world.plane.kubeconfig_admin, objects))


class _OperatorRound:
    """`states` is what each writing phase left behind."""

    def __init__(
        self, scene: Scene, durations: Durations, world: World, env: dict[str, str]
    ) -> None:
        self._scene = scene
        self._durations = durations
        self._world = world
        self._env = env
        self._plane = world.plane
        self._admin = world.plane.kubeconfig_admin
        self.phases: list[Phase] = []
        self.states: list[Snapshot] = []

    def run(self) -> None:
        """All phases, in order."""
        _prepare(self._scene, self._world)
        with self._stopped_at_the_end() as operator:
            self._cold_start(operator)
        self._read_lag(self.phases[-1], operator)
        with self._stopped_at_the_end() as operator:
            self._restart(operator)
            self._idle(operator)
            self._rotate_key(operator)
            if self._durations.life is not None:
                self._refresh_token(operator)
        self._read_lag(self.phases[-1], operator)

    @contextmanager
    def _stopped_at_the_end(self) -> Iterator[OperatorProcess]:
        operator = self._world.operator(**self._env)
        try:
            yield operator
        finally:
            operator.stop()

    def _cold_start(self, operator: OperatorProcess) -> None:
        with self._phase(COLD_START, operator) as phase:
            mark, begun = self._plane.audit_mark(), time.time()
            operator.start(wait=False)
            # The key of the digests is one write more.
            await_writes(self._plane, mark, self._scene.writes + 1, seconds=_DEADLINE)
        requests = requests_since(self._plane, mark)
        phase.timed(requests, requests.begun)
        phase.start_up = requests.begun - begun
        phase.memory = memory_mib(operator.pid)
        self._keep_state()

    def _restart(self, operator: OperatorProcess) -> None:
        with self._phase(RESTART, operator) as phase:
            mark, begun = self._plane.audit_mark(), time.monotonic()
            operator.start()
            phase.ready = time.monotonic() - begun
            await_quiet(self._plane, mark, _UNTIL_SECOND_LISTING, seconds=_DEADLINE)
        phase.memory = memory_mib(operator.pid)

    def _idle(self, operator: OperatorProcess) -> None:
        before = memory_mib(operator.pid, "VmRSS")
        with self._phase(IDLE, operator) as phase:
            time.sleep(self._durations.idle)
        phase.total = self._durations.idle
        phase.memory = memory_mib(operator.pid, "VmRSS") - before

    def _rotate_key(self, operator: OperatorProcess) -> None:
        self._world.aws.cap_seconds = self._durations.life
        secret = access_key(self._world.aws)
        with self._phase(KEY_ROTATED, operator) as phase:
            mark, begun = self._plane.audit_mark(), time.time()
            asyncio.run(rotate_login(self._admin, secret))
            await_writes(self._plane, mark, self._scene.writes, seconds=_DEADLINE)
        phase.timed(requests_since(self._plane, mark), begun)
        phase.memory = memory_mib(operator.pid)
        self._keep_state()

    def _refresh_token(self, operator: OperatorProcess) -> None:
        with self._phase(TOKEN_REFRESHED, operator) as phase:
            mark = self._plane.audit_mark()
            await_writes(self._plane, mark, self._scene.writes, seconds=_DEADLINE)
        minted_at = self._world.aws.tokens.all()[-1].issued_at
        phase.timed(requests_since(self._plane, mark), minted_at)
        phase.memory = memory_mib(operator.pid)
        self._keep_state()

    @contextmanager
    def _phase(self, name: str, operator: OperatorProcess) -> Iterator[Phase]:
        """Counts and CPU time of what happens inside; the process may be started inside."""
        phase = Phase(self._scene.name, name)
        self.phases.append(phase)
        server, aws = self._plane.pids["kube-apiserver"], self._world.aws
        mark, server_before = self._plane.audit_mark(), cpu_seconds(server)
        before = cpu_seconds(operator.pid) if operator.process else 0.0
        mints, endpoints = aws.mints("GetAuthorizationToken"), aws.mints("GetRepositoryEndpoint")
        yield phase
        phase.cpu = cpu_seconds(operator.pid) - before
        phase.server_cpu = cpu_seconds(server) - server_before
        phase.mints = aws.mints("GetAuthorizationToken") - mints
        phase.endpoint_calls = aws.mints("GetRepositoryEndpoint") - endpoints
        requests = requests_since(self._plane, mark)
        phase.writes, phase.reads = dict(requests.writes), dict(requests.reads)
        phase.failed = requests.failed

    def _read_lag(self, phase: Phase, operator: OperatorProcess) -> None:
        """What the operator said at its end about its last minute."""
        p99, worst = _LAG.findall(operator.log)[-1]
        phase.lag_p99, phase.lag_worst = float(p99), float(worst)

    def _keep_state(self) -> None:
        self.states.append(asyncio.run(snapshot(self._admin)))


def _run_bare_loop(
    world: World, waves: list[list[Write]], phases: list[Phase], env: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "bench.bare_loop", str(world.kubeconfig)]
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for writes, phase in zip(waves, phases, strict=True):
            mark, before = world.plane.audit_mark(), cpu_seconds(process.pid)
            server = world.plane.pids["kube-apiserver"]
            server_before = cpu_seconds(server)
            process.stdin.write(json.dumps(writes) + "\n")
            process.stdin.flush()
            if process.stdout.readline() != f"{len(writes)}\n":
                raise RuntimeError("the bare loop has failed; its own output says why")
            await_writes(world.plane, mark, len(writes), seconds=_DEADLINE)
            requests = requests_since(world.plane, mark)
            phase.bare = requests.last_write - requests.first_write
            phase.bare_cpu = cpu_seconds(process.pid) - before
            phase.bare_server_cpu = cpu_seconds(server) - server_before
            phase.compare()
        process.stdin.close()
