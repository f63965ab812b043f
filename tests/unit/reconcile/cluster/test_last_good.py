"""Files into which not all indexes go: they are renewed with those that they hold."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.kube.errors import ApiError
from support.cluster_world import HOME, INDEX, OPTIONS, SETTLED, ClusterWorld, serving
from support.reconcile_builders import secret_body, source

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

LIFE = 12 * 3600
NAMESPACES = ["a", "b", "c"]
TOO_LARGE = 930_000


@pytest.fixture
async def world() -> AsyncIterator[ClusterWorld]:
    """Three namespaces with a token, and an index that does not fit."""
    async with serving(*NAMESPACES) as world:
        yield world


def put_url(world: ClusterWorld, size: int) -> None:
    """The source of the index `huge`, with a URL of about this many bytes."""
    url = {"url": f"https://ci:{'x' * size}@huge.example/simple/"}
    body = secret_body("huge", url, namespace=HOME, labels={ROLE_LABEL: "source"})
    old = world.port.find("secrets", HOME, "huge")
    body["metadata"]["uid"] = old["metadata"]["uid"] if old else "uid-of-huge"
    world.port.change("secrets", body)


async def add_huge(world: ClusterWorld, size: int = TOO_LARGE) -> None:
    """Have it selected as well."""
    put_url(world, size)
    source = {"preauthenticated": {"urlSecretRef": {"name": "huge"}}}
    world.index("huge", {"name": "huge", **source, "namespaces": {"selector": {}}})
    await asyncio.sleep(SETTLED)


def names(world: ClusterWorld) -> set[frozenset[str]]:
    """The private indexes in the files, which are all alike where there is one set."""
    found = (world.entries(name) or {} for name in NAMESPACES)
    return {frozenset(each) - {"pypi"} for each in found}


async def test_files_that_an_index_makes_too_large_are_renewed_without_it(
    world: ClusterWorld,
) -> None:
    await world.start()
    await add_huge(world)
    assert world.ready() == ("False", "TargetTooLarge")
    assert "outputs go on with the indexes that they hold" in world.message()
    assert names(world) == {frozenset({"gar"})}

    await asyncio.sleep(LIFE)
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-2")
    assert await world.restart() == []
    await asyncio.sleep(LIFE)
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-3")

    put_url(world, 10)
    await asyncio.sleep(SETTLED)
    assert names(world) == {frozenset({"gar", "huge"})}
    assert world.ready() == ("True", "Available")


async def test_consent_that_is_withdrawn_is_heeded_in_files_that_are_too_large(
    world: ClusterWorld,
) -> None:
    world.index("second", {**INDEX, "name": "second"})
    await world.start()
    await add_huge(world)
    world.index("second", {**INDEX, "name": "second", "namespaces": {"names": ["a"]}})
    await asyncio.sleep(SETTLED)
    held = {name: {*(world.entries(name) or {})} - {"pypi"} for name in NAMESPACES}
    assert held == {"a": {"gar", "second"}, "b": {"gar"}, "c": {"gar"}}


@pytest.mark.parametrize("restarts", ["never", "before", "after", "followed", "standby"])
async def test_an_index_that_stopped_builds_is_not_left_out_as_it_recovers(
    world: ClusterWorld, restarts: str
) -> None:
    """Its packages would be looked for on the public index.

    Whether the process has written the entry itself, has read it, or has seen it as a standby.
    """
    await world.start()
    await add_huge(world, 10)
    follower = await world.standby() if restarts == "followed" else None
    body = world.port.find("secrets", HOME, "huge")
    assert body is not None
    world.port.remove("secrets", HOME, "huge")
    await asyncio.sleep(1200)
    assert ".invalid" in (world.entries("a") or {})["huge"]
    follower = await world.standby() if restarts == "standby" else follower
    if restarts == "before" or follower is not None:
        await world.kill()
    put_url(world, TOO_LARGE)
    if follower is not None:
        world.operator = follower
        await world.lead()
    await (world.start() if restarts == "before" else asyncio.sleep(SETTLED))
    assert world.ready() == ("False", "TargetTooLarge")
    for _ in range(2 if restarts == "after" else 0):
        assert await world.restart() == []
    await asyncio.sleep(LIFE)
    assert names(world) == {frozenset({"gar", "huge"})}
    assert world.served() == dict.fromkeys(NAMESPACES, f"minted-{world.mints}")
    assert ".invalid" in (world.entries("a") or {})["huge"]
    put_url(world, 20)
    await asyncio.sleep(SETTLED)
    assert "huge.example" in (world.entries("a") or {})["huge"]


async def test_what_the_api_server_refuses_is_renewed_without_the_new_index(
    world: ClusterWorld,
) -> None:
    open_index = {"name": "open", "anonymous": {"url": "https://open.example/simple/"}}

    def refuse(verb: str, plural: str, name: str) -> ApiError | None:
        refused = plural == "secrets" and verb in ("create", "patch") and world.mints < 2
        return ApiError(422, "Invalid", "admission webhook") if refused else None

    await world.start()
    world.port.refuse = refuse
    world.index("open", {**open_index, "namespaces": {"selector": {}}})
    await asyncio.sleep(SETTLED)
    assert world.ready() == ("False", "NamespacesFailing")
    assert names(world) == {frozenset({"gar"})}
    await asyncio.sleep(LIFE)
    assert names(world) == {frozenset({"gar", "open"})}
    assert world.ready() == ("True", "Available")


@pytest.mark.parametrize("restarts", [False, True])
async def test_what_was_blocked_stays_so_when_nothing_is_selected_any_more(
    world: ClusterWorld, restarts: bool
) -> None:
    lost = {"name": "lost", **source("basicAuth"), "namespaces": {"selector": {}}}
    world.index("lost", lost)
    await world.start(wait=400)
    world.options(spec={**OPTIONS, "indexSelector": {"matchLabels": {"no": "such"}}})
    await asyncio.sleep(SETTLED)
    if restarts:
        await world.restart()
    await asyncio.sleep(LIFE)
    entries = world.entries("b") or {}
    assert {name for name, url in entries.items() if ".invalid" in url} == {"gar", "lost"}


async def test_what_is_blocked_beside_a_token_that_is_withdrawn_stays_blocked(
    world: ClusterWorld,
) -> None:
    lost = {"name": "lost", **source("basicAuth"), "namespaces": {"selector": {}}}
    world.index("lost", lost)
    put_url(world, 10)
    url = {"preauthenticated": {"urlSecretRef": {"name": "huge"}}}
    world.index("huge", {"name": "huge", **url, "namespaces": {"selector": {}}})
    await world.start(wait=400)
    assert names(world) == {frozenset({"gar", "lost", "huge"})}
    put_url(world, TOO_LARGE)
    await asyncio.sleep(LIFE + 600)
    entries = world.entries("b") or {}
    assert {name for name, url in entries.items() if ".invalid" in url} == {"gar", "lost"}
    assert "x" * 10 in entries["huge"]
