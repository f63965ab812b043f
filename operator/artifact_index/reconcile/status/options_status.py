"""The statuses of both kinds, each made in one place from what a pass has found. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from artifact_index.api.conditions import FRESHNESS_NOT_GUARANTEED, REFRESH_FAILING
from artifact_index.api.index_options import MAX_STATUS_INDEXES, MAX_STATUS_KEYS
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.tokens.freshness import Margins, guaranteed_until
from artifact_index.formats.registry import formats_of
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.refresh_requests import (
    refresh_request,
    unheeded_note,
    with_handled_refresh,
)
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.reconcile.resolve.checks import Problem
from artifact_index.reconcile.status.conditions import (
    Finding,
    Status,
    conditions,
    readiness,
    suspended_findings,
)
from artifact_index.reconcile.status.notes import format_note, shared_host_note
from artifact_index.reconcile.status.risks import confusion_risk, is_omitted

_NAMES_IN_MESSAGE = 3


@dataclass(frozen=True, slots=True)
class OptionsOutcome:
    """What one pass over an IndexOptions came to. `written` are the outputs as they stand.

    `placed` is None where the pass did not come so far: then the indexes and outputs of the status
    stay, and the names in them with the indexes that have them.
    """

    placed: Sequence[IndexPlan] | None
    written: Sequence[DesiredOutput]
    problem: Problem | None


def options_status(
    record: OptionsObject, outcome: OptionsOutcome, *, margins: Margins, now: float
) -> Status:
    """The status of an IndexOptions after a pass."""
    before = record.decoded_status()
    if outcome.placed is None:
        return _unplanned_status(record, before, outcome.problem, now)
    skew = margins.clock_skew
    message = _summary(outcome.placed, outcome.written)
    message += unheeded_note(record, now=now, skew=skew)
    findings = readiness(outcome.problem, reason=Reason.AVAILABLE, message=message)
    findings += _notes(record, outcome.placed, outcome.written)
    status: Status = {
        "observedGeneration": record.generation,
        "conditions": conditions(findings, before=before, generation=record.generation, now=now),
        "indexCount": len(outcome.placed),
        "readyIndexCount": sum(one.ready for one in outcome.placed),
        "indexes": [_index_item(one) for one in outcome.placed[:MAX_STATUS_INDEXES]],
        "outputs": [
            {
                "kind": output.ref.kind,
                "name": output.ref.name,
                "keys": sorted(output.data)[:MAX_STATUS_KEYS],
            }
            for output in outcome.written
        ],
    }
    expiries = [one.expires_at for one in outcome.placed if one.expires_at is not None]
    if expiries:
        status["earliestExpiry"] = format_time(min(expiries))
        status["guaranteedUntil"] = format_time(guaranteed_until(min(expiries), margins))
    request = refresh_request(record, now=now, skew=skew)
    as_of = min((one.fresh_as_of for one in outcome.placed), default=-math.inf)
    return with_handled_refresh(status, before, request, as_of)


def no_indexes(record: OptionsObject, *, outputs_stay: bool) -> Problem:
    """The problem of an IndexOptions that selects nothing."""
    namespace = record.ref.namespace
    cause = f"there is no ArtifactIndex in namespace {namespace!r}; create one"
    if record.spec is not None and record.spec.index_selector is not None:
        cause = (
            f"spec.indexSelector matches no ArtifactIndex of namespace {namespace!r}; correct it, "
            "or the labels of the indexes"
        )
    effect = "the outputs stay as they are" if outputs_stay else "nothing is written"
    return Problem(Reason.NO_INDEXES, f"{cause}. Until then {effect}")


def suspended_options_status(record: OptionsObject, now: float) -> Status:
    """The status of a suspended IndexOptions: what it was, with the reason."""
    return _suspended(record, "spec.suspend is true: outputs are neither written nor repaired", now)


def index_status(
    record: IndexObject, placed: IndexPlan, now: float, *, skew: float = Margins().clock_skew
) -> Status:
    """The status of an ArtifactIndex that some IndexOptions serves; `skew` as in Margins."""
    if record.spec is not None and record.spec.suspend:
        message = "spec.suspend is true: nothing is minted; the token is withdrawn at its time"
        return _suspended(record, message, now)
    message = _index_message(placed) + unheeded_note(record, now=now, skew=skew)
    findings = readiness(placed.problem, reason=Reason.AVAILABLE, message=message)
    if placed.failing is not None and placed.problem is None:
        findings.append(_failing(placed))
    if placed.shortfall is not None:
        findings.append(
            Finding(FRESHNESS_NOT_GUARANTEED, "True", Reason.TOKEN_TOO_SHORT, placed.shortfall)
        )
    status = _index_status(record, findings, now)
    if placed.shown_url is not None:
        status["url"] = placed.shown_url
    if placed.expires_at is not None:
        status["credential"] = {"expiresAt": format_time(placed.expires_at)}
        if placed.refresh_at is not None:
            status["credential"]["refreshAt"] = format_time(placed.refresh_at)
    request = refresh_request(record, now=now, skew=skew)
    return with_handled_refresh(status, record.decoded_status(), request, placed.fresh_as_of)


def unselected_status(record: IndexObject, problem: Problem | None, now: float) -> Status:
    """The status of an ArtifactIndex that no IndexOptions selects: checked, but not logged in."""
    if record.spec is not None and record.spec.suspend:
        return _suspended(record, "spec.suspend is true, and no IndexOptions selects it", now)
    message = (
        "the spec is in order, but no IndexOptions of this namespace selects the index, so nothing "
        "is minted; set labels that an IndexOptions' spec.indexSelector matches"
    )
    return _index_status(
        record, readiness(problem, reason=Reason.NOT_SELECTED, message=message), now
    )


def _index_status(record: IndexObject, findings: Sequence[Finding], now: float) -> Status:
    before = record.decoded_status()
    status: Status = {
        "observedGeneration": record.generation,
        "conditions": conditions(findings, before=before, generation=record.generation, now=now),
    }
    return with_handled_refresh(status, before, None, -math.inf)


def _suspended(record: IndexObject | OptionsObject, message: str, now: float) -> Status:
    before = record.decoded_status()
    findings = suspended_findings(before, message)
    return {
        **before,
        "observedGeneration": record.generation,
        "conditions": conditions(findings, before=before, generation=record.generation, now=now),
    }


def _index_message(placed: IndexPlan) -> str:
    if placed.record.spec is None or placed.record.spec.name or not placed.name:
        return "the index is served"
    return f"the index is served as {placed.name!r}; set spec.name to pin that name"


def _failing(placed: IndexPlan) -> Finding:
    reason = placed.failing.reason if placed.failing else ""
    message = placed.failing.message if placed.failing else ""
    until = format_time(placed.expires_at) if placed.expires_at is not None else "further notice"
    return Finding(
        REFRESH_FAILING,
        "True",
        reason,
        f"the present credential is served until {until}, but it cannot be replaced: {message}",
    )


def _index_item(placed: IndexPlan) -> dict[str, Any]:
    item: dict[str, Any] = {
        "artifactIndex": placed.record.ref.name,
        "uid": placed.record.uid,
        "ready": placed.ready,
        "reason": _reason(placed),
    }
    if placed.name is not None:
        item["name"] = placed.name
    if placed.expires_at is not None:
        item["expiresAt"] = format_time(placed.expires_at)
    return item


def _reason(placed: IndexPlan) -> str:
    if placed.problem is not None:
        return placed.problem.reason
    suspended = placed.record.spec is not None and placed.record.spec.suspend
    return Reason.SUSPENDED if suspended else Reason.AVAILABLE


def _unplanned_status(
    record: OptionsObject, before: Status, problem: Problem | None, now: float
) -> Status:
    findings = readiness(problem, reason=Reason.AVAILABLE, message="")
    return {
        **before,
        "observedGeneration": record.generation,
        "conditions": conditions(findings, before=before, generation=record.generation, now=now),
    }


def _summary(placed: Sequence[IndexPlan], written: Sequence[DesiredOutput]) -> str:
    outputs = ", ".join(f"{one.ref.kind} {one.ref.name!r}" for one in written)
    count = sum(one.entry is not None for one in placed)
    return f"{count} {'index' if count == 1 else 'indexes'} written to {outputs}"


def indexes_problem(placed: Sequence[IndexPlan]) -> Problem | None:
    """The problem of an IndexOptions with unready indexes; those that are left out do not count."""
    culprits = [one for one in placed if one.problem is not None and not is_omitted(one)]
    if not culprits:
        return None
    named = "; ".join(
        f"{one.record.ref.name!r}: {one.problem.reason}: {one.problem.message}"
        for one in culprits[:_NAMES_IN_MESSAGE]
        if one.problem is not None
    )
    more = len(culprits) - _NAMES_IN_MESSAGE
    tail = f"; and {more} more" if more > 0 else ""
    return Problem(
        Reason.INDEXES_NOT_READY,
        f"{len(culprits)} of {len(placed)} indexes are not ready; builds stop at those without a "
        f"live credential: {named}{tail}",
        must_act=all(one.problem is not None and one.problem.stalled for one in culprits),
    )


def _notes(
    record: OptionsObject, placed: Sequence[IndexPlan], written: Sequence[DesiredOutput]
) -> list[Finding]:
    notes: list[Finding] = []
    failing = [one for one in placed if one.failing is not None and one.problem is None]
    if failing and failing[0].failing is not None:
        reason = failing[0].failing.reason
        notes.append(
            Finding(
                REFRESH_FAILING,
                "True",
                reason,
                f"the credential of {_names(failing)} is live but cannot be replaced; "
                "see the ArtifactIndex",
            )
        )
    short = [one for one in placed if one.shortfall is not None]
    if short and short[0].shortfall is not None:
        message = f"{_names(short)}: {short[0].shortfall}"
        notes.append(Finding(FRESHNESS_NOT_GUARANTEED, "True", Reason.TOKEN_TOO_SHORT, message))
    if (spec := record.spec) is not None:
        formats = formats_of(spec, record.ref.name)
        found = (
            confusion_risk(spec, placed, formats),
            format_note(written),
            shared_host_note(spec, placed),
        )
        notes.extend(one for one in found if one is not None)
    return notes


def _names(placed: Sequence[IndexPlan]) -> str:
    named = ", ".join(repr(one.record.ref.name) for one in placed[:_NAMES_IN_MESSAGE])
    more = len(placed) - _NAMES_IN_MESSAGE
    return f"ArtifactIndex {named}" + (f" and {more} more" if more > 0 else "")
