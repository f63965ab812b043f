"""What one tenant's logins can do to another tenant's: refused by hundreds, or hung for ever."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.clouds import Fault
from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.world import PATIENCE, artifact_index, index_options, secret

pytestmark = pytest.mark.emulated

HOSTILE, GOOD = "hostile", "good"
SOON = 4.0
"""Seconds that a busy machine may take for a file with a token; alone it takes half of one. Behind
the hostile logins of these tests it would take 10 s and more."""


@pytest.fixture
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        yield opened


def login(domain: str, region: str = "eu-west-1", hours: int = 12) -> dict[str, Any]:
    return {
        "domain": domain,
        "domainOwner": "111122223333",
        "region": region,
        "repository": "python",
        "endpoint": f"https://{domain}.example/pypi/python/",
        "tokenDuration": f"{hours}h",
        "auth": {"secretRef": {"name": "key"}},
    }


def good_tenant_is_served(world: EmulatedWorld) -> float:
    """Add a tenant with a login and an anonymous index; seconds until its file holds both."""
    began = time.monotonic()
    world.add(
        GOOD,
        world.access_key("key", "good"),
        artifact_index("acme", name="acme", codeArtifact=login("acme")),
        artifact_index("open", **anonymous("open")),
        index_options("uv-config"),
    )
    world.wait_served(GOOD, "acme", "open")
    wait_until(lambda: not world.blocked(GOOD, "acme"), "the token", PATIENCE)
    return time.monotonic() - began


def test_a_new_tenant_does_not_wait_for_the_refused_logins_of_another(
    world: EmulatedWorld,
) -> None:
    unknown = {"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN", "AWS_SECRET_ACCESS_KEY": "unknown"}
    with world.operator():
        world.wait_second_listing()
        world.add(
            HOSTILE,
            secret("key", unknown),
            *(artifact_index(f"d{n}", codeArtifact=login(f"d{n}")) for n in range(400)),
            index_options("uv-config"),
        )
        wait_until(lambda: world.aws.calls("GetAuthorizationToken") >= 20, "refusals", PATIENCE)
        assert good_tenant_is_served(world) < SOON
        assert world.aws.calls("GetAuthorizationToken") < 300, "the others are still waiting"


def test_a_new_tenant_does_not_wait_for_regions_that_hang_for_another(
    world: EmulatedWorld,
) -> None:
    regions = [f"eu-west-{number}" for number in range(2, 10)]
    logins = {
        f"i{hours}-{region}": login("hangs", region, hours)
        for hours in range(1, 5)
        for region in regions
    }
    world.aws.inject("GetAuthorizationToken", Fault(hang_seconds=60), domain="hangs")
    with world.operator():
        world.wait_second_listing()
        world.add(
            HOSTILE,
            world.access_key("key", "hostile"),
            *(artifact_index(name, codeArtifact=login) for name, login in logins.items()),
            index_options("uv-config"),
        )
        wait_until(lambda: world.aws.calls("GetAuthorizationToken") >= 8, "hung calls", PATIENCE)
        assert good_tenant_is_served(world) < SOON
