"""Decides whether an existing object may be written: never one that is not ours. Pure."""

from collections.abc import Container

from artifact_index.api.constants import ADOPT_ANNOTATION, OWNER_ANNOTATION, OWNER_UID_ANNOTATION
from artifact_index.api.owners import Owner, owner_in_words
from artifact_index.api.reasons import Reason
from artifact_index.formats.base import named
from artifact_index.reconcile.cache.objects import OPAQUE, OptionsObject, OutputObject
from artifact_index.sources.policy import Problem


def ownership_problem(
    existing: OutputObject, options: OptionsObject, living_uids: Container[str]
) -> Problem | None:
    """Why an object with an output's name must not be written; None if it may be.

    A controller reference decides. Without one (`deletionPolicy: Retain`) our label and annotations
    do, as long as their owner exists. Otherwise the object must consent by its adopt annotation, or
    its former owner must have had the name of these options. `living_uids` are the UIDs of all
    IndexOptions of the namespace. An object that may be written must also be fit for it.
    """
    what = f"{existing.ref.kind} {existing.ref.name!r}"
    return _foreign(what, existing, options, living_uids) or _unusable(what, existing, options)


def _foreign(
    what: str, existing: OutputObject, options: OptionsObject, living_uids: Container[str]
) -> Problem | None:
    if existing.controller is not None:
        return _by_controller(what, existing.controller, options)
    marked_uid = existing.annotations.get(OWNER_UID_ANNOTATION)
    marked_name = existing.annotations.get(OWNER_ANNOTATION)
    origin = "was there before and is not this operator's"
    if existing.labelled and marked_uid is not None:
        if marked_uid == options.uid:
            return None
        if marked_uid in living_uids:
            return _not_owned(what, f"belongs to {owner_in_words(marked_name)}")
        if marked_name == options.owner:
            return None
        origin = f"is left from {owner_in_words(marked_name)}"
    if existing.adopt == options.owner:
        return None
    namespace, name = existing.ref.namespace, existing.ref.name
    keys = f" ({named(sorted(existing.keys), show=str)})" if existing.keys else ""
    hint = (
        f"to hand it over, which replaces all of its data{keys}: kubectl -n {namespace} annotate "
        f"{existing.ref.kind.lower()} {name} {ADOPT_ANNOTATION}={options.owner}"
    )
    return _not_owned(what, f"{origin}; {hint}")


def is_adoption(existing: OutputObject, options: OptionsObject) -> bool:
    """Whether an object was never an output of this name, and consents to become one."""
    was_ours = (
        existing.labelled
        and OWNER_UID_ANNOTATION in existing.annotations
        and existing.annotations.get(OWNER_ANNOTATION) == options.owner
    )
    consents = existing.adopt == options.owner
    return consents and not (was_ours or belongs_to(existing, options))


def belongs_to(existing: OutputObject, options: OptionsObject) -> bool:
    """Whether an object belongs to exactly this IndexOptions, so that it may be deleted."""
    if existing.controller is not None:
        return existing.controller.ours and existing.controller.uid == options.uid
    return existing.labelled and existing.annotations.get(OWNER_UID_ANNOTATION) == options.uid


def _unusable(what: str, existing: OutputObject, options: OptionsObject) -> Problem | None:
    if existing.secret_type not in ("", OPAQUE):
        why = f"has type {existing.secret_type!r}, and outputs are {OPAQUE}"
    elif existing.immutable and is_adoption(existing, options):
        why = "is immutable, so it cannot be adopted"
    else:
        return None
    return Problem(
        Reason.TARGET_UNUSABLE,
        f"{what} {why}; it is left untouched: save what you need of it and delete it, so that the "
        "operator creates it anew, or choose another name in spec.outputs",
    )


def _by_controller(what: str, owner: Owner, options: OptionsObject) -> Problem | None:
    if not owner.ours:
        return _not_owned(what, "is controlled by another object")
    if owner.uid == options.uid:
        return None
    if owner.name == options.owner:
        return Problem(
            Reason.WAITING_FOR_DELETION,
            f"{what} belongs to an earlier {options.owner_kind} of this name and is being deleted",
        )
    return _not_owned(what, f"belongs to {owner_in_words(owner.name)}")


def _not_owned(what: str, why: str) -> Problem:
    return Problem(
        Reason.TARGET_NOT_OWNED,
        f"{what} {why}; it is left untouched: choose another name in spec.outputs, or delete it",
    )
