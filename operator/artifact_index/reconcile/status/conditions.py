"""Conditions of a status: the desired ones in API form, with transition times. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from artifact_index.api.conditions import (
    DEPENDENCY_CONFUSION_RISK,
    FRESHNESS_NOT_GUARANTEED,
    READY,
    RECONCILING,
    REFRESH_FAILING,
    STALLED,
)
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.status_parsing import condition_of, decoded_status
from artifact_index.sources.policy import Problem

Status = dict[str, Any]

LONGEST_MESSAGE: Final = 32768
"""Characters; the limit of metav1.Condition."""


_WARNINGS: Final = (REFRESH_FAILING, FRESHNESS_NOT_GUARANTEED, DEPENDENCY_CONFUSION_RISK)
"""The conditions that `kubectl get` shows, the first one of them."""


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


def observed(
    generation: int, desired: Sequence[DesiredCondition], *, previous: Status, now: float
) -> Status:
    """The part of a status that both kinds share: `observedGeneration`, `conditions`, `warning`.

    Only a new value of a condition's `status` moves its transition time. `previous` is the whole
    status as last written; `now` is in POSIX seconds.
    """
    known = {condition.get("type"): condition for condition in previous.get("conditions") or ()}
    conditions = []
    for condition in desired:
        old = known.get(condition.type, {})
        unchanged = old.get("status") == condition.status and "lastTransitionTime" in old
        conditions.append(
            {
                "type": condition.type,
                "status": condition.status,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if unchanged else format_time(now),
                "reason": condition.reason,
                "message": condition.message[:LONGEST_MESSAGE],
            }
        )
    status: Status = {"observedGeneration": generation, "conditions": conditions}
    present = {condition.type for condition in desired}
    if (warning := next(filter(present.__contains__, _WARNINGS), None)) is not None:
        status["warning"] = warning
    return status


def without_observations(previous: Status) -> Status:
    """What a status keeps beside `observed`, of the one before."""
    return {key: value for key, value in previous.items() if key != "warning"}


def suspended_status(source: IndexObject | OptionsObject, message: str, now: float) -> Status:
    """The previous status of a suspended object, but only Ready of its conditions.

    Ready has its previous value, or False if there was none, and reason Suspended.
    """
    previous = decoded_status(source.status)
    was_ready = (condition_of(previous, READY) or {}).get("status") == "True"
    ready = DesiredCondition(READY, "True" if was_ready else "False", Reason.SUSPENDED, message)
    kept = without_observations(previous)
    return kept | observed(source.generation, [ready], previous=previous, now=now)


def status_patch(previous: Any, status: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch from one status to the next; null removes a key, at every depth."""
    if not isinstance(previous, dict):
        return dict(status)
    patch: dict[str, Any] = {key: None for key in previous if key not in status}
    for key, value in status.items():
        if value != (old := previous.get(key)):
            nested = isinstance(value, dict) and isinstance(old, dict)
            patch[key] = status_patch(old, value) if nested else value
    return patch
