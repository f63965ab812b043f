"""The status of an IndexOptions whose namespace another installation serves. Pure."""

from typing import Final

from artifact_index.api.conditions import SERVED_TWICE
from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT, WRITER_ANNOTATION
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time, parse_time
from artifact_index.reconcile.cache.objects import OptionsObject
from artifact_index.reconcile.cache.status_parsing import condition_of, decoded_status
from artifact_index.reconcile.status.conditions import Status

_KEPT_FOR: Final = 24 * 3600
"""Seconds for which the first installation keeps what the second one says, which may be gone."""

_IN_A_STATUS: Final = SERVED_TWICE.encode()


def with_second(options: OptionsObject, *, own: str, first: str, now: float) -> Status:
    """The status that the `first` installation wrote, and that a second one, `own`, stands still.

    Nothing else is touched: the first one goes on to serve it.
    """
    status = decoded_status(options.status)
    selector, namespace = f"{ROLE_LABEL}={ROLE_OUTPUT}", options.ref.namespace
    message = (
        f"installation {own} serves this namespace, too, and stands still, because {first} writes "
        "its outputs: take the namespace off one of them, or uninstall one. To hand it over to "
        f"{own}: kubectl -n {namespace} annotate secrets,configmaps -l {selector} "
        f"{WRITER_ANNOTATION}-"
    )
    known = condition_of(status, SERVED_TWICE)
    if known is not None and known["message"] == message:
        return status
    condition = {
        "type": SERVED_TWICE,
        "status": "True",
        "observedGeneration": options.generation,
        "lastTransitionTime": format_time(now),
        "reason": str(Reason.ANOTHER_INSTALLATION),
        "message": message,
    }
    others = [each for each in status.get("conditions") or () if each["type"] != SERVED_TWICE]
    return {**status, "conditions": [*others, condition]}


def keeping_second(status: Status, options: OptionsObject, *, own: str, now: float) -> Status:
    """The status of the first installation, `own`, with what a second one has said lately."""
    if _IN_A_STATUS not in options.status or condition_of(status, SERVED_TWICE) is not None:
        return status
    said = condition_of(decoded_status(options.status), SERVED_TWICE)
    if said is None or said["message"].startswith(f"installation {own} "):
        return status
    if parse_time(said["lastTransitionTime"]) < now - _KEPT_FOR:
        return status
    return {**status, "conditions": [*status["conditions"], said]}
