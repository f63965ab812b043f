"""The log lines of a status that was written: one for each condition that changed."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.conditions import READY, RECONCILING, STALLED
from artifact_index.api.reasons import Reason
from artifact_index.logs import LogEvent, log_event
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.sources.registry import login_names

_QUIET: Final = frozenset(reason for reason in Reason if reason.quiet)
_REPEAT_READY: Final = (RECONCILING, STALLED)
"""They have the reason and the message of Ready."""

logger = logging.getLogger(__name__)


class Change(NamedTuple):
    """A condition with another status or another reason than before."""

    condition: str
    status: str
    reason: str
    message: str

    @property
    def level(self) -> int:
        """A warning for what is wrong."""
        wrong = self.status == ("False" if self.condition == READY else "True")
        return logging.WARNING if wrong and self.reason not in _QUIET else logging.INFO


def log_changes(
    kind: str,
    owner: IndexObject | OptionsObject,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    """Write a line for each change of a condition from one status of an object to the next."""
    for change in changes(before, after):
        spec = owner.spec
        login = login_names(spec) if isinstance(spec, ArtifactIndexSpec) else {}
        log_event(
            logger, change.level, LogEvent.CONDITION_CHANGED, change.message,
            namespace=owner.ref.namespace, kind=kind, name=owner.ref.name,
            condition=change.condition, status=change.status, reason=change.reason, **login,
        )  # fmt: skip


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """The changes of conditions from one status to the next; the messages do not matter.

    Reconciling and Stalled are reported only if Ready does not say the same.
    """
    old, new = _by_type(before), _by_type(after)
    ready_changed = _state(old.get(READY)) != _state(new.get(READY))
    for type_, condition in new.items():
        said = ready_changed and type_ in _REPEAT_READY
        if not said and _state(old.get(type_)) != _state(condition):
            yield Change(type_, condition["status"], condition["reason"], condition["message"])
    if ready_changed and new.get(READY, {}).get("status") == "False":
        return  # what ended was followed by something worse
    for type_ in old.keys() - new.keys() - set(_REPEAT_READY):
        yield Change(type_, "False", old[type_]["reason"], f"{type_} has ended")


def _by_type(status: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    return {condition["type"]: condition for condition in status.get("conditions") or ()}


def _state(condition: Mapping[str, str] | None) -> tuple[str, str] | None:
    return None if condition is None else (condition["status"], condition["reason"])
