"""Conditions of a status: the desired ones in API form, with transition times. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from artifact_index.api.conditions import READY, RECONCILING, STALLED
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.status_parsing import condition_of, decoded_status
from artifact_index.sources.policy import Problem

Status = dict[str, Any]

LONGEST_MESSAGE: Final = 32768
"""Characters; the limit of metav1.Condition."""


@dataclass(frozen=True, slots=True)
class DesiredCondition:
    """A condition as the status should report it; the times follow from the previous status."""

    type: str
    status: Literal["True", "False"]
    reason: str
    message: str


def readiness(problem: Problem | None, *, reason: str, message: str) -> list[DesiredCondition]:
    """Ready and, if it is False, Stalled or Reconciling with the same reason (kstatus).

    `reason` and `message` are for Ready=True.
    """
    if problem is None:
        return [DesiredCondition(READY, "True", reason, message)]
    abnormal = STALLED if problem.stalled else RECONCILING
    return [
        DesiredCondition(READY, "False", problem.reason, problem.message),
        DesiredCondition(abnormal, "True", problem.reason, problem.message),
    ]


def suspended_readiness(previous: Status, message: str) -> list[DesiredCondition]:
    """Ready with its previous value, or False if there was none; no other condition stays."""
    ready = condition_of(previous, READY)
    status: Literal["True", "False"] = "True" if ready and ready["status"] == "True" else "False"
    return [DesiredCondition(READY, status, Reason.SUSPENDED, message)]


def conditions(
    desired: Sequence[DesiredCondition], *, previous: Status, generation: int, now: float
) -> list[dict[str, Any]]:
    """The conditions in API form. Only a new value of `status` moves the transition time.

    `previous` is the whole status as last written; `now` is in POSIX seconds.
    """
    known = previous.get("conditions") or ()
    old_by_type = {condition.get("type"): condition for condition in known}
    result = []
    for condition in desired:
        old = old_by_type.get(condition.type, {})
        unchanged = old.get("status") == condition.status and "lastTransitionTime" in old
        result.append(
            {
                "type": condition.type,
                "status": condition.status,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if unchanged else format_time(now),
                "reason": condition.reason,
                "message": condition.message[:LONGEST_MESSAGE],
            }
        )
    return result


def observed(
    source: IndexObject | OptionsObject,
    desired: Sequence[DesiredCondition],
    *,
    previous: Status,
    now: float,
) -> Status:
    """The part of a status that both kinds share: `observedGeneration` and `conditions`."""
    generation = source.generation
    return {
        "observedGeneration": generation,
        "conditions": conditions(desired, previous=previous, generation=generation, now=now),
    }


def suspended_status(source: IndexObject | OptionsObject, message: str, now: float) -> Status:
    """The previous status of a suspended object with reason Suspended; Ready keeps its value."""
    previous = decoded_status(source.status)
    desired = suspended_readiness(previous, message)
    return {**previous, **observed(source, desired, previous=previous, now=now)}


def status_patch(previous: Any, status: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch from one status to the next; null removes a key, at every depth."""
    if not isinstance(previous, dict):
        return dict(status)
    patch: dict[str, Any] = {key: None for key in previous if key not in status}
    for key, value in status.items():
        old = previous.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if value != old:
                patch[key] = status_patch(old, value)
        elif value != old:
            patch[key] = value
    return patch
