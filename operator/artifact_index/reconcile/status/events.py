"""Events for a problem and for its end, once per transition, from two statuses. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from artifact_index.api.conditions import (
    DEPENDENCY_CONFUSION_RISK,
    FRESHNESS_NOT_GUARANTEED,
    READY,
    REFRESH_FAILING,
    SERVED_TWICE,
)
from artifact_index.api.reasons import Reason
from artifact_index.reconcile.cache.refresh_requests import unheeded_note_in
from artifact_index.reconcile.cache.status_parsing import condition_of, conditions_by_type

_QUIET_REASONS = frozenset(reason for reason in Reason if reason.quiet)
_REQUEST_IGNORED = "RefreshRequestIgnored"
_ABNORMAL = (
    REFRESH_FAILING, FRESHNESS_NOT_GUARANTEED, DEPENDENCY_CONFUSION_RISK, SERVED_TWICE
)  # fmt: skip
"""Conditions beside Ready that post an event when they become True or change their reason."""


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event to post, with the reason of its condition."""

    type: Literal["Warning", "Normal"]
    reason: str
    message: str


def transitions(
    before: Mapping[str, Any], after: Mapping[str, Any], *, recovers: bool = False
) -> list[Event]:
    """The events of a change from one status to the next; none if nothing changed.

    `recovers` says that a status before that one had a problem, whose end is yet to be told.
    """
    events: list[Event] = []
    was_of, now_of = conditions_by_type(before), conditions_by_type(after)
    old, new = was_of.get(READY, {}), now_of.get(READY, {})
    if _is_problem(new):
        if not _is_problem(old) or old["reason"] != new["reason"]:
            events.append(Event("Warning", new["reason"], new["message"]))
    elif new.get("status") == "True" and (recovers or _is_problem(old)):
        events.append(Event("Normal", new["reason"], new["message"]))
    ignored = unheeded_note_in(new.get("message", ""))
    if ignored and ignored != unheeded_note_in(old.get("message", "")):
        events.append(Event("Warning", _REQUEST_IGNORED, ignored))
    # Suspending or deselecting an index is no recovery of its refresh.
    available = new.get("status") == "True" and new["reason"] == Reason.AVAILABLE
    for condition_type in _ABNORMAL:
        was, now = was_of.get(condition_type), now_of.get(condition_type)
        latest = now or was
        if latest is None or latest["reason"] in _QUIET_REASONS:
            continue
        if now is not None and (was is None or was["reason"] != now["reason"]):
            events.append(Event("Warning", now["reason"], now["message"]))
        elif condition_type == REFRESH_FAILING and was and not now and available:
            message = "the credential can be refreshed again"
            events.append(Event("Normal", Reason.AVAILABLE, message))
    return events


def has_problem(status: Mapping[str, Any]) -> bool:
    """Whether Ready is False for a reason of which an event tells."""
    return _is_problem(condition_of(status, READY) or {})


def waits(status: Mapping[str, Any]) -> bool:
    """Whether Ready is False without a problem, as while a token is requested."""
    ready = condition_of(status, READY) or {}
    return ready.get("status") == "False" and not _is_problem(ready)


def _is_problem(condition: Mapping[str, Any]) -> bool:
    return condition.get("status") == "False" and condition["reason"] not in _QUIET_REASONS
