"""A ClusterArtifactIndex is Available only while some output that stands holds it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import pytest

from artifact_index.api.constants import ROLE_LABEL
from artifact_index.kube.errors import ApiError
from artifact_index.kube.resources import Resource
from artifact_index.reconcile.cache.writers import Writers
from support.cluster_world import HOME, INDEX, OPTIONS, SETTLED, ClusterWorld, serving
from support.reconcile_builders import secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

NAMESPACES: Final = ["a", "b", "c"]
GAR: Final = "clusterartifactindexes", "gar"
OPEN: Final = "clusterartifactindexes", "open"
REFUSED: Final = ApiError(422, "Invalid", "admission webhook")
FORBIDDEN: Final = ApiError(403, "Forbidden", "not yours")
NEW_NAME: Final[dict[str, Any]] = {**OPTIONS, "outputs": [{"kind": "Secret", "name": "new"}]}


@pytest.fixture
async def world() -> AsyncIterator[ClusterWorld]:
    """Three namespaces and one index for them."""
    async with serving(*NAMESPACES) as world:
        yield world


def refuse(world: ClusterWorld, error: ApiError | None, *verbs: str) -> None:
    """Have the API server refuse these writes of Secrets."""
    world.port.refuse = lambda verb, plural, _: (
        error if plural == "secrets" and verb in verbs else None
    )


def slow_down(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a write of a Secret take half a minute, and everything else no time."""

    def slow(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def slowly(resource: Resource, *about: Any, **how: Any) -> Any:
            await asyncio.sleep(30 if resource.plural == "secrets" else 0)
            return await write(resource, *about, **how)

        return slowly

    monkeypatch.setattr(world.port, "create", slow(world.port.create))
    monkeypatch.setattr(world.port, "patch", slow(world.port.patch))


def add_open(world: ClusterWorld) -> None:
    """An index without a login that every namespace gets."""
    spec = {"name": "open", "anonymous": {"url": "https://open.example/simple/"}}
    world.index("open", {**spec, "namespaces": {"selector": {}}})


def add_huge(world: ClusterWorld) -> None:
    """An index that fits into no file."""
    url = {"url": f"https://ci:{'x' * 930_000}@huge.example/simple/"}
    labels = {ROLE_LABEL: "source"}
    world.port.change("secrets", secret_body("huge", url, namespace=HOME, labels=labels))
    source = {"preauthenticated": {"urlSecretRef": {"name": "huge"}}}
    world.index("huge", {"name": "huge", **source, "namespaces": {"selector": {}}})


async def test_outputs_that_are_somebody_elses_hold_no_index(world: ClusterWorld) -> None:
    for name in NAMESPACES:
        world.secret(name, "uv-config")
    await world.start()
    assert world.ready(*GAR) == ("False", "NotWritten")
    message = world.message(*GAR)
    assert "ClusterIndexOptions 'uv-config'" in message and "namespace 'a'" in message
    assert "artifactindex.dev/adopt=ClusterIndexOptions/uv-config" in message
    assert world.writes()["patch", "clusterartifactindexes/status"] == 1
    assert await world.restart() == []

    world.port.remove("secrets", "b", "uv-config")
    await asyncio.sleep(SETTLED)
    assert world.ready(*GAR) == ("True", "Available")
    assert world.status()["namespaces"]["failing"] == 2


@pytest.mark.parametrize("error", [REFUSED, FORBIDDEN])
async def test_an_index_whose_outputs_are_refused_is_not_available(
    world: ClusterWorld, error: ApiError
) -> None:
    refuse(world, error, "create")
    await world.start()
    assert world.ready(*GAR) == ("False", "NotWritten")
    assert str(error) in world.message(*GAR)
    refuse(world, None)
    await asyncio.sleep(300)
    assert world.ready(*GAR) == ("True", "Available")
    assert world.writes()["patch", "clusterartifactindexes/status"] == 2


async def test_one_namespace_that_is_refused_is_told_by_the_options_alone(
    world: ClusterWorld,
) -> None:
    world.secret("a", "uv-config")
    await world.start()
    assert world.ready() == ("False", "NamespacesFailing")
    assert world.ready(*GAR) == ("True", "Available")
    assert world.writes()["patch", "clusterartifactindexes/status"] == 1


async def test_an_index_that_does_not_fit_is_not_available_and_the_others_are(
    world: ClusterWorld,
) -> None:
    await world.start()
    add_huge(world)
    await asyncio.sleep(SETTLED)
    huge = "clusterartifactindexes", "huge"
    assert world.ready(*huge) == ("False", "NotWritten")
    assert "ClusterIndexOptions 'uv-config'" in world.message(*huge)
    assert "TargetTooLarge" in world.message(*huge)
    assert world.ready(*GAR) == ("True", "Available")
    listed = {item["artifactIndex"]: item["reason"] for item in world.status()["indexes"]}
    assert listed == {"gar": "Available", "huge": "NotWritten"}
    assert await world.restart() == []


async def test_an_index_that_fits_into_no_output_from_the_start_is_not_available(
    world: ClusterWorld,
) -> None:
    add_huge(world)
    await world.start()
    assert world.served() == {}
    assert world.ready(*GAR) == ("False", "NotWritten")


async def test_before_the_first_output_stands_nothing_is_said(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down(world, monkeypatch)
    await world.start(wait=0)
    for _ in range(100):
        await asyncio.sleep(1)
        assert world.ready(*GAR) in (("", ""), ("True", "Available"))
        assert world.ready(*GAR) == ("", "") or world.served()
    assert world.ready(*GAR) == ("True", "Available")
    assert world.writes()["patch", "clusterartifactindexes/status"] == 1


async def test_a_long_wave_says_of_an_index_what_held_before_until_a_file_has_it(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    world.port.log.clear()
    slow_down(world, monkeypatch)
    add_open(world)
    for _ in range(90):
        await asyncio.sleep(1)
        held = any("open" in (world.entries(name) or {}) for name in NAMESPACES)
        assert world.ready(*OPEN) == ("", "") or held
        assert world.ready(*GAR) == ("True", "Available")
    assert world.ready(*OPEN) == ("True", "Available")
    assert world.writes()["patch", "clusterartifactindexes/status"] == 1


async def test_outputs_that_are_deleted_and_not_taken_again_hold_nothing(
    world: ClusterWorld,
) -> None:
    await world.start()
    refuse(world, FORBIDDEN, "create")
    for name in NAMESPACES:
        world.port.remove("secrets", name, "uv-config")
    await asyncio.sleep(SETTLED)
    assert world.ready(*GAR) == ("False", "NotWritten")


async def test_a_token_that_no_namespace_takes_is_a_failing_refresh(world: ClusterWorld) -> None:
    world.life = 1800
    await world.start()
    refuse(world, REFUSED, "patch")
    await asyncio.sleep(900)
    assert world.mints > 1 and world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    assert world.ready(*GAR) == ("True", "Available")
    conditions = world.status(*GAR)["conditions"]
    (failing,) = [each for each in conditions if each["type"] == "RefreshFailing"]
    assert failing["reason"] == "NotWritten" and "namespace 'a'" in failing["message"]
    await asyncio.sleep(900)
    assert world.ready(*GAR) == ("False", "NotWritten")
    refuse(world, None)
    await asyncio.sleep(300)
    assert world.ready(*GAR) == ("True", "Available")


async def test_outputs_under_an_old_name_hold_what_they_held(world: ClusterWorld) -> None:
    await world.start()
    for name in NAMESPACES:
        world.secret(name, "new")
    world.options(spec=NEW_NAME)
    add_open(world)
    await asyncio.sleep(SETTLED)
    assert world.ready(*GAR) == ("True", "Available")
    assert world.ready(*OPEN) == ("False", "NotWritten")
    assert "Secret 'new'" in world.message(*OPEN)


@pytest.mark.parametrize("left", [{"builds": "no-more"}, None])
async def test_without_any_namespace_an_index_is_not_selected(
    world: ClusterWorld, left: dict[str, str] | None
) -> None:
    await world.start()
    for name in NAMESPACES:
        world.drop_namespace(name) if left is None else world.namespace(name, left)
    await asyncio.sleep(SETTLED)
    assert world.ready(*GAR) == ("True", "NotSelected")


async def test_consent_that_is_withdrawn_leaves_an_index_not_selected(world: ClusterWorld) -> None:
    await world.start()
    world.index(spec={**INDEX, "namespaces": {"names": ["elsewhere"]}})
    await asyncio.sleep(SETTLED)
    assert world.ready(*GAR) == ("True", "NotSelected")


async def test_a_suspended_options_selects_nothing(world: ClusterWorld) -> None:
    world.options(spec={**OPTIONS, "suspend": True})
    await world.start()
    assert world.ready(*GAR) == ("True", "NotSelected")
    assert "suspended" in world.message(*GAR)


async def test_a_tenants_file_alone_decides_where_no_other_holds_the_index(
    world: ClusterWorld,
) -> None:
    """As long as no output of the platform has the index, whoever has it says so."""
    refuse(world, FORBIDDEN, "create")
    world.own("indexoptions", "a", "own", {"clusterIndexSelector": {}})
    await world.start()
    assert world.ready(*GAR) == ("False", "NotWritten")
    assert "ClusterIndexOptions 'uv-config'" in world.message(*GAR)
    world.port.refuse = lambda verb, plural, name: (
        FORBIDDEN if (verb, plural, name) == ("create", "secrets", "uv-config") else None
    )
    await asyncio.sleep(300)
    assert world.served("own") == {"a": "minted-1"} and world.served() == {}
    assert world.ready(*GAR) == ("True", "Available")


@pytest.mark.parametrize(
    ("spec", "ready"),
    [
        ({}, ("False", "NotWritten")),
        ({"suspend": True}, ("True", "NotSelected")),
    ],
)
async def test_an_index_that_only_a_tenants_file_should_hold(
    world: ClusterWorld, spec: dict[str, Any], ready: tuple[str, str]
) -> None:
    world.port.remove("clusterindexoptions", "", "uv-config")
    refuse(world, REFUSED, "create")
    world.own("indexoptions", "a", "own", {"clusterIndexSelector": {}, **spec})
    await world.start()
    assert world.ready(*GAR) == ready
    assert "IndexOptions 'own'" in world.message(*GAR)


async def test_a_tenants_file_that_goes_on_without_an_index_does_not_hold_it(
    world: ClusterWorld,
) -> None:
    world.port.remove("clusterindexoptions", "", "uv-config")
    world.own("indexoptions", "a", "own", {"clusterIndexSelector": {}})
    await world.start()
    add_huge(world)
    await asyncio.sleep(SETTLED)
    assert world.ready(*GAR) == ("True", "Available")
    assert world.ready("clusterartifactindexes", "huge") == ("False", "NotWritten")


async def test_failures_that_come_one_by_one_are_one_transition(world: ClusterWorld) -> None:
    await world.start()
    world.port.log.clear()
    refuse(world, FORBIDDEN, "create")
    for name in NAMESPACES:
        world.port.remove("secrets", name, "uv-config")
        await asyncio.sleep(60)
    assert world.ready(*GAR) == ("False", "NotWritten")
    assert world.writes()["patch", "clusterartifactindexes/status"] == 1


async def test_what_somebody_undoes_again_and_again_counts_as_written(
    world: ClusterWorld,
) -> None:
    """As in the file of an IndexOptions: it is repaired, less and less often."""
    await world.start()

    def undo() -> None:
        for name in NAMESPACES:
            body = world.port.find("secrets", name, "uv-config")
            if body is not None and body["data"]["uv.toml"] != "Zm9v":
                body["data"]["uv.toml"] = "Zm9v"
                world.port.change("secrets", body)

    for _ in range(300):
        undo()
        await asyncio.sleep(1)
        assert world.ready(*GAR) == ("True", "Available")
    assert world.ready() == ("False", "NamespacesFailing")
    assert "OutputContested" in world.message()


async def test_an_index_of_namespaces_that_another_installation_serves_is_in_no_file(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = "theirs/artifact-index-operator"
    monkeypatch.setattr(Writers, "rival_in", lambda _, namespace: first if namespace else None)
    await world.start()
    assert world.served() == {}
    assert world.ready(*GAR) == ("False", "NotWritten")
    assert first in world.message(*GAR)
