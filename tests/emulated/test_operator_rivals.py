"""What others do to the operator's writes: one namespace slows them, or somebody undoes them."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.operator_process import OperatorProcess
from support.world import PATIENCE, artifact_index, code_artifact, index_options

pytestmark = pytest.mark.emulated

SLOW_WRITE = 10.0
"""Seconds for a write that a policy webhook holds up."""


@pytest.fixture(scope="module")
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened, opened.operator("--relist-interval=1h"):
        opened.wait_second_listing()
        yield opened


def test_slow_writes_of_one_namespace_hold_up_no_other(world: EmulatedWorld) -> None:
    """Twice as many files as there are workers, then one of somebody else, and one of a third."""
    for verb in ("create", "patch"):
        world.emulator.delay(SLOW_WRITE, verb=verb, namespace="slow")
    names = [f"uv-{number}" for number in range(32)]
    objects = [artifact_index("a", **anonymous("a")), *map(index_options, names)]
    world.add("slow", *objects)

    def waiting() -> int:
        requests = world.emulator.requests.matching("create", "secrets")
        return sum(request.namespace == "slow" for request in requests)

    wait_until(lambda: waiting() >= 8, "writes that wait", PATIENCE)
    for namespace in ("good", "better"):
        begun = time.monotonic()
        world.add(namespace, artifact_index("a", **anonymous("a")), index_options("uv-config"))
        world.wait_served(namespace, "a")
        world.wait_reason("indexoptions", namespace, "uv-config", "Available")
        assert time.monotonic() - begun < SLOW_WRITE / 2
    # Half of the workers, and the others are free.
    assert waiting() == 8

    world.emulator.clear_faults()
    for name in names:
        world.wait_served("slow", "a", name=name)


def test_two_installations_over_the_same_objects_write_little_and_say_so(
    world: EmulatedWorld,
) -> None:
    """Each has a key of its own, so neither trusts what the other wrote."""
    world.emulator.create_namespace("other-system")
    objects = [
        world.access_key("key", "shared"),
        artifact_index("acme", codeArtifact=code_artifact("key", endpoint="https://a.example/")),
        artifact_index("a", **anonymous("a")),
        index_options("uv-config"),
    ]
    world.add("shared", *objects)
    world.wait_reason("indexoptions", "shared", "uv-config", "Available")
    world.settle()
    world.emulator.requests.clear()
    second = OperatorProcess(
        world.emulator.kubeconfig(), namespace="other-system", flags=["--allow-http"],
        env=world.aws.env(), forked=True,
    )  # fmt: skip
    with second:
        world.wait_reason("indexoptions", "shared", "uv-config", "OutputContested")
        # They pause for seconds by then, where they wrote a hundred times in one.
        world.settle(quiet=2)
        world.wait_reason("indexoptions", "shared", "uv-config", "OutputContested")
        found = world.emulator.get("indexoptions", "shared", "uv-config")
        assert "another installation" in found["status"]["conditions"][0]["message"]
        wait_until(lambda: "another installation" in second.log, "the second to say so", PATIENCE)
        patches = world.emulator.requests.matching("patch")
        writes = Counter(entry.resource for entry in patches if entry.namespace == "shared")
        assert writes["secrets"] < 30
        assert writes["indexoptions"] < 60 and writes["artifactindexes"] < 60
