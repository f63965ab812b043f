"""What is wrong with an object, and where the root of it is. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import ValidationError

from artifact_index.api.cluster.index_options import ClusterIndexOptionsStatus
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import parse_time
from artifact_index.cli.cluster.objects import Condition, Observed, selects, unready_indexes
from artifact_index.cli.console import duration
from artifact_index.cli.reports import NamespaceCounts, ObjectProblem, ObjectRef, Severity
from artifact_index.kube.resources import NAMESPACES

OVERDUE: Final = 120
"""Seconds after which a refresh that is due and does not fail means that nobody does it."""

UNHANDLED: Final = 60
"""Seconds after which a change that no operator has handled means that it is behind."""

SEE_THE_OPERATOR: Final = (
    "see whether the operator runs: `kubectl get pods -A -l "
    "app.kubernetes.io/name=artifact-index-operator`"
)
_REASONS: Final = {reason.value: reason for reason in Reason}


def problems_of(each: Observed, now: float) -> Iterator[ObjectProblem]:
    """Everything wrong with an object, the worst first; `now` is in POSIX seconds.

    Besides the reasons of conditions there are Expired, NotHandled and RefreshOverdue, which tell
    an operator that does not run.
    """
    ready, expires_at, refresh_at = each.ready, each.expires_at, each.refresh_at
    if expires_at is not None and expires_at <= now:
        ago = duration(now - expires_at)
        message = f"what is served expired {ago} ago, whatever Ready says; {SEE_THE_OPERATOR}"
        if each.suspended:
            message = (
                f"its token expired {ago} ago and is not replaced while spec.suspend is true: "
                f"`artifact-index resume {each.arguments}`"
            )
        yield _problem(each, "error", "Expired", message)
    if not each.handled or ready is None:
        serves = f"namespace {each.namespace}" if each.namespace else "the kinds of cluster scope"
        message = (
            f"the operator has not handled generation {each.generation} yet; if this stays so, "
            f"{SEE_THE_OPERATOR}, and whether it serves {serves}"
        )
        yield _problem(each, "error", "NotHandled", message)
    elif ready.status != "True":
        yield _condition(each, "error", ready)
    for warning in each.warnings:
        yield _condition(each, "warning", warning)
    if refresh_at is not None and now - refresh_at > OVERDUE and not each.refresh_fails:
        message = (
            f"the token was due for a refresh {duration(now - refresh_at)} ago; {SEE_THE_OPERATOR}"
        )
        yield _problem(each, "warning", "RefreshOverdue", message)


def waits_since(each: Observed, now: float) -> int | None:
    """Since when an object has waited for the operator, if that is long; both in POSIX seconds."""
    since, patience = each.refresh_at, OVERDUE
    if not each.handled or each.ready is None:
        since = parse_time(each.changed_at) if each.changed_at is not None else None
        patience = UNHANDLED
    elif each.refresh_fails:
        return None
    return since if since is not None and now - since > patience else None


def roots_of(
    each: Observed, indexes: Sequence[Observed], options: Sequence[Observed], now: float
) -> list[ObjectProblem]:
    """What is wrong with an object, with each consequence of others replaced by their problems.

    `indexes` and `options` are those of its namespace, and those of cluster scope.
    """
    found: list[ObjectProblem] = []
    for problem in problems_of(each, now):
        reason = _REASONS.get(problem.reason)
        causes: list[ObjectProblem] = []
        if reason is not None and reason.of_others:
            causes = [*_failing_namespaces(each)] + [
                cause
                for other in _others(each, indexes, options)
                for cause in problems_of(other, now)
                if cause.severity == "error" and not _is_of_others(cause)
            ]
        found += causes or [problem]
    return list(dict.fromkeys(found))


def _others(
    each: Observed, indexes: Sequence[Observed], options: Sequence[Observed]
) -> list[Observed]:
    """The objects that a consequence comes from."""
    if each.is_index:
        return [other for other in options if selects(other, each)]
    unready = set(unready_indexes(each))
    return [other for other in indexes if (other.kind, other.name) in unready]


def _failing_namespaces(each: Observed) -> Iterator[ObjectProblem]:
    """What a ClusterIndexOptions says of the first namespaces in which it fails."""
    for failing in _cluster_status(each).failing_namespaces:
        where = ObjectRef(kind=NAMESPACES.kind, namespace="", name=failing.namespace)
        yield ObjectProblem(
            severity="error", object=where, reason=failing.reason, since=None,
            message=failing.message or "the status does not say more",
        )  # fmt: skip


def namespaces_of(each: Observed) -> NamespaceCounts | None:
    """In how many namespaces a ClusterIndexOptions writes; None of other kinds."""
    counts = _cluster_status(each).namespaces
    return None if counts is None else NamespaceCounts(**counts.model_dump())


def _cluster_status(each: Observed) -> ClusterIndexOptionsStatus:
    """What a status says of namespaces; nothing where somebody else has written something else."""
    fields = ("namespaces", "failingNamespaces")
    said = {field: each.status[field] for field in fields if field in each.status}
    try:
        return ClusterIndexOptionsStatus.model_validate(said)
    except ValidationError:
        return ClusterIndexOptionsStatus()


def _is_of_others(problem: ObjectProblem) -> bool:
    reason = _REASONS.get(problem.reason)
    return reason is not None and reason.of_others


def _condition(each: Observed, severity: Severity, condition: Condition) -> ObjectProblem:
    return _problem(each, severity, condition.reason, condition.message, condition.since)


def _problem(
    each: Observed, severity: Severity, reason: str, message: str, since: str | None = None
) -> ObjectProblem:
    return ObjectProblem(
        severity=severity, object=each.ref, reason=reason, since=since, message=message
    )
