"""Consent withdrawn in mid-rotation, namespaces that come and go, kills: the end is as consented.

`FAN_OUT_ROUNDS` in the environment chooses how often a namespace is replaced and the operator
killed, `CHAOS_SEED` another run.
"""

import contextlib
import os
import random
import time

import pytest

from support.chaos.platform import Platform
from support.chaos.platform_reader import PlatformReader
from support.control_plane import wait_until
from support.kube_proxy import KubeProxy, Unanswered
from support.operator_process import OperatorProcess
from support.world import World

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ROUNDS = int(os.environ.get("FAN_OUT_ROUNDS", "10"))
MOST_CHANGES = 5
PATIENCE = 90.0
"""Seconds that a busy machine may take to come to rest."""


def wait_converged(platform: Platform, reader: PlatformReader, operator: OperatorProcess) -> None:
    last: list[str | None] = [""]

    def converged() -> bool:
        try:
            last[0] = platform.trouble(reader.contents)
        except Unanswered as error:
            last[0] = f"the API server does not answer: {error}"
        return last[0] is None

    with contextlib.suppress(TimeoutError):
        wait_until(converged, "the namespaces to be as consented", PATIENCE)
    assert last[0] is None, f"{last[0]} (CHAOS_SEED={SEED}); log:\n{operator.log[-6000:]}"
    assert reader.violations == [], f"CHAOS_SEED={SEED}; log:\n{operator.log[-6000:]}"
    platform.settled()


def test_each_namespace_ends_with_exactly_what_it_consented_to(world: World) -> None:
    print(f"CHAOS_SEED={SEED}")
    rng = random.Random(SEED)
    operator = world.operator("--cluster-kinds=true", "--cluster-kinds-namespaces=platform-*")
    begun = time.monotonic()
    with KubeProxy(world.plane) as proxy:
        platform = Platform(world, proxy, rng)
        platform.populate()
        with PlatformReader(proxy, platform.bounds) as reader, operator:
            wait_converged(platform, reader, operator)
            for _ in range(ROUNDS):
                killed_after = rng.randrange(MOST_CHANGES)
                for number in range(MOST_CHANGES):
                    platform.change()
                    platform.pause(0.2)
                    if number == killed_after:
                        operator.kill()
                        platform.replace_a_namespace()
                        operator.start(wait=False)
                        platform.pause(1.0)
                wait_converged(platform, reader, operator)
            mints, versions = platform.mints, reader.versions
            operator.kill()
            mark = world.plane.audit_mark()
            operator.start()
            world.wait_second_listing(mark, 1, PATIENCE)
            wait_converged(platform, reader, operator)
            assert (platform.mints, reader.versions) == (mints, versions)
            assert "Traceback" not in operator.log, operator.log[-6000:]
            print(
                f"{ROUNDS} kills, {platform.deleted} namespaces deleted and as many created, "
                f"{platform.changes} changes, {reader.versions} versions of "
                f"files seen in {time.monotonic() - begun:.0f} s"
            )
        platform.remove()
