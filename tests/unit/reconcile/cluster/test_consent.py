"""A login without consent stays nowhere; consent that cannot be read takes nothing away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from artifact_index.api.constants import ROLE_LABEL
from support.cluster_world import BUILDS, HOME, INDEX, SETTLED, ClusterWorld
from support.reconcile_builders import secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

NAMESPACES = ["a", "b"]
PASSWORD = "static-password"
STATIC: dict[str, Any] = {
    "basicAuth": {
        "url": "https://packages.example/simple/",
        "username": "reader",
        "secretRef": {"name": "static", "passwordKey": "password"},
    },
    "name": "gar",
    "namespaces": INDEX["namespaces"],
}


@pytest.fixture
async def world() -> AsyncIterator[ClusterWorld]:
    """Two namespaces, and an IndexOptions of the first that takes cluster indexes."""
    world = ClusterWorld()
    for name in NAMESPACES:
        world.namespace(name, BUILDS)
    values = {"password": PASSWORD}
    labels = {ROLE_LABEL: "source"}
    world.port.change("secrets", secret_body("static", values, namespace=HOME, labels=labels))
    world.own("indexoptions", "a", "own", {"clusterIndexSelector": {}})
    yield world
    await world.kill()


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize(
    ("spec", "login"), [(INDEX, "minted-1"), (STATIC, PASSWORD)], ids=["token", "static"]
)
async def test_who_takes_an_index_alone_loses_its_login_with_the_consent(
    world: ClusterWorld, spec: dict[str, Any], login: str, down: bool
) -> None:
    world.index(spec=spec)
    await world.start()
    assert login in str(world.entries("a", "own"))
    if down:
        await world.kill()
    world.index(spec={**spec, "namespaces": {"names": ["b"]}})
    if down:
        await world.start(wait=1)
    await asyncio.sleep(1)
    entries = world.entries("a", "own")
    assert entries is not None and ".invalid/" in entries["gar"]
    assert login not in str(entries)
    assert await world.restart() == []


async def test_who_selects_nothing_keeps_no_login_without_consent(world: ClusterWorld) -> None:
    world.index(spec=STATIC)
    await world.start()
    typo = {"clusterIndexSelector": {"matchLabels": {"no": "such"}}}
    world.own("indexoptions", "a", "own", typo)
    await asyncio.sleep(SETTLED)
    assert PASSWORD in str(world.entries("a", "own"))
    world.namespace("a")
    await asyncio.sleep(1)
    assert PASSWORD not in str(world.entries("a", "own"))


async def test_an_index_that_cannot_be_read_stays_where_it_may_be_served(
    world: ClusterWorld,
) -> None:
    world.index()
    world.index("other", {**STATIC, "name": "other"})
    world.options()
    await world.start()
    of_a_newer_release = {"namespaces": {"names": ["a"]}, "otherRegistry": {"project": "p"}}
    world.index(spec=of_a_newer_release)
    await asyncio.sleep(SETTLED)
    for name in ("own", "uv-config"):
        entries = world.entries("a", name)
        assert entries is not None and set(entries) == {"pypi", "gar", "other"}
        assert "minted-1" in entries["gar"] and PASSWORD in entries["other"]
    assert set(world.entries("b") or ()) == {"pypi", "other"}
    assert world.ready() == ("False", "IndexesNotReady")
    assert world.ready("clusterartifactindexes", "gar") == ("False", "InvalidSpec")
    assert await world.restart() == []
    await asyncio.sleep(12 * 3600)
    assert ".invalid/" in (world.entries("a") or {})["gar"]
    world.index(spec={**of_a_newer_release, "namespaces": {"future": "a"}})
    await asyncio.sleep(SETTLED)
    assert set(world.entries("a") or ()) == {"pypi", "other"}
