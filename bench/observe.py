"""What is measured, from outside the operator: audit log, /proc, and the objects themselves."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from artifact_index.api.constants import FIELD_MANAGER, ROLE_LABEL, ROLE_OUTPUT
from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import load_configuration
from artifact_index.kube.resources import (
    ARTIFACT_INDEXES,
    CLUSTER_ARTIFACT_INDEXES,
    CLUSTER_INDEX_OPTIONS,
    INDEX_OPTIONS,
    SECRETS,
    Resource,
)
from support.control_plane import ControlPlane
from support.control_plane.audit import AuditEvent
from support.world import OPERATOR_USER, WRITES

DISCOVERY = "get "
"""The label of requests for what the API server offers: they name no resource."""

_POLL = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")
_USER = OPERATOR_USER.encode()
_WRITE_MARKS = tuple(f'"verb":"{verb}"'.encode() for verb in WRITES)


class NotConvergedError(Exception):
    """The expected writes did not come in time; the message says how many did."""


@dataclass(frozen=True)
class Requests:
    """The requests of one phase, by the API server's audit log."""

    events: tuple[AuditEvent, ...]

    @property
    def writes(self) -> Counter[str]:
        """Successful or not, by verb and resource: `create secrets`."""
        return Counter(label(event) for event in self._writing)

    @property
    def reads(self) -> Counter[str]:
        """GETs and LISTs by verb and resource; a watch is logged only when it ends."""
        return Counter(label(event) for event in self.events if event.verb in ("get", "list"))

    @property
    def failed(self) -> int:
        """Requests that were answered with an error, but for the GET of a missing object."""
        return sum(event.code >= 400 and event.verb != "get" for event in self.events)

    @property
    def begun(self) -> float:
        """POSIX seconds at which the first request came in."""
        return min(event.received_at.timestamp() for event in self.events)

    @property
    def first_write(self) -> float:
        """POSIX seconds at which the first write came in."""
        return min(event.received_at.timestamp() for event in self._writing)

    @property
    def last_write(self) -> float:
        """POSIX seconds at which the last write was answered."""
        return max(event.answered_at.timestamp() for event in self._writing)

    @property
    def _writing(self) -> list[AuditEvent]:
        return [event for event in self.events if event.verb in WRITES]


def label(event: AuditEvent) -> str:
    """What a request does: `create secrets`, `patch indexoptions/status`."""
    resource = event.resource.partition(".")[0]
    return f"{event.verb} {resource}{'/' + event.subresource if event.subresource else ''}"


def requests_since(plane: ControlPlane, mark: int) -> Requests:
    """What the operator's ServiceAccount asked for after a mark of the audit log.

    Less its check of the API server: that comes by the clock, three times a minute, so a phase that
    lasts longer has more of it.
    """
    events = plane.audit_events(OPERATOR_USER, since=mark)
    return Requests(tuple(event for event in events if not _is_check(event)))


def _is_check(event: AuditEvent) -> bool:
    # kopf begins its watches with such listings, too.
    ours = event.user_agent.startswith(FIELD_MANAGER)
    return (
        ours and event.verb == "list" and parse_qs(urlsplit(event.uri).query).get("limit") == ["1"]
    )


def await_writes(
    plane: ControlPlane, mark: int, count: int, *, seconds: float, quiet: float = 1.0
) -> None:
    """Wait until the operator's account made `count` writes, and then none for a while.

    Lines are counted and not parsed, since both cores are the operator's and the server's.
    Raises NotConvergedError.
    """
    seen, last, deadline = 0, time.monotonic(), time.monotonic() + seconds
    for lines in _follow(plane, mark):
        fresh = sum(_is_write(line) for line in lines)
        if fresh:
            seen, last = seen + fresh, time.monotonic()
        if seen >= count and time.monotonic() > last + quiet:
            return
        if time.monotonic() > deadline:
            raise NotConvergedError(f"{seen} of {count} writes after {seconds:.0f} s")


def await_quiet(plane: ControlPlane, mark: int, quiet: float, *, seconds: float) -> None:
    """Wait until the operator's account asked for something, and then for nothing for a while.

    Raises NotConvergedError.
    """
    last, deadline = float("inf"), time.monotonic() + seconds
    for lines in _follow(plane, mark):
        if any(_USER in line for line in lines):
            last = time.monotonic()
        if time.monotonic() > last + quiet:
            return
        if time.monotonic() > deadline:
            raise NotConvergedError(f"not quiet for {quiet:.0f} s within {seconds:.0f} s")


def _follow(plane: ControlPlane, mark: int) -> Iterator[list[bytes]]:
    """The complete lines that the audit log got since the last look, a few times a second."""
    with plane.audit_log_path.open("rb") as log:
        log.seek(mark)
        rest = b""
        while True:
            time.sleep(_POLL)
            complete, _, rest = (rest + log.read()).rpartition(b"\n")
            yield complete.splitlines()


def _is_write(line: bytes) -> bool:
    return _USER in line and any(mark in line for mark in _WRITE_MARKS)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, field: str = "VmHWM") -> float:
    """Peak (`VmHWM`) or present (`VmRSS`) resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    raise ValueError(f"no {field} of process {pid}")


Snapshot = dict[str, dict[tuple[str, str], dict[str, Any]]]
"""Objects by plural, then by namespace and name."""


async def snapshot(kubeconfig: Path) -> Snapshot:
    """The outputs and the custom resources, as they stand."""
    api = KubeApi(await load_configuration(kubeconfig=kubeconfig))

    async def listed(
        resource: Resource, selector: str | None = None
    ) -> dict[tuple[str, str], dict[str, Any]]:
        pages = api.list(resource, label_selector=selector)
        bodies = [body async for page in pages for body in page.items]
        metadata = [(body["metadata"], body) for body in bodies]
        return {(each.get("namespace", ""), each["name"]): body for each, body in metadata}

    try:
        return {
            SECRETS.plural: await listed(SECRETS, f"{ROLE_LABEL}={ROLE_OUTPUT}"),
            ARTIFACT_INDEXES.plural: await listed(ARTIFACT_INDEXES),
            INDEX_OPTIONS.plural: await listed(INDEX_OPTIONS),
            CLUSTER_ARTIFACT_INDEXES.plural: await listed(CLUSTER_ARTIFACT_INDEXES),
            CLUSTER_INDEX_OPTIONS.plural: await listed(CLUSTER_INDEX_OPTIONS),
        }
    finally:
        await api.close()
