"""A namespace that cannot be written: what the status says, and what becomes of its outputs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.apply.writer import OutputWriter
from artifact_index.reconcile.cache.objects import OptionsObject
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.sources.policy import Problem
from support.cluster_world import INDEX, OPTIONS, SETTLED, ClusterWorld, serving
from support.reconcile_builders import MARGINS

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

LIFE = 1800
NAMESPACES = ["a", "b", "c", "d"]


@pytest.fixture
async def world() -> AsyncIterator[ClusterWorld]:
    """Four namespaces and one index for them."""
    async with serving(*NAMESPACES) as world:
        world.life = LIFE
        yield world


def refuse(world: ClusterWorld, verb: str, *, times: float = float("inf")) -> None:
    """Have the API server fail at so many writes of Secrets."""
    left = [times]

    def refusal(each: str, plural: str, _: str) -> ApiError | None:
        if (each, plural) != (verb, "secrets") or left[0] <= 0:
            return None
        left[0] -= 1
        return ApiError(500, "InternalError", "try later")

    world.port.refuse = refusal


async def test_ready_is_not_true_before_each_namespace_is_written(world: ClusterWorld) -> None:
    refuse(world, "create", times=20)
    await world.start(wait=0)
    for _ in range(200):
        await asyncio.sleep(0.1)
        assert world.ready()[0] != "True" or world.served().keys() == set(NAMESPACES)
    assert world.ready() == ("True", "Available")


async def test_a_long_wave_is_counted_and_not_ready(world: ClusterWorld) -> None:
    world.port.latency = lambda: 30.0
    await world.start(wait=25)
    counts = {"selected": 4, "written": 0, "failing": 0}
    stored = world.status()
    assert stored["namespaces"] == counts and stored["observedGeneration"] == -1
    assert world.ready() == ("", "")
    await asyncio.sleep(60)
    assert world.status()["namespaces"] == {**counts, "written": 4}
    assert world.ready() == ("True", "Available")
    world.index(spec={**INDEX, "namespaces": {"names": ["b", "c", "d"]}})
    for _ in range(60):
        await asyncio.sleep(1)
        assert "a" not in world.served() or world.status()["namespaces"]["written"] != 3
    await asyncio.sleep(LIFE)
    assert world.status()["namespaces"] == {"selected": 3, "written": 3, "failing": 0}
    assert world.mints > 1 and world.ready() == ("True", "Available")


async def test_an_output_that_cannot_be_deleted_is_no_unwritten_one(world: ClusterWorld) -> None:
    await world.start()
    refuse(world, "delete")
    world.namespace("a")
    await asyncio.sleep(SETTLED)
    assert world.status()["namespaces"] == {"selected": 3, "written": 3, "failing": 1}
    assert world.ready() == ("False", "NamespacesFailing")
    assert await world.restart() == []


async def test_no_token_expires_in_an_output_that_left_a_spec_which_cannot_be_met(
    world: ClusterWorld,
) -> None:
    await world.start()
    world.secret("a", "new")
    world.options(spec={**OPTIONS, "outputs": [{"kind": "Secret", "name": "new"}]})
    await asyncio.sleep(SETTLED)
    assert world.served().keys() == {"a"}
    await asyncio.sleep(LIFE - 2 * SETTLED)
    entries = world.entries("a")
    assert entries is not None and ".invalid/" in entries["gar"]


async def test_no_token_expires_in_an_output_that_cannot_be_deleted(world: ClusterWorld) -> None:
    await world.start()
    refuse(world, "delete")
    world.namespace("a")
    await asyncio.sleep(LIFE - SETTLED)
    entries = world.entries("a")
    assert entries is not None and ".invalid/" in entries["gar"]
    world.port.log.clear()
    await asyncio.sleep(600)
    assert len(world.port.log) < 20


async def test_a_token_is_withdrawn_in_time_where_a_new_output_is_refused(
    world: ClusterWorld,
) -> None:
    await world.start()
    refuse(world, "create")
    world.options(spec={**OPTIONS, "outputs": [{"kind": "Secret", "name": "new"}]})
    await asyncio.sleep(LIFE - 2 * SETTLED - MARGINS.propagation)
    for name in NAMESPACES:
        entries = world.entries(name)
        assert entries is not None and ".invalid/" in entries["gar"]


async def test_a_reconcile_that_raises_in_one_namespace_is_counted(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = OutputWriter._apply

    async def broken(
        self: OutputWriter, options: OptionsObject, output: DesiredOutput
    ) -> Problem | None:
        if output.ref.namespace == "b":
            raise ValueError("a fault of ours")
        return await apply(self, options, output)

    with monkeypatch.context() as patched:
        patched.setattr(OutputWriter, "_apply", broken)
        await world.start()
        (failing,) = world.status()["failingNamespaces"]
        assert (failing["namespace"], failing["reason"]) == ("b", "InternalError")
        assert world.status()["namespaces"] == {"selected": 4, "written": 3, "failing": 1}
    await asyncio.sleep(150)
    assert world.status()["namespaces"] == {"selected": 4, "written": 4, "failing": 0}
    assert world.ready() == ("True", "Available")
