"""Writes that fail: nothing is lost, and nothing is asked for more often than it has to be."""

import time
from collections.abc import Iterator

import pytest

from support.clouds import Fault
from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.emulator.faults import Outcome
from support.world import PATIENCE, artifact_index, code_artifact, index_options

pytestmark = pytest.mark.emulated

LONGEST_BACK_OFF = 120.0 + PATIENCE
"""Seconds until the next attempt after many that failed, and for that attempt."""

AWS_GIVES_UP = 30.0
"""Seconds for which a login that hangs is waited for: three attempts of 10 s."""


@pytest.fixture(scope="module")
def world() -> Iterator[EmulatedWorld]:
    with (
        emulated_world() as opened,
        opened.operator("--relist-interval=1h", "--mint-patience=300ms"),
    ):
        opened.wait_second_listing()
        yield opened


@pytest.fixture(autouse=True)
def no_faults_left(world: EmulatedWorld) -> Iterator[None]:
    world.settle()
    world.emulator.requests.clear()
    yield
    world.emulator.clear_faults()
    world.aws.clear()


def served(world: EmulatedWorld, namespace: str, *names: str) -> None:
    objects = [artifact_index(name, **anonymous(name)) for name in names]
    world.add(namespace, *objects, index_options("uv-config"))
    world.wait_served(namespace, *names)
    world.wait_reason("indexoptions", namespace, "uv-config", "Available")
    for name in names:
        world.wait_reason("artifactindexes", namespace, name, "Available")
    world.settle()
    world.emulator.requests.clear()


def wait_for_patches(world: EmulatedWorld, count: int) -> None:
    def attempted() -> bool:
        return world.emulator.requests.count("patch", "secrets") >= count

    wait_until(attempted, f"{count} attempts", PATIENCE)


def test_a_throttled_creation_waits_as_long_as_it_was_told_and_is_not_multiplied(
    world: EmulatedWorld,
) -> None:
    world.emulator.fail("create", "secrets", 429, count=2, retry_after=1)
    begun = time.monotonic()
    world.add("busy", artifact_index("a", **anonymous("a")), index_options("uv-config"))
    world.wait_served("busy", "a")

    assert time.monotonic() - begun >= 2
    world.wait_reason("indexoptions", "busy", "uv-config", "Available")
    world.settle()
    assert world.emulator.requests.count("create", "secrets") == 3


@pytest.mark.parametrize("kind", ["indexoptions", "artifactindexes"])
def test_a_throttled_status_is_written_once_in_the_end(kind: str, world: EmulatedWorld) -> None:
    namespace = f"busy-{kind}"
    world.emulator.fail("patch", kind, 429, count=2, retry_after=1, subresource="status")
    world.add(namespace, artifact_index("a", **anonymous("a")), index_options("uv-config"))
    for each, name in (("indexoptions", "uv-config"), ("artifactindexes", "a")):
        world.wait_reason(each, namespace, name, "Available")

    world.settle()
    assert world.emulator.requests.count("patch", kind, subresource="status") == 3
    assert world.emulator.requests.count("create", "secrets") == 1


@pytest.mark.parametrize("outcome", ["status", "reset", "lost"])
def test_changes_during_failing_writes_all_arrive(outcome: Outcome, world: EmulatedWorld) -> None:
    namespace = f"failing-{outcome}"
    served(world, namespace, "a")

    fault = world.emulator.fail("patch", "secrets", 500, count=None, outcome=outcome)
    names = [f"b{number}" for number in range(5)]
    for number, name in enumerate(names):
        world.add(namespace, artifact_index(name, **anonymous(name)))
        wait_for_patches(world, number + 1)
    world.emulator.faults.waiting.remove(fault)
    attempts = world.emulator.requests.count("patch", "secrets")
    world.wait_served(namespace, "a", *names, seconds=LONGEST_BACK_OFF)

    world.wait_reason("indexoptions", namespace, "uv-config", "Available")
    # One for each change and those of the back-off, which begins at half a second.
    assert attempts <= len(names) + 8
    world.settle(quiet=1)
    assert world.emulator.requests.count("patch", "secrets") <= attempts + 2


def test_an_outage_of_all_writes_costs_few_requests_and_no_other_output(
    world: EmulatedWorld,
) -> None:
    served(world, "steady", "a")
    world.emulator.fail("create", "secrets", 500, count=None)
    begun = time.monotonic()
    world.add("outage", artifact_index("a", **anonymous("a")), index_options("uv-config"))
    world.wait_reason("indexoptions", "outage", "uv-config", "WriteFailed")
    world.add("steady", artifact_index("b", **anonymous("b")))
    world.wait_served("steady", "a", "b")
    wait_until(
        lambda: world.emulator.requests.count("create", "secrets") >= 3, "three attempts", PATIENCE
    )
    took = time.monotonic() - begun
    assert world.emulator.requests.count("create", "secrets") <= 3 + took * 2

    world.emulator.clear_faults()
    world.wait_served("outage", "a", seconds=LONGEST_BACK_OFF)
    world.wait_reason("indexoptions", "outage", "uv-config", "Available")


def test_a_creation_whose_answer_was_lost_is_not_repeated_blindly(world: EmulatedWorld) -> None:
    world.emulator.fail("create", "secrets", outcome="lost")
    world.add("lost", artifact_index("a", **anonymous("a")), index_options("uv-config"))
    world.wait_reason("indexoptions", "lost", "uv-config", "Available")
    world.settle(quiet=1)

    assert world.serves("lost", "a")
    assert world.emulator.requests.count("create", "secrets") <= 2
    assert world.emulator.requests.count("patch", "secrets") == 0


def test_writes_wait_for_an_api_server_that_is_away(world: EmulatedWorld) -> None:
    served(world, "gone", "a")
    world.emulator.fail("*", "secrets", 503, count=None)
    world.add("gone", artifact_index("b", **anonymous("b")))
    wait_for_patches(world, 1)
    world.emulator.stop()
    world.emulator.clear_faults()
    world.emulator.start()
    world.wait_served("gone", "a", "b", seconds=LONGEST_BACK_OFF)
    world.wait_reason("indexoptions", "gone", "uv-config", "Available", seconds=LONGEST_BACK_OFF)


def test_a_namespace_that_is_being_deleted_is_left_alone_once_it_is_empty(
    world: EmulatedWorld,
) -> None:
    served(world, "ending", "a")
    why = "unable to create new content in namespace ending because it is being terminated"
    world.emulator.fail("create", "*", 403, count=None, message=why)
    world.emulator.delete("secrets", "ending", "uv-config")

    def attempts() -> int:
        return world.emulator.requests.count("create", "secrets")

    def left() -> bool:
        return bool(world.emulator.list("indexoptions", namespace="ending"))

    wait_until(lambda: attempts() >= 2, "attempts", PATIENCE)
    world.emulator.delete("namespaces", "", "ending")
    wait_until(lambda: not left(), "the end", PATIENCE)

    world.settle(quiet=2)
    assert attempts() <= 8
    world.emulator.clear_faults()
    world.add("after", artifact_index("a", **anonymous("a")), index_options("uv-config"))
    world.wait_served("after", "a")


def test_a_login_that_hangs_holds_up_no_other(world: EmulatedWorld) -> None:
    world.aws.inject("GetAuthorizationToken", Fault(hang_seconds=60), domain="slow")
    endpoint = "https://aws.example/pypi/python/"
    sources = {
        domain: code_artifact("key", domain=domain, endpoint=endpoint) for domain in ("slow", "ok")
    }
    world.add(
        "hanging",
        world.access_key("key", "hanging"),
        *(artifact_index(name, name=name, codeArtifact=sources[name]) for name in sources),
        artifact_index("open", **anonymous("open")),
        index_options("uv-config"),
    )
    begun = time.monotonic()
    world.wait_served("hanging", "slow", "ok", "open")

    # A good login that takes longer than the patience comes by a second write.
    wait_until(lambda: not world.blocked("hanging", "ok"), "the good login to be served", PATIENCE)
    # Before anybody gave the other one up.
    assert time.monotonic() - begun < AWS_GIVES_UP
    assert world.blocked("hanging", "slow")
    world.wait_reason("artifactindexes", "hanging", "slow", "MintingCredential")
    world.wait_reason("indexoptions", "hanging", "uv-config", "IndexesNotReady")
    world.add("beside", artifact_index("a", **anonymous("a")), index_options("uv-config"))
    world.wait_served("beside", "a")
    assert time.monotonic() - begun < AWS_GIVES_UP
