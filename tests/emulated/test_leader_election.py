"""Two replicas and the Lease between them, as processes against the emulator."""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from support.control_plane import wait_until
from support.emulated_world import EmulatedWorld, anonymous, emulated_world
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess, health
from support.world import PATIENCE, artifact_index, code_artifact, index_options

pytestmark = pytest.mark.emulated

ELECTING = ("--leader-elect", "--lease-duration=4s", "--renew-deadline=3s", "--retry-period=500ms")
LEASE = "artifact-index-operator"


def holder(world: EmulatedWorld) -> str:
    lease = world.emulator.find("leases", OPERATOR_NAMESPACE, LEASE) or {"spec": {}}
    return str(lease["spec"].get("holderIdentity") or "")


def role(operator: OperatorProcess) -> str:
    return health(operator.health_port, "readyz")[1].strip()


def leads(operator: OperatorProcess) -> bool:
    return role(operator) == "ok: leader"


def replica(world: EmulatedWorld) -> OperatorProcess:
    return world.operator(*ELECTING, "--relist-interval=1h", "--log-format=json")


@pytest.fixture(scope="module")
def world() -> Iterator[EmulatedWorld]:
    with emulated_world() as opened:
        objects = [
            opened.access_key("key", "replicas"),
            artifact_index(
                "acme", codeArtifact=code_artifact("key", endpoint="https://acme.example/")
            ),
            artifact_index("a", **anonymous("a")),
            index_options("uv-config"),
        ]
        opened.add("builders", *objects)
        yield opened


def mints(world: EmulatedWorld) -> int:
    return world.aws.mints("GetAuthorizationToken")


def test_a_standby_is_warm_and_takes_over_without_a_write(world: EmulatedWorld) -> None:
    first, second = replica(world), replica(world)
    with first, second:
        wait_until(lambda: leads(first) or leads(second), "a leader", PATIENCE)
        world.wait_reason("indexoptions", "builders", "uv-config", "Available")
        world.wait_reason("artifactindexes", "builders", "a", "Available")
        leader, standby = (first, second) if leads(first) else (second, first)
        assert role(standby) == f"ok: standby, {holder(world)} leads"
        assert mints(world) == 1

        # What the leader does meanwhile, the standby has seen when its turn comes.
        world.add("builders", artifact_index("b", **anonymous("b")))
        world.wait_served("builders", "acme", "a", "b")
        world.wait_reason("artifactindexes", "builders", "b", "Available")
        world.settle(quiet=0.3)
        world.emulator.requests.clear()

        def written() -> list[tuple[str, str]]:
            writes = world.emulator.requests.writes()
            return [(each.verb, each.resource) for each in writes if each.resource != "leases"]

        begun = time.monotonic()
        assert leader.stop() < 4
        wait_until(lambda: leads(standby), "the standby to lead", PATIENCE)
        assert time.monotonic() - begun < 4
        assert holder(world) in standby.log
        # It works as the leader does, and what was right before it has left alone.
        world.add("builders", artifact_index("c", **anonymous("c")))
        world.wait_served("builders", "acme", "a", "b", "c")
        world.wait_reason("artifactindexes", "builders", "c", "Available")
        world.settle(quiet=0.3)
        assert set(written()) == {
            ("patch", "secrets"), ("patch", "indexoptions"), ("patch", "artifactindexes")
        }  # fmt: skip
        assert written().count(("patch", "artifactindexes")) == 1
        assert mints(world) == 1

        world.emulator.requests.clear()
        leader.start()
        wait_until(lambda: role(leader).startswith("ok: standby"), "a standby again", PATIENCE)
        os.kill(standby.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: leads(leader), "the other to follow", PATIENCE)
        finally:
            os.kill(standby.pid, signal.SIGCONT)
        wait_until(lambda: role(standby).startswith("ok: standby"), "it to stand by", PATIENCE)
        assert written() == []
        assert mints(world) == 1

        def events() -> list[str]:
            lines = [line for line in standby.log.splitlines() if '"lease"' in line]
            return [json.loads(line)["event"] for line in lines]

        # The health endpoint may answer before the line is in the file.
        whole = ["StandingBy", "LeaseWon", "LeaseLost", "StandingBy"]
        wait_until(lambda: len(events()) >= len(whole), "its lines about the Lease", PATIENCE)
        assert events() == whole

        # An edit while it stood by is known to it, too.
        world.add("builders", artifact_index("d", **anonymous("d")))
        world.wait_served("builders", "acme", "a", "b", "c", "d")
        world.wait_reason("artifactindexes", "builders", "d", "Available")
        world.settle(quiet=0.3)
        world.emulator.requests.clear()
        leader.kill()
        wait_until(lambda: leads(standby), "it to lead once more", PATIENCE)
        world.settle(quiet=1)
        assert written() == []
        assert mints(world) == 1
