"""No token expires in a file, whatever stops the next one: it is withdrawn in time."""

import asyncio

import pytest

from artifact_index.api.constants import PYPI_URL, ROLE_LABEL
from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from support.cluster_world import BUILDS, HOME, OPTIONS, SETTLED, ClusterWorld
from support.reconcile_builders import secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

LIFE = 12 * 3600
NAMESPACES = ["a", "b", "c"]


async def started() -> ClusterWorld:
    """Three namespaces with a token that lives for twelve hours."""
    world = ClusterWorld()
    for name in NAMESPACES:
        world.namespace(name, BUILDS)
    world.index()
    world.options()
    await world.start()
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    return world


def blocked(world: ClusterWorld) -> set[str]:
    """The namespaces whose file stops builds at the index."""
    entries = {name: world.entries(name) or {} for name in NAMESPACES}
    return {name for name, each in entries.items() if ".invalid" in each.get("gar", "")}


async def test_a_cloud_that_does_not_answer() -> None:
    world = await started()
    world.error = LoginError(Reason.CLOUD_UNAVAILABLE, "the cloud is away")
    await asyncio.sleep(LIFE - 600)
    assert blocked(world) == set()
    assert world.ready() == ("True", "Available")
    await asyncio.sleep(600)
    assert blocked(world) == set(NAMESPACES)
    assert world.ready() == ("False", "IndexesNotReady")
    world.error = None
    await asyncio.sleep(600)
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-2")
    await world.kill()


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({**OPTIONS, "indexSelector": {"matchLabels": {"no": "such"}}}, "NoIndexes"),
        ({**OPTIONS, "maxBuildDuration": "never"}, "InvalidSpec"),
    ],
)
async def test_files_that_nothing_is_selected_for_stay_until_their_token_is_due(
    spec: dict[str, object], reason: str, restarts: bool
) -> None:
    world = await started()
    world.port.log.clear()
    world.options(spec=spec)
    await asyncio.sleep(SETTLED)
    if restarts:
        await world.restart()
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    assert world.ready() == ("False", reason)
    assert not [entry for entry in world.port.log if entry[1] == "secrets"]
    await asyncio.sleep(LIFE)
    assert blocked(world) == set(NAMESPACES)
    # Of a spec that cannot be read nobody knows which index stands for PyPI.
    is_known = reason != "InvalidSpec"
    assert ((world.entries("a") or {})["pypi"] == PYPI_URL) is is_known
    world.port.log.clear()
    await asyncio.sleep(LIFE)
    assert world.port.log == []
    world.options()
    await asyncio.sleep(SETTLED)
    assert set(world.served()) == set(NAMESPACES) and blocked(world) == set()
    assert world.ready() == ("True", "Available")
    await world.kill()


async def test_outputs_that_cannot_be_rendered_stay_until_their_token_is_due() -> None:
    world = await started()
    url = {"url": "https://ci:s3cret@verbatim.example/simple/?all=secret"}
    body = secret_body("urls", url, namespace=HOME, labels={ROLE_LABEL: "source"})
    world.port.change("secrets", body)
    verbatim = {"name": "verbatim", "preauthenticated": {"urlSecretRef": {"name": "urls"}}}
    world.index("verbatim", {**verbatim, "namespaces": {"selector": {}}})
    world.options(spec={**OPTIONS, "outputs": [{"kind": "ConfigMap", "name": "uv-config"}]})
    await asyncio.sleep(SETTLED)
    assert world.ready() == ("False", "NotCredentialFree")
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    await asyncio.sleep(LIFE)
    assert blocked(world) == set(NAMESPACES)
    world.options()
    await asyncio.sleep(SETTLED)
    assert set(world.served()) == set(NAMESPACES) and blocked(world) == set()
    await world.kill()


async def test_a_suspended_one_is_neither_written_nor_repaired_but_loses_what_it_must() -> None:
    world = await started()
    world.options(spec={**OPTIONS, "suspend": True})
    await asyncio.sleep(SETTLED)
    assert world.ready() == ("True", "Suspended")
    world.port.log.clear()
    world.port.remove("secrets", "a", "uv-config")
    world.namespace("b")
    await asyncio.sleep(SETTLED)
    assert world.port.log == []
    world.options()
    await asyncio.sleep(SETTLED)
    assert world.served() == dict.fromkeys(["a", "c"], "minted-1")
    assert world.ready() == ("True", "Available")
    await world.kill()
