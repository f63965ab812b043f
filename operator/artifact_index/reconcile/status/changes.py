"""The log lines of a status that was written: one for each condition that changed."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.conditions import READY, RECONCILING, STALLED
from artifact_index.api.reasons import Reason
from artifact_index.logs import log_event
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.status_parsing import conditions_by_type
from artifact_index.sources.registry import login_names

_QUIET: Final = frozenset(reason for reason in Reason if reason.quiet)
_SAID_BY_READY: Final = (RECONCILING, STALLED)
Condition = Mapping[str, str]
Status = Mapping[str, Any]

logger = logging.getLogger(__name__)


def log_changes(
    kind: str, owner: IndexObject | OptionsObject, before: Status, after: Status
) -> None:
    """Write a line for each change of a condition from one status of an object to the next."""
    spec, ref = owner.spec, owner.ref
    for change in changes(before, after):
        condition, status, reason = change["type"], change["status"], change["reason"]
        wrong = status == ("False" if condition == READY else "True") and reason not in _QUIET
        login = login_names(spec) if isinstance(spec, ArtifactIndexSpec) else {}
        log_event(
            logger, logging.WARNING if wrong else logging.INFO, "ConditionChanged",
            change["message"], namespace=ref.namespace, kind=kind, name=ref.name,
            condition=condition, status=status, reason=reason, **login,
        )  # fmt: skip


def changes(before: Status, after: Status) -> Iterator[Condition]:
    """The conditions with another status or reason; their messages do not matter.

    Reconciling and Stalled count only if Ready does not say the same. What has ended is False, and
    does not count beside something worse.
    """
    old, new = conditions_by_type(before), conditions_by_type(after)
    ready_changed = _state(old.get(READY)) != _state(new.get(READY))
    for type_, condition in new.items():
        said = ready_changed and type_ in _SAID_BY_READY
        if not said and _state(old.get(type_)) != _state(condition):
            yield condition
    if ready_changed and new.get(READY, {}).get("status") == "False":
        return
    for type_, condition in old.items():
        if type_ not in new and type_ not in _SAID_BY_READY:
            yield {**condition, "status": "False", "message": f"{type_} has ended"}


def _state(condition: Condition | None) -> tuple[str, str] | None:
    return None if condition is None else (condition["status"], condition["reason"])
