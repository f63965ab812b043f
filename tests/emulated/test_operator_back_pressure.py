"""A slow API server or cloud, or one that says to wait: no update is lost, none is multiplied."""

import time
from collections.abc import Iterator

import pytest

from support.clouds import Fault
from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.world import PATIENCE, artifact_index, code_artifact, index_options

pytestmark = pytest.mark.emulated

RATE = 10
"""Writes in one second."""

ENDPOINT = "https://aws.example/pypi/python/"


@pytest.fixture(scope="module")
def world() -> Iterator[EmulatedWorld]:
    flags = ("--relist-interval=1h", f"--writes-per-second={RATE}", "--write-burst=1")
    with emulated_world() as opened, opened.operator(*flags):
        opened.wait_second_listing()
        yield opened


@pytest.fixture(autouse=True)
def no_faults_left(world: EmulatedWorld) -> Iterator[None]:
    world.settle()
    world.emulator.requests.clear()
    yield
    world.emulator.clear_faults()
    world.aws.clear()


def files(world: EmulatedWorld, namespace: str, count: int) -> None:
    objects = []
    for number in range(count):
        spec = {"indexSelector": {"matchLabels": {"file": str(number)}}}
        name = f"a{number}"
        labels = {"file": str(number)}
        objects.append(artifact_index(name, labels=labels, **anonymous(name)))
        objects.append(index_options(f"uv-{number}", **spec))
    world.add(namespace, *objects)


def test_writes_come_no_faster_than_they_may(world: EmulatedWorld) -> None:
    begun = time.monotonic()
    files(world, "many", 10)
    for number in range(10):
        world.wait_reason("indexoptions", "many", f"uv-{number}", "Available")
        world.wait_reason("artifactindexes", "many", f"a{number}", "Available")

    writes = len(world.emulator.requests.writes())
    assert writes == 30
    assert time.monotonic() - begun >= (writes - 1) / RATE


def test_an_output_goes_before_the_statuses_that_wait(world: EmulatedWorld) -> None:
    names = [f"a{number}" for number in range(40)]
    specs = [artifact_index(name, **anonymous(name)) for name in names]
    world.add("crowd", *specs, index_options("uv-config"))
    world.add("urgent", artifact_index("a", **anonymous("a")), index_options("uv-config"))
    for name in names:
        world.wait_reason("artifactindexes", "crowd", name, "Available")
    for kind, name in (("artifactindexes", "a"), ("indexoptions", "uv-config")):
        world.wait_reason(kind, "urgent", name, "Available")
    world.settle(quiet=1)
    world.emulator.requests.clear()

    for name in names:
        wrong = {"status": {"url": "https://wrong.example/simple/"}}
        world.emulator.patch("artifactindexes", "crowd", name, wrong, subresource="status")
    wait_until(lambda: len(world.emulator.requests.writes()) > 1, "a status", PATIENCE)
    before = len(world.emulator.requests.writes())
    world.add("urgent", artifact_index("b", **anonymous("b")))
    world.wait_served("urgent", "a", "b")
    writes = world.emulator.requests.writes()
    at = next(place for place, item in enumerate(writes) if item.resource == "secrets")

    def statuses() -> int:
        return world.emulator.requests.count("patch", "artifactindexes", subresource="status")

    wait_until(lambda: statuses() > len(names), "all statuses", PATIENCE)
    world.settle(quiet=1)

    # As many statuses hold a worker as there are workers: one of them ends, and the output goes. A
    # busy machine takes some turns to see what it is about; all the others still wait then.
    assert at - before < len(names) / 2
    assert statuses() == len(names) + 1


def test_the_outputs_of_all_files_go_before_their_statuses(world: EmulatedWorld) -> None:
    count = 12
    files(world, "wave", count)
    for number in range(count):
        world.wait_reason("artifactindexes", "wave", f"a{number}", "Available")

    first = [write.resource for write in world.emulator.requests.writes()][:count]
    # The first files are done before the last ones are there.
    assert first.count("secrets") >= count - 3


def test_edits_while_the_server_is_slow_become_one_more_write(world: EmulatedWorld) -> None:
    world.add("slow", artifact_index("a", **anonymous("a")), index_options("uv-config"))
    world.wait_reason("artifactindexes", "slow", "a", "Available")
    world.wait_reason("indexoptions", "slow", "uv-config", "Available")
    world.settle(quiet=1)
    world.emulator.requests.clear()

    world.emulator.delay(3, verb="patch", kind="secrets")
    world.add("slow", artifact_index("b", **anonymous("b")))
    patched = world.emulator.requests.matching
    wait_until(lambda: len(patched("patch", "secrets")) == 1, "the first write", PATIENCE)
    names = [f"c{number}" for number in range(8)]
    world.add("slow", *(artifact_index(name, **anonymous(name)) for name in names))
    world.wait_served("slow", "a", "b", *names)
    world.settle(quiet=1)

    assert [item.status for item in patched("patch", "secrets")] == [200, 200]


def test_a_throttling_cloud_is_asked_once_for_all_until_it_answers(world: EmulatedWorld) -> None:
    world.aws.inject("GetAuthorizationToken", Fault(429, "ThrottlingException"), times=2)
    asked = world.aws.calls("GetAuthorizationToken")
    source = code_artifact("key", endpoint=ENDPOINT)
    names = ("a", "b", "c")
    world.add(
        "throttled",
        world.access_key("key", "throttled"),
        *(artifact_index(name, name=name, codeArtifact=source) for name in names),
        *(index_options(f"uv-{name}") for name in names),
    )
    for name in names:
        world.wait_reason("indexoptions", "throttled", f"uv-{name}", "Available")
        world.wait_served("throttled", *names, name=f"uv-{name}")

    assert world.aws.calls("GetAuthorizationToken") - asked == 3
