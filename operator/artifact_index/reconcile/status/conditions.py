"""Conditions from findings: set, kept or dropped, with their transition times. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from artifact_index.api.conditions import READY, RECONCILING, STALLED
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.reconcile.cache.status_parsing import condition_of
from artifact_index.reconcile.resolve.checks import Problem

Status = dict[str, Any]

LONGEST_MESSAGE: Final = 32768
"""Characters, as metav1.Condition bounds it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition that ought to stand, without its times."""

    type: str
    status: Literal["True", "False"]
    reason: str
    message: str


def readiness(problem: Problem | None, *, reason: str, message: str) -> list[Finding]:
    """Ready and, where it is False, Stalled or Reconciling beside it (kstatus).

    `reason` and `message` are those of Ready=True.
    """
    if problem is None:
        return [Finding(READY, "True", reason, message)]
    beside = STALLED if problem.stalled else RECONCILING
    return [
        Finding(READY, "False", problem.reason, problem.message),
        Finding(beside, "True", problem.reason, problem.message),
    ]


def conditions(
    findings: Sequence[Finding], *, before: Status, generation: int, now: float
) -> list[dict[str, Any]]:
    """The conditions in API form; a condition whose status stays keeps its transition time."""
    known = {condition.get("type"): condition for condition in before.get("conditions") or ()}
    result = []
    for finding in findings:
        old = known.get(finding.type, {})
        same = old.get("status") == finding.status and "lastTransitionTime" in old
        result.append(
            {
                "type": finding.type,
                "status": finding.status,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if same else format_time(now),
                "reason": finding.reason,
                "message": finding.message[:LONGEST_MESSAGE],
            }
        )
    return result


def suspended_findings(before: Status, message: str) -> list[Finding]:
    """Ready keeps its last value, or is False where there was none; the rest goes."""
    ready = condition_of(before, READY)
    status: Literal["True", "False"] = "True" if ready and ready["status"] == "True" else "False"
    return [Finding(READY, status, Reason.SUSPENDED, message)]


def status_patch(before: Any, after: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch from one status to the other: null for what went, at every depth."""
    if not isinstance(before, dict):
        return dict(after)
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if value != old:
                patch[key] = status_patch(old, value)
        elif value != old:
            patch[key] = value
    return patch
