"""One round: the operator on a fresh API server, then the bare loop on another."""

import asyncio
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from bench.bare_loop import Write, wave
from bench.budget import Expected, expected, least_writes
from bench.bytecode import Build
from bench.changes import (
    Change,
    answer_times,
    create,
    edits,
    make,
    new_namespaces,
    other_logins,
)
from bench.fan_out import FanOut
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
from bench.phase import (
    COLD_START,
    IDLE,
    KEY_ROTATED,
    NAMESPACES_ADDED,
    RESTART,
    SECRETS_CHANGED,
    STORM,
    TOKEN_REFRESHED,
    WITH_BARE_LOOP,
    Durations,
    Phase,
)
from bench.scene import PRINCIPAL, Scene
from support.control_plane import ControlPlane
from support.operator_process import REPOSITORY, OperatorProcess
from support.world import World, open_world

# Another commit's operator is read and started by these, too: what changes has to keep both.
_LAG = re.compile(r"event loop lag over the last minute: p99 (\d+) ms, worst (\d+) ms")

PATIENT = "--mint-patience=2m"
"""Counts are exact on a slow machine, too: no file goes without a login that is on its way."""

_WRITES_PER_SECOND = 150
"""What a machine that is busy with other things gets done."""

UNTIL_SECOND_LISTING = 6.5
"""Seconds without a request after which the listing that follows a start has been, too."""

_AT_REST = 12.0
"""The same for an operator that is counted, and so much slower; it checks the server every 20 s."""


@contextmanager
def fresh_server() -> Iterator[ControlPlane]:
    """kube-apiserver and etcd; the controllers' work on the same cores would only add noise."""
    plane = ControlPlane()
    plane.binaries = dataclasses.replace(plane.binaries, kube_controller_manager=None)
    with plane:
        yield plane


def operate(scene: Scene, durations: Durations, build: Build) -> list[Phase]:
    """The phases of one operator, without the bare loop."""
    return _operate(scene, durations, build).phases


def run_round(scene: Scene, durations: Durations, ours: Build) -> list[Phase]:
    """The operator's phases, those that write with the bare loop's time and CPU beside them."""
    operated = _operate(scene, durations, ours)
    if not scene.compared:
        return operated.phases
    waves = [
        wave(before, after)
        for before, after in zip([None, *operated.states], operated.states, strict=False)
    ]
    with fresh_server() as plane, open_world(plane) as world:
        _prepare(scene, world)
        written = [phase for phase in operated.phases if phase.name in WITH_BARE_LOOP]
        _run_bare_loop(scene, world, waves, written, ours.env)
    return operated.phases


def _operate(scene: Scene, durations: Durations, build: Build) -> "_OperatorRound":
    with fresh_server() as plane, open_world(plane) as world:
        operated = _OperatorRound(scene, durations, world, build)
        operated.run()
    return operated


def _prepare(scene: Scene, world: World) -> None:
    world.apply(*scene.namespace_objects())
    asyncio.run(create(world.plane.kubeconfig_admin, scene.objects(world.aws)))


def deadline_of(scene: Scene) -> float:
    """Seconds that any phase may take before the bench gives up."""
    return 180.0 + 0.05 * least_writes(scene, COLD_START)


class _OperatorRound:
    """`states` is what each writing phase left behind."""

    def __init__(self, scene: Scene, durations: Durations, world: World, build: Build) -> None:
        self._scene = scene
        self._durations = durations
        self._world = world
        self._build = build
        self._plane = world.plane
        self._admin = world.plane.kubeconfig_admin
        self._deadline = deadline_of(scene) * build.slowdown
        self.phases: list[Phase] = []
        self.states: list[Snapshot] = []

    def run(self) -> None:
        """All phases, in order."""
        _prepare(self._scene, self._world)
        with self._stopped_at_the_end() as operator:
            self._cold_start(operator)
        self._read_lag(self.phases[-1], operator)
        if self._scene.phases:
            steps: dict[str, Callable[[OperatorProcess], None]] = {
                RESTART: self._restart,
                IDLE: self._idle,
                KEY_ROTATED: self._rotate_key,
                TOKEN_REFRESHED: self._refresh_token,
                STORM: self._storm,
                SECRETS_CHANGED: self._change_secrets,
                NAMESPACES_ADDED: self._add_namespaces,
            }
            with self._stopped_at_the_end() as operator:
                for name in self._scene.phases:
                    steps[name](operator)
            self._read_lag(self.phases[-1], operator)

    @contextmanager
    def _stopped_at_the_end(self) -> Iterator[OperatorProcess]:
        module = "bench.both_clouds" if self._scene.both_clouds else "artifact_index"
        flags, build = (PATIENT, *self._scene.flags), self._build
        counted = build.slowdown > 1
        if counted:
            module = "bench.counted"
        operator = self._world.operator(*flags, module=module, python=build.python, **build.env)
        operator.processors = build.processors
        operator.ready_within *= build.slowdown
        mark = self._plane.audit_mark()
        try:
            yield operator
            if counted:
                # The whole process counts, so it ends where it is at rest.
                await_quiet(self._plane, mark, _AT_REST, seconds=self._deadline)
        finally:
            operator.stop(seconds=60 * build.slowdown)

    def _cold_start(self, operator: OperatorProcess) -> None:
        with self._phase(COLD_START, operator) as phase:
            mark, begun = self._plane.audit_mark(), time.time()
            operator.start(wait=False)
            self._await_writes(COLD_START, mark, quiet=0.0)
            until_last_write = cpu_seconds(operator.pid)
            self._await_writes(COLD_START, mark)
        # kopf's watches begin with the last write: how much of their listing falls into the wait
        # for surplus writes is chance. A restart's CPU has all of it.
        phase.cpu = until_last_write
        requests = requests_since(self._plane, mark)
        _time(phase, requests, requests.begun)
        phase.start_up = requests.begun - begun
        phase.memory = memory_mib(operator.pid)
        self._keep_state()

    def _restart(self, operator: OperatorProcess) -> None:
        with self._phase(RESTART, operator) as phase:
            mark, begun = self._plane.audit_mark(), time.monotonic()
            operator.start()
            phase.ready = time.monotonic() - begun
            await_quiet(self._plane, mark, UNTIL_SECOND_LISTING, seconds=self._deadline)
        phase.memory = memory_mib(operator.pid)

    def _idle(self, operator: OperatorProcess) -> None:
        before = memory_mib(operator.pid, "VmRSS")
        with self._phase(IDLE, operator) as phase:
            time.sleep(self._durations.idle)
        phase.total = self._durations.idle
        phase.memory = memory_mib(operator.pid, "VmRSS") - before

    def _rotate_key(self, operator: OperatorProcess) -> None:
        if TOKEN_REFRESHED in self._scene.phases:
            # The refresh must not begin while the rotation is still being written.
            pause = least_writes(self._scene, KEY_ROTATED) // _WRITES_PER_SECOND
            self._world.aws.cap_seconds = self._durations.life + pause
        changes = other_logins(self._scene, self._world.aws)
        with self._phase(KEY_ROTATED, operator) as phase:
            mark, begun = self._plane.audit_mark(), time.time()
            asyncio.run(make(self._admin, changes, 0))
            self._await_writes(KEY_ROTATED, mark)
        # The token that follows is not to be refreshed once more.
        self._world.aws.cap_seconds = None
        _time(phase, requests_since(self._plane, mark), begun)
        phase.memory = memory_mib(operator.pid)
        self._keep_state()

    def _refresh_token(self, operator: OperatorProcess) -> None:
        with self._phase(TOKEN_REFRESHED, operator) as phase:
            mark = self._plane.audit_mark()
            self._await_writes(TOKEN_REFRESHED, mark)
        issued_at = self._world.aws.tokens.all()[-1].issued_at
        _time(phase, requests_since(self._plane, mark), issued_at)
        phase.memory = memory_mib(operator.pid)
        self._keep_state()

    def _storm(self, operator: OperatorProcess) -> None:
        self._steadily(STORM, operator, edits(self._scene), self._durations.storm)

    def _change_secrets(self, operator: OperatorProcess) -> None:
        changes = other_logins(self._scene, self._world.aws)
        self._steadily(SECRETS_CHANGED, operator, changes, self._durations.storm)

    def _add_namespaces(self, operator: OperatorProcess) -> None:
        """Create namespaces while all outputs are being rotated."""
        assert isinstance(self._scene, FanOut)
        rotation = other_logins(self._scene, self._world.aws)
        changes = new_namespaces(self._scene)
        with self._phase(NAMESPACES_ADDED, operator) as phase:
            mark, begun = self._plane.audit_mark(), time.time()
            asyncio.run(make(self._admin, rotation, 0))
            seconds = self._scene.namespaces / _WRITES_PER_SECOND / 3
            sent = asyncio.run(make(self._admin, changes, seconds))
            self._await_writes(NAMESPACES_ADDED, mark)
        requests = requests_since(self._plane, mark)
        _time(phase, requests, begun)
        phase.answer_p50, phase.answer_p99 = answer_times(changes, sent, requests)
        phase.memory = memory_mib(operator.pid)

    def _steadily(
        self, name: str, operator: OperatorProcess, changes: list[Change], seconds: float
    ) -> None:
        with self._phase(name, operator) as phase:
            mark, begun = self._plane.audit_mark(), time.time()
            sent = asyncio.run(make(self._admin, changes, seconds))
            self._await_writes(name, mark)
        requests = requests_since(self._plane, mark)
        _time(phase, requests, begun)
        phase.answer_p50, phase.answer_p99 = answer_times(changes, sent, requests)
        phase.memory = memory_mib(operator.pid)

    def _await_writes(self, phase: str, mark: int, *, quiet: float = 1.0) -> None:
        count = least_writes(self._scene, phase)
        await_writes(self._plane, mark, count, seconds=self._deadline, quiet=quiet)

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
        state = asyncio.run(snapshot(self._admin))
        self.states.append(state)
        bodies = (body for kind in state.values() for body in kind.values())
        self.phases[-1].stored = sum(len(json.dumps(body)) for body in bodies) / 2**20


def _time(phase: Phase, requests: Requests, begun: float) -> None:
    """Take the times of a phase that wrote."""
    phase.total = requests.last_write - begun
    phase.writing = requests.last_write - requests.first_write


def _run_bare_loop(
    scene: Scene,
    world: World,
    waves: list[list[Write]],
    phases: list[Phase],
    env: dict[str, str],
) -> None:
    key = world.aws.add_access_key(principal=PRINCIPAL)
    command = [sys.executable, "-m", "bench.bare_loop", str(world.kubeconfig)]
    begun = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **env, **world.aws.env(key)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        _answer(process.stdout)
        phases[0].bare_start_up = time.monotonic() - begun
        # The first wave has the start in its CPU, as a cold start has.
        before = 0.0
        for writes, phase in zip(waves, phases, strict=True):
            mark, server = world.plane.audit_mark(), world.plane.pids["kube-apiserver"]
            server_before = cpu_seconds(server)
            calls = expected(scene, phase.name) if scene.many_calls else Expected()
            wanted = {"writes": writes, "mints": calls.mints, "urls": calls.endpoint_calls}
            process.stdin.write(json.dumps(wanted) + "\n")
            process.stdin.flush()
            asked = float(_answer(process.stdout))
            await_writes(world.plane, mark, len(writes), seconds=deadline_of(scene))
            requests = requests_since(world.plane, mark)
            phase.bare = max(requests.last_write - requests.first_write, asked)
            phase.bare_cpu, before = (now := cpu_seconds(process.pid)) - before, now
            phase.bare_server_cpu = cpu_seconds(server) - server_before
            phase.compare()
        process.stdin.close()


def _answer(output: IO[str]) -> str:
    if not (line := output.readline()):
        raise RuntimeError("the bare loop has failed; its own output says why")
    return line
