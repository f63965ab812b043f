"""`python -m bench.standby [INDEXES]`: the memory of a leader and of its standby, in MiB.

10,000 indexes by default, in files of a hundred, on a real API server.
"""

import sys
from collections.abc import Iterator
from typing import Any

from bench.observe import memory_mib
from support.control_plane import ControlPlane, wait_until
from support.operator_process import OperatorProcess, health
from support.world import World, artifact_index, basic_auth, index_options, open_world, secret

NAMESPACE = "many"
PER_FILE = 100
PATIENCE = 1800.0


def main() -> int:
    """Print both; 1 if the standby has more than the leader."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with ControlPlane() as plane, open_world(plane) as world:
        world.namespace(NAMESPACE)
        world.apply(*_objects(count), namespace=NAMESPACE)
        leader, standby = (world.operator("--leader-elect=true") for _ in range(2))
        with leader:
            wait_until(lambda: _is_served(world, count), "every status", PATIENCE)
            with standby:
                wait_until(lambda: _stands_by(standby), "the standby", PATIENCE)
                # Its watches have begun by the end of a second change.
                for password in ("second", "third"):
                    _change(world, password)
                found = [memory_mib(each.pid, "VmRSS") for each in (leader, standby)]
                peaks = [memory_mib(each.pid) for each in (leader, standby)]
    for name, now, peak in zip(("leader", "standby"), found, peaks, strict=True):
        print(f"{name:8} {now:6.1f} MiB, at most {peak:6.1f} MiB, with {count} indexes")
    return int(peaks[1] > peaks[0])


def _objects(count: int) -> Iterator[dict[str, Any]]:
    yield secret("login", {"password": "first"})
    for number in range(count):
        url = f"https://packages.example/{number}/simple/"
        labels = {"file": f"f{number // PER_FILE}"}
        name = f"index-{number}"
        yield artifact_index(name, labels=labels, basicAuth=basic_auth(url, "login"))
    for number in range(-(-count // PER_FILE)):
        selector = {"matchLabels": {"file": f"f{number}"}}
        yield index_options(f"uv-{number}", indexSelector=selector)


def _is_served(world: World, count: int) -> bool:
    last = world.condition("artifactindex", NAMESPACE, f"index-{count - 1}")
    first = world.condition("artifactindex", NAMESPACE, "index-0")
    return last.get("reason") == first.get("reason") == "Available"


def _stands_by(standby: OperatorProcess) -> bool:
    return health(standby.health_port, "readyz")[1].startswith("ok: standby")


def _change(world: World, password: str) -> None:
    world.patch("secret", NAMESPACE, "login", {"stringData": {"password": password}})
    world.wait_served(NAMESPACE, "uv-0", f"{password}@", seconds=PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
