"""Who owns outputs, who may write them, who is told: replicas, installations, namesakes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from artifact_index.api.constants import (
    ADOPT_ANNOTATION,
    REFRESH_REQUESTED_ANNOTATION,
    ROLE_LABEL,
    WRITER_ANNOTATION,
)
from artifact_index.api.timestamps import format_time
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.cache import outputs_key
from support.cluster_world import INDEX, OPTIONS, SETTLED, ClusterWorld, serving

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

NAMESPACES = ["a", "b", "c", "d"]


@pytest.fixture
async def world() -> AsyncIterator[ClusterWorld]:
    """Four namespaces and one index for them."""
    async with serving(*NAMESPACES) as world:
        yield world


async def test_a_standby_goes_on_without_a_write_and_without_a_mint(world: ClusterWorld) -> None:
    leader = await world.start()
    follower = await world.standby()
    await asyncio.sleep(12 * 3600)
    assert world.mints == 2
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-2")
    await world.kill()
    world.operator = follower
    world.port.log.clear()
    await world.lead()
    assert world.port.log == [] and world.mints == 2 and leader is not follower
    world.namespace("a")
    await asyncio.sleep(SETTLED)
    assert world.served() == dict.fromkeys(["b", "c", "d"], "minted-2")


async def test_outputs_that_are_retained_have_marks_and_no_owner(world: ClusterWorld) -> None:
    world.options(spec={**OPTIONS, "deletionPolicy": "Retain"})
    await world.start()
    body = world.port.find("secrets", "a", "uv-config")
    assert body is not None and not body["metadata"].get("ownerReferences")
    assert body["metadata"]["annotations"]["artifactindex.dev/owner"] == (
        "ClusterIndexOptions/uv-config"
    )
    assert await world.restart() == []
    world.options(spec=OPTIONS)
    await asyncio.sleep(SETTLED)
    body = world.port.find("secrets", "a", "uv-config")
    assert body is not None
    (owner,) = body["metadata"]["ownerReferences"]
    assert owner["kind"] == "ClusterIndexOptions" and owner["controller"] is True

    other = [{"kind": "Secret", "name": "other"}]
    world.options(spec={**OPTIONS, "deletionPolicy": "Retain", "outputs": other})
    await asyncio.sleep(SETTLED)
    assert set(world.served("other")) == set(NAMESPACES) == set(world.served())
    released = world.port.find("secrets", "a", "uv-config")
    assert released is not None and ROLE_LABEL not in released["metadata"]["labels"]
    # Consent that is withdrawn is a revocation: nothing stays.
    world.namespace("b")
    await asyncio.sleep(SETTLED)
    assert set(world.served("other")) == set(NAMESPACES) - {"b"}


@pytest.mark.parametrize(
    "spec", [{"suspend": True}, {"indexSelector": {"matchLabels": {"no": "such"}}}]
)
async def test_outputs_are_retained_also_while_nothing_is_written(
    world: ClusterWorld, spec: dict[str, Any]
) -> None:
    await world.start()
    world.options(spec={**OPTIONS, **spec})
    await asyncio.sleep(SETTLED)
    for policy, owners in (("Retain", 0), ("Delete", 1)):
        world.options(spec={**OPTIONS, **spec, "deletionPolicy": policy})
        await asyncio.sleep(SETTLED)
        for name in NAMESPACES:
            body = world.port.find("secrets", name, "uv-config")
            assert body is not None
            assert len(body["metadata"].get("ownerReferences") or ()) == owners
    assert await world.restart() == []


async def test_a_new_spec_is_tried_at_once_where_the_last_one_failed(world: ClusterWorld) -> None:
    world.secret("a", "other")
    outputs = [{"kind": "Secret", "name": name} for name in ("uv-config", "other")]
    world.options(spec={**OPTIONS, "outputs": outputs})
    await world.start(wait=3600)  # its retries are far apart by now
    world.options(spec={**OPTIONS, "outputs": outputs, "deletionPolicy": "Retain"})
    await asyncio.sleep(2)
    body = world.port.find("secrets", "a", "uv-config")
    assert body is not None and not body["metadata"].get("ownerReferences")


async def test_a_namesake_in_a_namespace_is_another_owner(world: ClusterWorld) -> None:
    world.own("artifactindexes", "a", "own", {"anonymous": {"url": "https://own.example/simple/"}})
    world.own("indexoptions", "a", "uv-config", {})
    await world.start()
    one_fails = world.ready() == ("False", "NamespacesFailing")
    refused = world.ready("indexoptions", "uv-config", "a") == ("False", "TargetNotOwned")
    assert one_fails is not refused  # exactly one of the two has it
    assert await world.restart() == []


async def test_where_another_installation_writes_nothing_is_written(world: ClusterWorld) -> None:
    world.secret("c", "theirs", labels={ROLE_LABEL: "output"}, created="2020-01-01T00:00:00Z")
    theirs = world.port.objects["secrets", "c", "theirs"]
    theirs["metadata"]["annotations"] = {WRITER_ANNOTATION: "elsewhere/artifact-index-operator"}
    lease = {"holderIdentity": "x", "leaseDurationSeconds": 15, "renewTime": "2100-01-01T00:00:00Z"}
    metadata = {"name": "artifact-index-operator", "namespace": "elsewhere"}
    world.port.put("leases", {"metadata": metadata, "spec": lease})
    await world.start()
    assert world.served() == dict.fromkeys(["a", "b", "d"], "minted-1")
    (failing,) = world.status()["failingNamespaces"]
    assert (failing["namespace"], failing["reason"]) == ("c", "AnotherInstallation")


async def test_an_adoption_is_an_event_of_the_cluster_object(world: ClusterWorld) -> None:
    """The API server refuses an event in a namespace other than that of its object."""
    world.secret("c", "uv-config")
    metadata = world.port.objects["secrets", "c", "uv-config"]["metadata"]
    metadata["annotations"] = {ADOPT_ANNOTATION: "ClusterIndexOptions/uv-config"}
    await world.start()
    events = [body for (plural, _, _), body in world.port.objects.items() if plural == "events"]
    (event,) = [each for each in events if each["reason"] == "Adopted"]
    assert (event["involvedObject"]["namespace"], event["metadata"]["namespace"]) == ("", "default")
    assert "Secret 'uv-config' in namespace 'c' was there before" in event["message"]


async def test_one_event_tells_of_many_namespaces_once(world: ClusterWorld) -> None:
    for name in NAMESPACES:
        world.secret(name, "uv-config")
    await world.start()
    await asyncio.sleep(600)
    events = [body for (plural, _, _), body in world.port.objects.items() if plural == "events"]
    about = [(each["involvedObject"]["kind"], each["reason"]) for each in events]
    assert about == [("ClusterIndexOptions", "NamespacesFailing")]
    (event,) = events
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"] or not event["involvedObject"]["namespace"]


@pytest.mark.parametrize("kind", ["clusterartifactindexes", "clusterindexoptions"])
async def test_a_requested_refresh_is_done_for_all_and_told(world: ClusterWorld, kind: str) -> None:
    await world.start()
    await asyncio.sleep(120)
    name = "gar" if kind == "clusterartifactindexes" else "uv-config"
    body = world.port.find(kind, "", name)
    assert body is not None
    requested = format_time(int(world.now))
    body["metadata"]["annotations"] = {REFRESH_REQUESTED_ANNOTATION: requested}
    world.port.change(kind, body)
    await asyncio.sleep(SETTLED)
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-2")
    assert world.status(kind, name)["lastHandledRefreshAt"] == requested


async def test_a_brief_outage_of_the_api_server_is_not_counted(world: ClusterWorld) -> None:
    broken = ApiError(500, "InternalError", "try later")
    left = [4]

    def refuse(verb: str, plural: str, name: str) -> ApiError | None:
        if verb == "create" and plural == "secrets" and left[0]:
            left[0] -= 1
            return broken
        return None

    world.port.refuse = refuse
    await world.start()
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    assert world.ready() == ("True", "Available")
    assert not [each for each in world.port.objects if each[0] == "events"]


async def test_an_adoption_is_told_with_its_namespace(world: ClusterWorld) -> None:
    world.secret("b", "uv-config")
    body = world.port.objects["secrets", "b", "uv-config"]
    body["metadata"]["annotations"] = {ADOPT_ANNOTATION: "ClusterIndexOptions/uv-config"}
    await world.start()
    assert world.served() == dict.fromkeys(NAMESPACES, "minted-1")
    (event,) = [body for (plural, _, _), body in world.port.objects.items() if plural == "events"]
    assert event["reason"] == "Adopted" and "'b'" in event["message"]
    # The API server accepts no other place for an object without a namespace.
    about = event["involvedObject"]
    assert (event["metadata"]["namespace"], about["namespace"]) == ("default", "")


@pytest.mark.parametrize("of_platform", [True, False])
async def test_no_tenant_decides_what_the_status_of_a_cluster_index_says(
    world: ClusterWorld, of_platform: bool
) -> None:
    if not of_platform:
        world.port.remove("clusterindexoptions", "", "uv-config")
    world.index(spec={**INDEX, "name": "gar"})
    world.own("indexoptions", "b", "own", {"clusterIndexSelector": {}})
    await world.start()
    before = world.status("clusterartifactindexes", "gar")["conditions"]
    mischief = {"publicIndex": {"name": "gar"}, "maxBuildDuration": "11h55m"}
    world.own("indexoptions", "a", "own", {"clusterIndexSelector": {}, **mischief})
    await asyncio.sleep(SETTLED)
    assert world.ready("indexoptions", "own", "a") == ("False", "IndexesNotReady")
    assert world.status("clusterartifactindexes", "gar")["conditions"] == before
    assert world.ready("clusterartifactindexes", "gar") == ("True", "Available")


async def test_a_deleted_definition_leaves_nothing_in_memory(world: ClusterWorld) -> None:
    operator = await world.start()
    world.port.remove("clusterindexoptions", "", "uv-config")
    await asyncio.sleep(SETTLED)
    # The garbage collector deletes the outputs, each of which is looked at once more.
    for name in NAMESPACES:
        world.port.remove("secrets", name, "uv-config")
    await asyncio.sleep(SETTLED)
    operator.controller.enqueue(outputs_key(name, "uv-config") for name in NAMESPACES)
    await asyncio.sleep(SETTLED)
    assert not operator.state.fan_outs
    assert not operator.state.names and not operator.state.plans
