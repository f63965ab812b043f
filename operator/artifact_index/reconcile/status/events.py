"""Events for trouble and for recovery from it, once per transition, from two statuses. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from artifact_index.api.conditions import (
    DEPENDENCY_CONFUSION_RISK,
    FRESHNESS_NOT_GUARANTEED,
    READY,
    REFRESH_FAILING,
)
from artifact_index.api.reasons import Reason
from artifact_index.reconcile.cache.status_parsing import condition_of

_QUIET_REASONS = frozenset(reason for reason in Reason if reason.quiet)
_ABNORMAL = (REFRESH_FAILING, FRESHNESS_NOT_GUARANTEED, DEPENDENCY_CONFUSION_RISK)


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person should hear of; `reason` is the condition's reason."""

    type: Literal["Warning", "Normal"]
    reason: str
    message: str


def transitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Event]:
    """What changed from one status to the next that is worth an event."""
    found: list[Event] = []
    old, new = condition_of(before, READY), condition_of(after, READY)
    if new is not None and _is_trouble(new):
        if not (_is_trouble(old) and old is not None and old["reason"] == new["reason"]):
            found.append(Event("Warning", new["reason"], new["message"]))
    elif new is not None and new["status"] == "True" and _is_trouble(old):
        found.append(Event("Normal", new["reason"], new["message"]))
    for condition_type in _ABNORMAL:
        was, now = condition_of(before, condition_type), condition_of(after, condition_type)
        if now is not None and (was is None or was["reason"] != now["reason"]):
            found.append(Event("Warning", now["reason"], now["message"]))
        elif condition_type == REFRESH_FAILING and was is not None and now is None and _served(new):
            message = "the credential can be replaced again"
            found.append(Event("Normal", Reason.AVAILABLE, message))
    return found


def _is_trouble(condition: Mapping[str, Any] | None) -> bool:
    return (
        condition is not None
        and condition["status"] == "False"
        and condition["reason"] not in _QUIET_REASONS
    )


def _served(condition: Mapping[str, Any] | None) -> bool:
    """Not so where the index was suspended, or is not selected any more: that recovers nothing."""
    return (
        condition is not None
        and condition["status"] == "True"
        and condition["reason"] == Reason.AVAILABLE
    )
