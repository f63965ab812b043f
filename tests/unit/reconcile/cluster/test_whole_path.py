"""One definition for many namespaces: written, rotated, withdrawn, and found again at a restart."""

import asyncio
import copy
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from artifact_index.reconcile.apply import rendering
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.plan import outputs
from support.cluster_world import BUILDS, INDEX, OPTIONS, SETTLED, ClusterWorld

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

NUMBER = 30
NAMESPACES = [f"team-{number:02}" for number in range(NUMBER)]


@pytest.fixture
async def world() -> AsyncIterator[ClusterWorld]:
    """Thirty namespaces that ask, one that does not, and one index for them."""
    world = ClusterWorld()
    for name in NAMESPACES:
        world.namespace(name, BUILDS)
    world.namespace("other")
    world.index()
    world.options()
    yield world
    await world.kill()


async def test_each_namespace_that_consents_gets_the_file_by_one_mint(world: ClusterWorld) -> None:
    await world.start()
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    assert world.mints == 1
    assert world.ready() == ("True", "Available")
    assert world.ready("clusterartifactindexes", "gar") == ("True", "Available")
    assert world.status()["namespaces"] == {"selected": NUMBER, "written": NUMBER, "failing": 0}
    assert world.writes() == {
        ("create", "secrets"): NUMBER,
        ("patch", "clusterindexoptions/status"): 1,
        ("patch", "clusterartifactindexes/status"): 1,
    }


async def test_a_restart_over_what_is_converged_writes_and_mints_nothing(
    world: ClusterWorld,
) -> None:
    await world.start()
    assert await world.restart() == []
    assert world.mints == 1


async def test_a_rotation_writes_each_output_once(world: ClusterWorld) -> None:
    await world.start()
    world.port.log.clear()
    await asyncio.sleep(12 * 3600 - 2 * 60)
    assert world.mints == 2
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-2")
    assert world.writes() == {
        ("patch", "secrets"): NUMBER,
        ("patch", "clusterindexoptions/status"): 1,
        ("patch", "clusterartifactindexes/status"): 1,
    }


async def test_a_content_is_rendered_and_digested_once_for_all_namespaces(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Counter[str] = Counter()
    render, digest = outputs.desired_outputs, Digester._digest

    def counted_render(*args: Any, **how: Any) -> Any:
        done["rendered"] += 1
        return render(*args, **how)

    def counted_digest(self: Digester, purpose: bytes, content: bytes) -> str:
        done["digested"] += purpose == b"output"
        return digest(self, purpose, content)

    monkeypatch.setattr(rendering, "desired_outputs", counted_render)
    monkeypatch.setattr(Digester, "_digest", counted_digest)
    await world.start()
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    assert done == {"rendered": 1, "digested": 1}


async def test_a_namespace_without_the_label_loses_the_output_at_once(world: ClusterWorld) -> None:
    await world.start()
    world.port.log.clear()
    world.namespace("team-07")
    await asyncio.sleep(0.5)
    assert world.port.log == [("delete", "secrets", "team-07", "uv-config")]
    await asyncio.sleep(SETTLED)
    assert world.status()["namespaces"] == {
        "selected": NUMBER - 1, "written": NUMBER - 1, "failing": 0,
    }  # fmt: skip


async def test_a_new_namespace_has_its_secret_at_once(world: ClusterWorld) -> None:
    await world.start()
    world.port.log.clear()
    world.namespace("new", BUILDS)
    await asyncio.sleep(0.2)
    assert world.port.log == [("create", "secrets", "new", "uv-config")]
    assert world.mints == 1
    await asyncio.sleep(SETTLED)
    assert world.status()["namespaces"]["written"] == NUMBER + 1


async def test_a_namespace_that_is_being_deleted_is_left_alone(world: ClusterWorld) -> None:
    await world.start()
    world.port.log.clear()
    world.end_namespace("team-03")
    await asyncio.sleep(1)
    world.port.remove("secrets", "team-03", "uv-config")
    await asyncio.sleep(SETTLED)
    assert {entry for entry in world.port.log if entry[2] == "team-03"} == set()
    assert world.status()["namespaces"]["selected"] == NUMBER - 1
    world.drop_namespace("team-03")
    world.namespace("team-03", BUILDS)
    await asyncio.sleep(1)
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")


async def test_consent_that_is_withdrawn_takes_the_outputs_with_it(world: ClusterWorld) -> None:
    await world.start()
    world.index(spec={**INDEX, "namespaces": {"names": ["team-01", "team-02", "other"]}})
    await asyncio.sleep(1)
    assert world.served() == dict.fromkeys(["team-01", "team-02"], "minted-1")
    world.options(spec={**OPTIONS, "namespaceSelector": {}})
    await asyncio.sleep(1)
    assert world.served() == dict.fromkeys(["team-01", "team-02", "other"], "minted-1")
    assert world.mints == 1


async def test_an_output_that_somebody_edits_or_deletes_is_repaired_alone(
    world: ClusterWorld,
) -> None:
    await world.start()
    body = world.port.find("secrets", "team-11", "uv-config")
    assert body is not None
    body["data"]["uv.toml"] = "Zm9v"
    world.port.log.clear()
    world.port.change("secrets", body)
    world.port.remove("secrets", "team-12", "uv-config")
    await asyncio.sleep(SETTLED)
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    assert [entry[:3] for entry in world.port.log] == [
        ("patch", "secrets", "team-11"), ("create", "secrets", "team-12"),
    ]  # fmt: skip


async def test_what_somebody_else_owns_is_left_untouched_and_counted(world: ClusterWorld) -> None:
    await world.start()
    world.secret("other", "uv-config")
    world.namespace("other", BUILDS)
    await asyncio.sleep(SETTLED)
    foreign = world.port.find("secrets", "other", "uv-config")
    assert foreign is not None and list(foreign["data"]) == ["theirs"]
    assert world.ready() == ("False", "NamespacesFailing")
    assert world.status()["namespaces"] == {
        "selected": NUMBER + 1, "written": NUMBER, "failing": 1,
    }  # fmt: skip
    (failing,) = world.status()["failingNamespaces"]
    assert (failing["namespace"], failing["reason"]) == ("other", "TargetNotOwned")
    assert "artifactindex.dev/adopt=ClusterIndexOptions/uv-config" in failing["message"]
    del world.port.objects["secrets", "other", "uv-config"]
    await asyncio.sleep(200)
    assert world.ready() == ("True", "Available")


async def test_no_namespace_is_no_problem_and_the_message_says_why(world: ClusterWorld) -> None:
    world.options(spec={"namespaceSelector": {"matchLabels": {"no": "such"}}})
    await world.start()
    assert world.ready() == ("True", "NoNamespaces")
    assert "matches none" in world.message()
    assert world.ready("clusterartifactindexes", "gar") == ("True", "NotSelected")
    assert world.mints == 0
    world.index(spec={**INDEX, "namespaces": {"names": ["elsewhere"]}})
    world.options(spec=OPTIONS)
    await asyncio.sleep(SETTLED)
    assert world.ready() == ("True", "NoNamespaces")
    assert f"matches {NUMBER}, but" in world.message()
    world.namespace("elsewhere", BUILDS)
    await asyncio.sleep(SETTLED)
    assert world.served() == {"elsewhere": "minted-1"}
    assert world.ready("clusterartifactindexes", "gar") == ("True", "Available")


async def test_an_old_content_in_one_namespace_decides_nothing_for_the_others(
    world: ClusterWorld,
) -> None:
    """Whoever may write Secrets there can put a genuine one of before back."""
    spec = {key: value for key, value in INDEX.items() if key != "name"}
    world.index(spec={**spec, "name": "before"})
    await world.start()
    old = copy.deepcopy(world.port.objects["secrets", "team-05", "uv-config"])
    world.index(spec=spec)
    await asyncio.sleep(SETTLED)
    world.index(spec={**spec, "name": "after"})
    await asyncio.sleep(SETTLED)
    world.index(spec=spec)
    await asyncio.sleep(SETTLED)
    files = {name: world.entries(name) for name in NAMESPACES}
    await world.kill()
    world.port.change("secrets", old)
    world.port.log.clear()
    await world.start()
    assert {name: world.entries(name) for name in NAMESPACES} == files
    assert [entry[2] for entry in world.port.log if entry[1] == "secrets"] == ["team-05"]
    assert world.mints == 1


async def test_a_namespace_takes_a_cluster_index_beside_its_own(world: ClusterWorld) -> None:
    own = {"name": "gar", "anonymous": {"url": "https://tenant.example/simple/"}}
    world.own("artifactindexes", "team-01", "usurper", own)
    world.own("indexoptions", "team-01", "own", {"clusterIndexSelector": {}})
    world.own("indexoptions", "other", "own", {"clusterIndexSelector": {}})
    await world.start()
    entries = world.entries("team-01", "own") or {}
    assert "minted-1" in entries["gar"]
    assert [url for url in entries.values() if ".unavailable.invalid" in url]
    assert world.ready("artifactindexes", "usurper", "team-01") == ("False", "NameConflict")
    assert world.ready("indexoptions", "own", "other") == ("False", "NoIndexes")
    assert "spec.clusterIndexSelector" in world.message("indexoptions", "own", "other")
    assert world.mints == 1
    world.namespace("other", BUILDS)
    await asyncio.sleep(SETTLED)
    assert "minted-1" in (world.entries("other", "own") or {}).get("gar", "")
    world.namespace("team-01")
    await asyncio.sleep(SETTLED)
    assert "minted-1" not in str(world.entries("team-01", "own"))
    assert await world.restart() == []
