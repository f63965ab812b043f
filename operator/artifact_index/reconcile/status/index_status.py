"""The status of an ArtifactIndex, from what an IndexOptions plans for it. Pure."""

import math
from dataclasses import replace

from artifact_index.api.conditions import FRESHNESS_NOT_GUARANTEED, REFRESH_FAILING
from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.refresh_requests import (
    refresh_request,
    unheeded_note,
    with_handled_refresh,
)
from artifact_index.reconcile.cache.status_parsing import decoded_status
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.status.conditions import (
    DesiredCondition,
    Status,
    observed,
    readiness,
    suspended_status,
)
from artifact_index.sources.policy import Problem
from artifact_index.sources.registry import of


def index_status(
    index: IndexObject, plan: IndexPlan, now: float, *, skew: float = Margins().clock_skew
) -> Status:
    """The status of an ArtifactIndex that an IndexOptions selects.

    `now` is in POSIX seconds; `skew` is the clock skew of Margins, in seconds.
    """
    if index.suspended:
        message = (
            "spec.suspend is true: no new token is requested; the current one is removed from the "
            "outputs before it expires"
        )
        return suspended_status(index, message, now)
    message = _ready_message(plan) + unheeded_note(index, now=now, skew=skew)
    desired = readiness(_with_life(plan), reason=Reason.AVAILABLE, message=message)
    desired += _notes(plan)
    previous = decoded_status(index.status)
    status = observed(index.generation, desired, previous=previous, now=now)
    if plan.shown_url is not None:
        status["url"] = plan.shown_url
    if plan.expires_at is not None:
        status["credential"] = {"expiresAt": format_time(plan.expires_at)}
        if plan.refresh_at is not None:
            status["credential"]["refreshAt"] = format_time(plan.refresh_at)
    request = refresh_request(index, now=now, skew=skew)
    return with_handled_refresh(status, previous, request, plan.fresh_as_of, plan.refused_as_of)


def unselected_status(
    index: IndexObject,
    problem: Problem | None,
    now: float,
    *,
    suspended: OptionsObject | None = None,
) -> Status:
    """The status of an ArtifactIndex that no IndexOptions selects, or only suspended ones.

    `problem` is what checking its spec found; it has no login. `suspended` is an IndexOptions that
    selects it and is suspended.
    """
    if index.suspended:
        message = "spec.suspend is true, and no IndexOptions selects this index"
        return suspended_status(index, message, now)
    message = (
        "the spec is valid, but no IndexOptions in this namespace selects this index, so no token "
        "is requested; add labels that match the spec.indexSelector of an IndexOptions"
    )
    if index.cluster:
        message = (
            "the spec is valid, but no ClusterIndexOptions and no IndexOptions selects this index "
            "in a namespace that spec.namespaces includes, so no token is requested; add labels "
            "that match the spec.indexSelector of a ClusterIndexOptions, or include its namespaces "
            "in spec.namespaces"
        )
    if suspended is not None:
        kind, name = suspended.owner_kind, suspended.ref.name
        message = (
            f"the spec is valid, but {kind} {name!r}, which selects this index, is "
            f"suspended, so no token is requested; set spec.suspend of the {kind} to false"
        )
    desired = readiness(problem, reason=Reason.NOT_SELECTED, message=message)
    previous = decoded_status(index.status)
    status = observed(index.generation, desired, previous=previous, now=now)
    return with_handled_refresh(status, previous, None, -math.inf)


def _ready_message(plan: IndexPlan) -> str:
    if (spec := plan.selected.spec) is None:
        return "the index is available"
    message = "the index is available"
    if plan.name and not spec.name:
        message += f" as {plan.name!r}; set spec.name to pin this name"
    unchecked = of(spec).unchecked()
    message += plan.note
    end = "" if message.endswith("?") else "."
    return f"{message}{end} {unchecked}" if unchecked else message


def _with_life(plan: IndexPlan) -> Problem | None:
    """The problem, and until when what was published before is served all the same."""
    if plan.problem is None or plan.published is None:
        return plan.problem
    life = f", which expires at {format_time(plan.expires_at)}" if plan.expires_at else ""
    message = f"{plan.problem.message}. Until then the outputs keep the last usable login{life}"
    return replace(plan.problem, message=message)


def _notes(plan: IndexPlan) -> list[DesiredCondition]:
    notes = []
    if plan.failing is not None and plan.problem is None:
        life = "stays in the outputs"
        if plan.expires_at is not None:
            life = f"is valid until {format_time(plan.expires_at)}"
        message = f"the current credential {life}, but cannot be refreshed: {plan.failing.message}"
        notes.append(DesiredCondition(REFRESH_FAILING, "True", plan.failing.reason, message))
    if plan.shortfall is not None:
        reason = Reason.TOKEN_TOO_SHORT
        notes.append(
            DesiredCondition(FRESHNESS_NOT_GUARANTEED, "True", reason, plan.shortfall.note)
        )
    return notes
