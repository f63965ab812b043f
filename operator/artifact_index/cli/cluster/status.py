"""The report of `artifact-index status`, from the objects of a cluster. Pure."""

from collections.abc import Sequence

from artifact_index.api.timestamps import format_time
from artifact_index.cli.cluster.diagnosis import namespaces_of, problems_of, waits_since
from artifact_index.cli.cluster.objects import Observed, login_of, outputs_of
from artifact_index.cli.reports import (
    FileStatus,
    IndexStatus,
    Ready,
    StatusReport,
)


def report_of(indexes: Sequence[Observed], options: Sequence[Observed], now: float) -> StatusReport:
    """What is served, until when, and what is wrong at the time `now`, in POSIX seconds."""
    problems = [problem for each in (*options, *indexes) for problem in problems_of(each, now)]
    problems.sort(key=lambda each: each.severity)  # errors first
    times = [each.written_at for each in (*options, *indexes) if each.written_at is not None]
    waits = [waits_since(each, now) for each in (*options, *indexes)]
    waiting = [since for since in waits if since is not None]
    return StatusReport(
        last_write_at=max(times, default=None),
        waiting=len(waiting),
        waiting_since=_text(min(waiting, default=None)),
        files=[file for each in options for file in _files(each)],
        indexes=[_index(each) for each in indexes],
        problems=problems,
    )


def _files(each: Observed) -> list[FileStatus]:
    ready, reason = _ready(each)
    return [
        FileStatus(
            namespace=each.namespace,
            index_options=each.name,
            file=output,
            indexes=_count(each, "indexCount"),
            ready_indexes=_count(each, "readyIndexCount"),
            ready=ready,
            reason=reason,
            expires_at=_text(each.expires_at),
            warnings=_warnings(each),
            namespaces=namespaces_of(each),
        )
        for output in outputs_of(each)
    ]


def _index(each: Observed) -> IndexStatus:
    ready, reason = _ready(each)
    url = each.status.get("url")
    return IndexStatus(
        namespace=each.namespace,
        name=each.name,
        ready=ready,
        reason=reason,
        url=url if isinstance(url, str) else None,
        expires_at=_text(each.expires_at),
        refresh_at=_text(each.refresh_at),
        login=login_of(each),
        warnings=_warnings(each),
    )


def _ready(each: Observed) -> tuple[Ready, str]:
    """Ready and its reason; Unknown while the operator has not seen the spec."""
    if not each.handled or each.ready is None:
        return "Unknown", "NotHandled"
    return ("True" if each.ready.status == "True" else "False"), each.ready.reason


def _count(each: Observed, field: str) -> int:
    value = each.status.get(field)
    return value if isinstance(value, int) else 0


def _warnings(each: Observed) -> list[str]:
    return [warning.type for warning in each.warnings]


def _text(time: int | None) -> str | None:
    return None if time is None else format_time(time)
