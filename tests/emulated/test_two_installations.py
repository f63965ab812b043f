"""A second installation finds the first one, says so, and writes nothing else: in processes."""

from collections import Counter
from collections.abc import Iterator

import pytest

from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.operator_process import OperatorProcess
from support.world import PATIENCE, artifact_index, code_artifact, condition_in, index_options

pytestmark = pytest.mark.emulated

FIRST = "artifact-index-system/artifact-index-operator"
TIMES = ("--lease-duration=4s", "--renew-deadline=3s", "--retry-period=500ms")


@pytest.fixture
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        opened.emulator.create_namespace("other-system")
        yield opened


def test_the_second_installation_stands_still_until_the_first_has_ended(
    world: EmulatedWorld,
) -> None:
    first = world.operator("--leader-elect", *TIMES, "--relist-interval=1h")
    second = OperatorProcess(
        world.emulator.kubeconfig(), namespace="other-system", env=world.aws.env(),
        flags=["--allow-http", "--leader-elect", *TIMES, "--namespace=shared"],
    )  # fmt: skip
    objects = [
        world.access_key("key", "shared"),
        artifact_index("acme", codeArtifact=code_artifact("key", endpoint="https://acme.example/")),
        index_options("uv-config"),
    ]
    with first:
        world.add("shared", *objects)
        world.wait_reason("indexoptions", "shared", "uv-config", "Available")
        world.settle()
        secret = world.emulator.get("secrets", "shared", "uv-config")
        assert secret["metadata"]["annotations"]["artifactindex.dev/writer"] == FIRST
        world.emulator.requests.clear()

        def written() -> Counter[tuple[str, str]]:
            writes = world.emulator.requests.writes()
            kinds = [(each.resource, each.verb) for each in writes if each.namespace == "shared"]
            return Counter(kinds)

        with second:
            world.wait_reason(
                "indexoptions", "shared", "uv-config", "AnotherInstallation", what="ServedTwice"
            )
            assert second.log.count(f"installation {FIRST} serves shared") == 1
            # A new file is the first one's, and the second says so there, too.
            world.add("shared", index_options("more"))
            world.wait_served("shared", "acme", name="more")
            world.wait_reason(
                "indexoptions", "shared", "more", "AnotherInstallation", what="ServedTwice"
            )
            world.wait_reason("indexoptions", "shared", "more", "Available")
            world.settle(quiet=1)
            counts = written()
            assert counts["secrets", "patch"] == 0 and counts["secrets", "create"] == 1
            assert counts["indexoptions", "patch"] <= 4
            assert world.aws.mints("GetAuthorizationToken") == 1
            found = world.emulator.get("indexoptions", "shared", "uv-config")
            message = condition_in(found, "ServedTwice")["message"]
            assert FIRST in message and "installation other-system/" in message
            assert condition_in(found)["status"] == "True"
            events = world.emulator.list("events", namespace="shared")
            assert Counter(each["reason"] for each in events)["AnotherInstallation"] == 2

            first.stop()
            wait_until(lambda: f"{FIRST} does not run" in second.log, "the second", PATIENCE)
            world.add("shared", artifact_index("b", **anonymous("b")))
            world.wait_served("shared", "acme", "b")
            wait_until(
                lambda: not world.reason("indexoptions", "shared", "uv-config", "ServedTwice"),
                "the condition to go", PATIENCE,
            )  # fmt: skip
            secret = world.emulator.get("secrets", "shared", "uv-config")
            assert secret["metadata"]["annotations"]["artifactindex.dev/writer"].startswith(
                "other-system/artifact-index-operator-"
            )
