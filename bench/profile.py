"""Where the operator's CPU goes: its stack, looked at each millisecond of CPU."""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.budget import least_writes
from bench.changes import create, make, other_logins
from bench.observe import await_quiet, await_writes
from bench.phase import COLD_START, KEY_ROTATED, RESTART
from bench.rounds import PATIENT, UNTIL_SECOND_LISTING, deadline_of, fresh_server
from bench.sampler import SAMPLES
from bench.scene import Scene
from support.operator_process import REPOSITORY, OperatorProcess
from support.world import World, open_world

Profile = dict[str, float]
"""Seconds of CPU by part, as `bench.sampler` names them."""


def profile(scene: Scene, env: dict[str, str]) -> dict[str, Profile]:
    """A cold start, and a restart with the rotation of all keys, each in a process of its own."""
    with fresh_server() as plane, open_world(plane) as world:
        world.apply(*scene.namespace_objects())
        asyncio.run(create(plane.kubeconfig_admin, scene.objects(world.aws)))
        deadline = deadline_of(scene)
        with _sampled(scene, world, env) as (operator, started):
            mark = plane.audit_mark()
            operator.start(wait=False)
            await_writes(plane, mark, least_writes(scene, COLD_START), seconds=deadline)
        with _sampled(scene, world, env) as (operator, again):
            mark = plane.audit_mark()
            operator.start()
            await_quiet(plane, mark, UNTIL_SECOND_LISTING, seconds=deadline)
            mark = plane.audit_mark()
            asyncio.run(make(plane.kubeconfig_admin, other_logins(scene, world.aws), 0))
            await_writes(plane, mark, least_writes(scene, KEY_ROTATED), seconds=deadline)
    return {COLD_START: started, f"{RESTART}, {KEY_ROTATED}": again}


def profile_table(profiles: dict[str, Profile]) -> str:
    """Seconds of CPU by part, the largest first, as Markdown; a column for each process."""
    parts = {part for profile in profiles.values() for part in profile}
    order = sorted(
        parts, key=lambda part: -sum(profile.get(part, 0) for profile in profiles.values())
    )
    rows = [["part", *profiles], ["---"] * (len(profiles) + 1)]
    for part in order:
        rows.append(
            [part, *(_shown(profile.get(part, 0), profile) for profile in profiles.values())]
        )
    rows.append(["all", *(f"{sum(profile.values()):.2f} s" for profile in profiles.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _shown(seconds: float, profile: Profile) -> str:
    return f"{seconds:.2f} s, {100 * seconds / sum(profile.values()):.0f} %"


@contextmanager
def _sampled(
    scene: Scene, world: World, env: dict[str, str]
) -> Iterator[tuple[OperatorProcess, Profile]]:
    """The operator, not started yet, and what its profile is put into when it has ended."""
    found: Profile = {}
    path = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "tests", "."))
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.json"
        more = {**env, "PYTHONPATH": path, SAMPLES: str(samples)}
        operator = world.operator(PATIENT, *scene.flags, module="bench.sampler", **more)
        try:
            yield operator, found
        finally:
            operator.stop(seconds=30)
        found.update(json.loads(samples.read_text()))
