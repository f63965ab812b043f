"""What a namespace costs does not depend on how many there are.

`FAN_OUT_SIZES` in the environment names other numbers of namespaces, such as `1000,2000,4000`.
"""

import asyncio
import cProfile
import gc
import os
import pstats
import tracemalloc

import pytest

from artifact_index.api.constants import ROLE_LABEL
from support.cluster_world import BUILDS, HOME, INDEX, ClusterWorld
from support.reconcile_builders import SECRETS, secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

SIZES = [int(size) for size in os.environ.get("FAN_OUT_SIZES", "100,200,400").split(",")]
INDEXES = 10
MOST_HELD = 2_000
"""Bytes for each namespace with its output: 10,000 of them fit beside a process with both SDKs."""


class Counted:
    """Function calls in a phase, of the operator and of the API server in memory."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    async def count(self, phase: str, seconds: float = 20.0) -> None:
        """Let the operator work in virtual time."""
        with cProfile.Profile() as profile:
            await asyncio.sleep(seconds)
        self.calls[phase] = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]


async def lived(size: int) -> tuple[dict[str, int], int]:
    """The calls of each phase with so many namespaces, and the bytes that a standby holds."""
    world, counted = ClusterWorld(), Counted()
    for number in range(size):
        world.namespace(f"ns-{number:05}", BUILDS)
    for number in range(INDEXES):
        world.index(f"gar-{number}", {**INDEX, "name": f"gar-{number}"})
    world.options()
    await world.start(wait=0)
    await counted.count("cold start")
    assert len(world.served("uv-config")) == size and world.mints == 1

    values = SECRETS["gcp-key"]
    key = values["key.json"].replace('"type"', '"n": 1, "type"')
    body = secret_body(
        "gcp-key", {**values, "key.json": key}, namespace=HOME, labels={ROLE_LABEL: "source"}
    )
    old = world.port.find("secrets", HOME, "gcp-key")
    assert old is not None
    body["metadata"]["uid"] = old["metadata"]["uid"]
    world.port.change("secrets", body)
    world.port.log.clear()
    await counted.count("key rotated")
    assert world.mints == 2
    assert world.writes() == {
        ("patch", "secrets"): size,
        ("patch", "clusterindexoptions/status"): 1,
        ("patch", "clusterartifactindexes/status"): INDEXES,
    }
    await world.kill()
    gc.collect()
    tracemalloc.start()
    world.operator = await world.standby()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return counted.calls, held


async def test_calls_and_memory_grow_with_the_namespaces_and_no_faster() -> None:
    rows = [await lived(size) for size in SIZES]
    for phase in rows[0][0]:
        small, middle, large = (
            (size, row[0][phase]) for size, row in zip(SIZES, rows, strict=True)
        )
        first = (middle[1] - small[1]) / (middle[0] - small[0])
        last = (large[1] - middle[1]) / (large[0] - middle[0])
        print(f"{phase}: {first:.0f} calls for each namespace, then {last:.0f}")
        assert last == pytest.approx(first, rel=0.05)
    held = [row[1] for row in rows]
    of_one = (held[2] - held[0]) / (SIZES[2] - SIZES[0])
    print(f"{of_one:.0f} B are held for each namespace")
    assert of_one < MOST_HELD
