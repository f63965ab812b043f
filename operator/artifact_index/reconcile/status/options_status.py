"""The status of an IndexOptions, from what a reconcile planned and wrote. Pure."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from artifact_index.api.conditions import FRESHNESS_NOT_GUARANTEED, REFRESH_FAILING
from artifact_index.api.index_options import MAX_STATUS_INDEXES, MAX_STATUS_KEYS, IndexOptionsSpec
from artifact_index.api.labels import LabelSelector
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.tokens.freshness import Margins, go_duration, guaranteed_until
from artifact_index.formats.base import named
from artifact_index.formats.registry import formats_of
from artifact_index.reconcile.cache.objects import OptionsObject, kind_of
from artifact_index.reconcile.cache.refresh_requests import (
    refresh_request,
    unheeded_note,
    with_handled_refresh,
)
from artifact_index.reconcile.cache.status_parsing import decoded_status
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.reconcile.status.conditions import (
    DesiredCondition,
    Status,
    observed,
    readiness,
    suspended_status,
    without_observations,
)
from artifact_index.reconcile.status.notes import format_note, shared_host_note
from artifact_index.reconcile.status.risks import confusion_risk, is_omitted, names
from artifact_index.sources.policy import Problem

_NAMES_IN_MESSAGE: Final = 3
_LABELS_IN_MESSAGE: Final = 5
_LABELS_COMPARED: Final = 500


@dataclass(frozen=True, slots=True)
class OptionsOutcome:
    """The outcome of a reconcile of an IndexOptions.

    `plans` is None if planning did not run: the status then keeps its indexes and outputs, and with
    them the names of the indexes. `outputs` are those that exist now. `problem` decides Ready.
    `ready` are reason and message where nothing is wrong; None: what was written.
    """

    plans: Sequence[IndexPlan] | None
    outputs: Sequence[DesiredOutput]
    problem: Problem | None
    kept_until: int | None = None
    ready: tuple[Reason, str] | None = None


def options_status(
    options: OptionsObject, outcome: OptionsOutcome, *, margins: Margins, now: float
) -> Status:
    """The status of an IndexOptions after a reconcile; `now` is in POSIX seconds."""
    previous = decoded_status(options.status)
    if outcome.plans is None:
        desired = readiness(outcome.problem, reason=Reason.AVAILABLE, message="")
        kept = without_observations(previous)
        return kept | observed(options.generation, desired, previous=previous, now=now)
    plans, outputs, skew = outcome.plans, outcome.outputs, margins.clock_skew
    reason, message = outcome.ready or (Reason.AVAILABLE, summary(plans, outputs))
    message += unheeded_note(options, now=now, skew=skew)
    desired = readiness(outcome.problem, reason=reason, message=message)
    desired += _notes(options, plans, outputs)
    status: Status = {
        **observed(options.generation, desired, previous=previous, now=now),
        "indexCount": len(plans),
        "readyIndexCount": sum(plan.ready for plan in plans),
        "indexes": [_index_item(plan) for plan in plans[:MAX_STATUS_INDEXES]],
        "outputs": [_output_item(output) for output in outputs],
    }
    expiries = [outcome.kept_until, *(plan.expires_at for plan in plans)]
    if (expiry := min((at for at in expiries if at is not None), default=None)) is not None:
        status["earliestExpiry"] = format_time(expiry)
        status["guaranteedUntil"] = format_time(guaranteed_until(expiry, margins))
    request = refresh_request(options, now=now, skew=skew)
    as_of = min((plan.fresh_as_of for plan in plans), default=-math.inf)
    answers = (max(plan.fresh_as_of, plan.refused_as_of) for plan in plans)
    return with_handled_refresh(status, previous, request, as_of, min(answers, default=-math.inf))


def suspended_options_status(options: OptionsObject, now: float) -> Status:
    """The previous status of a suspended IndexOptions, with the reason."""
    message = (
        "spec.suspend is true: outputs are neither written nor repaired, and no token is withdrawn "
        "from them"
    )
    return suspended_status(options, message, now)


def no_indexes(
    options: OptionsObject, *, outputs_stay: bool, labels: Collection[str] = ()
) -> Problem:
    """The problem of an IndexOptions without indexes; `labels` (`key=value`) are in use there."""
    namespace = options.ref.namespace
    where, kind = f"namespace {namespace!r}", "ArtifactIndex"
    if options.cluster:
        where, kind = "the cluster", "ClusterArtifactIndex"
    cause = f"{where} has no {kind}; create one"
    if options.spec is not None and (selector := options.spec.index_selector) is not None:
        cause = (
            f"spec.indexSelector matches no {kind} in {where}; correct the "
            f"selector or the labels of the indexes{_labels_in_use(selector, labels)}"
        )
    spec = options.spec
    if isinstance(spec, IndexOptionsSpec) and spec.cluster_index_selector is not None:
        cause = (
            "spec.clusterIndexSelector matches no ClusterArtifactIndex that may be served in "
            f"{where}; ask the administrator for their labels. And {cause}"
        )
    effect = "no output is written"
    if outputs_stay:
        effect = "the outputs stay as they are, but each token is withdrawn before it expires"
    return Problem(Reason.NO_INDEXES, f"{cause}. Until then {effect}")


def _labels_in_use(selector: LabelSelector, labels: Collection[str]) -> str:
    """Some labels that indexes have, first those that the selector may mean."""
    if not labels:
        return " (no label is in use)"
    used = sorted(labels)[:_LABELS_COMPARED]
    wanted = [f"{key}={value}" for key, value in selector.match_labels.items()]
    meant = [close for each in wanted for close in get_close_matches(each, used, n=2)]
    shown = list(dict.fromkeys([*meant, *used]))
    more = ", …" if len(labels) > _LABELS_IN_MESSAGE else ""
    return f" (labels in use: {', '.join(shown[:_LABELS_IN_MESSAGE])}{more})"


def indexes_problem(plans: Sequence[IndexPlan]) -> Problem | None:
    """The problem of an IndexOptions with unready indexes, unless the user lets them be omitted."""
    problems = [
        (plan, plan.problem) for plan in plans if plan.problem is not None and not is_omitted(plan)
    ]
    if not problems:
        return None
    effect = "builds stop at blocked entries"
    if all(plan.published is not None for plan, _ in problems):
        effect = "their entries still have the last usable login"
    listed = "; ".join(
        f"{plan.selected.ref.name!r}: {problem.reason}: {problem.message}"
        for plan, problem in problems[:_NAMES_IN_MESSAGE]
    )
    more = len(problems) - _NAMES_IN_MESSAGE
    tail = f"; and {more} more" if more > 0 else ""
    return Problem(
        Reason.INDEXES_NOT_READY,
        f"{len(problems)} of {len(plans)} indexes are not ready ({effect}): {listed}{tail}",
        must_act=all(problem.stalled for _, problem in problems),
    )


def summary(plans: Sequence[IndexPlan], outputs: Sequence[DesiredOutput]) -> str:
    """What was written, for the message of Ready."""
    names = ", ".join(f"{output.ref.kind} {output.ref.name!r}" for output in outputs)
    count = sum(plan.entry is not None for plan in plans)
    return f"{count} {'index' if count == 1 else 'indexes'} written to {names}"


def _index_item(plan: IndexPlan) -> dict[str, Any]:
    reason = Reason.SUSPENDED if plan.selected.suspended else Reason.AVAILABLE
    kind = {} if plan.selected.ref.namespace else {"kind": kind_of(plan.selected.ref)}
    item: dict[str, Any] = {
        **kind,
        "artifactIndex": plan.selected.ref.name,
        "uid": plan.selected.uid,
        "ready": plan.ready,
        "reason": plan.problem.reason if plan.problem else reason,
    }
    if plan.name is not None:
        item["name"] = plan.name
    if plan.expires_at is not None:
        item["expiresAt"] = format_time(plan.expires_at)
    return item


def _output_item(output: DesiredOutput) -> dict[str, Any]:
    keys = sorted(output.data)[:MAX_STATUS_KEYS]
    return {"kind": output.ref.kind, "name": output.ref.name, "keys": keys}


def _notes(
    options: OptionsObject, plans: Sequence[IndexPlan], outputs: Sequence[DesiredOutput]
) -> list[DesiredCondition]:
    notes = [_refresh_note(plans), _freshness_note(plans)]
    if (spec := options.spec) is not None:
        notes.append(confusion_risk(spec, plans, formats_of(spec, options.ref.name)))
        notes += [format_note(outputs), shared_host_note(spec, plans)]
    return [note for note in notes if note is not None]


def _refresh_note(plans: Sequence[IndexPlan]) -> DesiredCondition | None:
    failing = [(plan, plan.failing) for plan in plans if plan.failing and plan.problem is None]
    if not failing:
        return None
    message = (
        f"{names([plan for plan, _ in failing])}: the current credential cannot be refreshed; see "
        f"condition {REFRESH_FAILING} of the ArtifactIndex"
    )
    return DesiredCondition(REFRESH_FAILING, "True", failing[0][1].reason, message)


def _freshness_note(plans: Sequence[IndexPlan]) -> DesiredCondition | None:
    short = [(plan.shortfall, plan) for plan in plans if plan.shortfall is not None]
    if not short:
        return None
    least = min(shortfall for shortfall, _ in short)
    message = f"{names([plan for shortfall, plan in short if shortfall == least])}: {least.note}"
    others = sorted((each.longest_build, plan.selected.ref.name) for each, plan in short)
    if bounds := [f"{name} {go_duration(most)}" for most, name in others if most > least[0]]:
        message += f" The longest builds of other indexes: {named(bounds, at_most=3)}."
    return DesiredCondition(FRESHNESS_NOT_GUARANTEED, "True", Reason.TOKEN_TOO_SHORT, message)
