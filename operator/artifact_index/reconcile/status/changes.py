"""The log lines of a status that was written: one for each condition that changed."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.conditions import READY, RECONCILING, STALLED
from artifact_index.api.reasons import Reason
from artifact_index.logs import log_event
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.sources.registry import login_names

_QUIET: Final = frozenset(reason for reason in Reason if reason.quiet)
Condition = Mapping[str, str]
Status = Mapping[str, Any]

logger = logging.getLogger(__name__)


def log_changes(
    kind: str, owner: IndexObject | OptionsObject, before: Status, after: Status
) -> None:
    """Write a line for each change of a condition from one status of an object to the next."""
    spec, ref = owner.spec, owner.ref
    login = login_names(spec) if isinstance(spec, ArtifactIndexSpec) else {}
    for change in changes(before, after):
        condition, status, reason = change["type"], change["status"], change["reason"]
        wrong = status == ("False" if condition == READY else "True") and reason not in _QUIET
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
    old, new = _by_type(before), _by_type(after)
    ready_changed = _differ(old.get(READY), new.get(READY))
    for type_, condition in new.items():
        said = ready_changed and type_ in (RECONCILING, STALLED)
        if not said and _differ(old.get(type_), condition):
            yield condition
    if not (ready_changed and new.get(READY, {}).get("status") == "False"):
        for type_ in old.keys() - new.keys() - {RECONCILING, STALLED}:
            yield {**old[type_], "status": "False", "message": f"{type_} has ended"}


def _by_type(status: Status) -> dict[str, Condition]:
    return {condition["type"]: condition for condition in status.get("conditions") or ()}


def _differ(one: Condition | None, other: Condition | None) -> bool:
    return (
        one is None
        or other is None
        or ((one["status"], one["reason"]) != (other["status"], other["reason"]))
    )
