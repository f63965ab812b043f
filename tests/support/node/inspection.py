"""What the node sees of the operator's process: when it started, and when it was ready."""

import contextlib
import datetime
import http.client
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support.control_plane import ControlPlane, wait_until
from support.operator_process import OPERATOR_NAMESPACE

PODS: Final = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"
HEALTH_PORT: Final = 8080
READY_SECONDS: Final = 180.0
PROBE_SECONDS: Final = 20.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def operator_pod(plane: ControlPlane, *, but: str = "") -> str:
    """Wait for a ready pod of the operator, other than a certain one, and return its name."""

    def ready() -> list[str]:
        pods = (plane.read(PODS) or {"items": []})["items"]
        return [
            pod["metadata"]["name"]
            for pod in pods
            if pod["metadata"]["name"] != but
            and "deletionTimestamp" not in pod["metadata"]
            and any(
                item["type"] == "Ready" and item["status"] == "True"
                for item in pod["status"].get("conditions", [])
            )
        ]

    wait_until(lambda: len(ready()) == 1, "one ready pod of the operator", READY_SECONDS)
    return ready()[0]


def restarts(plane: ControlPlane, pod: str) -> int:
    """How often the kubelet started the operator's container again."""
    count: int = pod_status(plane, pod)["containerStatuses"][0]["restartCount"]
    return count


def pod_status(plane: ControlPlane, pod: str) -> dict[str, Any]:
    """The status of a pod of the operator."""
    found = plane.read(f"{PODS}/{pod}")
    assert found is not None
    status: dict[str, Any] = found["status"]
    return status


@dataclass(frozen=True)
class Start:
    """Seconds from the start of a process until /readyz answered 200."""

    seconds: float
    waited: float
    """Of these its main thread was ready to run, but the processors were busy with others."""

    @property
    def own_seconds(self) -> float:
        """What the start takes where nobody else wants the processors."""
        return self.seconds - self.waited


def measure_start(plane: ControlPlane, *, but: str) -> Start:
    """Measure the operator's next start, while a pod replaces the one called `but`."""
    ready_at = 0.0

    def answers() -> bool:
        nonlocal ready_at
        address = _address(plane, but)
        # An address where nobody is yet may answer nothing at all.
        if address is None or probe(address, "/readyz", seconds=1) != http.HTTPStatus.OK:
            return False
        ready_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        return True

    wait_until(answers, "the next pod's /readyz", READY_SECONDS)
    started_at, process = _newest()
    # Documented in the kernel's Documentation/scheduler/sched-stats.rst: the second number.
    waited = int((process / "schedstat").read_text().split()[1])
    return Start(ready_at - started_at, waited / 1e9)


def operator_started() -> datetime.datetime:
    """When the newest process of the operator was started."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - _newest()[0]
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)


def _address(plane: ControlPlane, but: str) -> str | None:
    pods = (plane.read(PODS) or {"items": []})["items"]
    addresses = [
        pod["status"].get("podIP")
        for pod in pods
        if pod["metadata"]["name"] != but and "deletionTimestamp" not in pod["metadata"]
    ]
    return next((address for address in addresses if address), None)


def probe(address: str, path: str, *, seconds: float = PROBE_SECONDS) -> int:
    """The status that the operator's pod answers with; 0 where nobody answers."""
    connection = http.client.HTTPConnection(address, HEALTH_PORT, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _newest() -> tuple[float, Path]:
    """The newest process of the operator: its start, in seconds since boot, and its folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"/artifact-index\0run\0" in (process / "cmdline").read_bytes():
                # The program's name, in parentheses, may itself hold spaces.
                after_name = (process / "stat").read_text().rpartition(")")[2].split()
                found.append((int(after_name[19]) / _TICKS, process))
    return max(found)
