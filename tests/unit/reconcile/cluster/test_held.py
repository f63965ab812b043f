"""What the outputs hold is known after a restart, however many contents there are."""

import asyncio
from typing import Any, Final

import pytest

from artifact_index.api.constants import OWNER_ANNOTATION, ROLE_LABEL
from support.cluster_world import BUILDS, HOME, INDEX, ClusterWorld
from support.reconcile_builders import secret_body

pytestmark = [pytest.mark.unit, pytest.mark.looptime(noop_cycles=1)]

CONTENTS: Final = 70
NAMESPACES: Final = [f"team-{number}" for number in range(CONTENTS)]
PASSWORD: Final = "static-password"
STATIC: Final[dict[str, Any]] = {
    "basicAuth": {
        "url": "https://packages.example/simple/",
        "username": "reader",
        "secretRef": {"name": "static", "passwordKey": "password"},
    },
    "namespaces": {"selector": {}},
}


def cluster(namespaces: list[str]) -> ClusterWorld:
    """A world with a static login for all, and an index for each namespace alone."""
    world = ClusterWorld()
    labels = {ROLE_LABEL: "source"}
    body = secret_body("static", {"password": PASSWORD}, namespace=HOME, labels=labels)
    world.port.change("secrets", body)
    world.index("static", STATIC)
    world.options()
    for name in namespaces:
        world.namespace(name, BUILDS)
        world.index(name, {**INDEX, "name": name, "namespaces": {"names": [name]}})
    return world


def forge(world: ClusterWorld) -> None:
    """Have a tenant create many Secrets with our marks."""
    for number in range(CONTENTS):
        name, data = f"forged-{number}", {"uv.toml": f"{number}"}
        body = secret_body(name, data, namespace="evil", labels={ROLE_LABEL: "output"})
        body["metadata"]["annotations"] = {OWNER_ANNOTATION: "ClusterIndexOptions/uv-config"}
        world.port.change("secrets", body)


def without_login(world: ClusterWorld) -> list[str]:
    """The namespaces whose file has not got the static login."""
    served = [name for name in NAMESPACES if world.port.find("secrets", name, "uv-config")]
    return [name for name in served if PASSWORD not in str(world.entries(name))]


async def test_each_of_many_contents_keeps_its_login_at_a_restart() -> None:
    world = cluster(NAMESPACES)
    await world.start()
    await world.kill()
    world.port.remove("secrets", HOME, "static")
    await world.start()
    assert len(world.served()) == CONTENTS and without_login(world) == []
    await world.kill()


async def test_each_of_many_contents_keeps_its_login_in_a_standby() -> None:
    world = cluster(NAMESPACES)
    await world.start()
    follower = await world.standby()
    await asyncio.sleep(3 * 12 * 3600)
    (held,) = [each.held for each in follower.state.fan_outs.values()]
    assert CONTENTS <= len(held) <= 2 * CONTENTS
    await world.kill()
    world.operator = follower
    world.port.remove("secrets", HOME, "static")
    await world.lead()
    assert len(world.served()) == CONTENTS and without_login(world) == []
    await world.kill()


async def test_forged_outputs_displace_no_content() -> None:
    world = cluster(NAMESPACES[:2])
    world.namespace("evil")
    await world.start()
    follower = await world.standby()
    forge(world)
    await world.kill()
    world.operator = follower
    assert [len(each.held) for each in follower.state.fan_outs.values()] == [2]
    world.port.remove("secrets", HOME, "static")
    await world.lead()
    assert without_login(world) == []
    await world.kill()
    forge(world)
    await world.start()
    assert without_login(world) == []
    await world.kill()
