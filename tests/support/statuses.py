"""Plans of one index and the statuses that follow from them."""

from typing import Any

from artifact_index.api.reasons import Reason
from artifact_index.reconcile.cache.status_parsing import condition_of
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import desired_outputs
from artifact_index.reconcile.status.notes import format_problem
from artifact_index.reconcile.status.options_status import (
    OptionsOutcome,
    indexes_problem,
    options_status,
)
from artifact_index.sources.policy import Problem
from support.reconcile_builders import (
    DIGESTER,
    MARGINS,
    NOW,
    index,
    index_state,
    login_error,
    options,
    plans_from,
    published_after,
    source,
    token_state_of,
)

Status = dict[str, Any]
GAR = source("googleArtifactRegistry")
BASIC = source("basicAuth")
DENIED = {"token": token_state_of(error=login_error(Reason.ACCESS_DENIED))}
DOWN = {"token": token_state_of(error=login_error())}
GONE = {"missing": True, "missing_for": 300}


def plan_of(name: str, spec: dict[str, Any], **how: Any) -> IndexPlan:
    """The plan of an index that is alone in its file."""
    (plan,) = plans_from(index_state(index(name, {"name": name, **spec}, generation=4), **how))
    return plan


def fallback_of(name: str, spec: dict[str, Any], **how: Any) -> IndexPlan:
    """The plan of an index whose login fails while its last one is published."""
    record = index(name, {"name": name, **spec}, generation=4)
    served = published_after(plans_from(index_state(record)))
    (plan,) = plans_from(index_state(record, **how), served=served)
    return plan


def status_of(
    *plans: IndexPlan,
    spec: dict[str, Any] | None = None,
    problem: Problem | None = None,
    before: Status | None = None,
) -> Status:
    """The status of an IndexOptions with these plans."""
    record = options(spec=spec, generation=7, status=before or {})
    written, not_written = desired_outputs(record, plans, DIGESTER)
    problem = problem or not_written or indexes_problem(plans) or format_problem(written)
    outcome = OptionsOutcome(plans, written, problem)
    return options_status(record, outcome, margins=MARGINS, now=NOW)


def reported(status: Status) -> dict[str, str]:
    """Types of the conditions with their reasons; Ready with its status before the reason."""
    return {
        condition["type"]: f"{condition['status']} {condition['reason']}"
        if condition["type"] == "Ready"
        else condition["reason"]
        for condition in status["conditions"]
    }


def message_of(status: Status, condition: str = "Ready") -> str:
    """The message of a condition, which must be there."""
    found = condition_of(status, condition)
    assert found is not None
    text: str = found["message"]
    return text


GOOD = plan_of("good", GAR)
RETRY = plan_of("retry", GAR, **DOWN)
ACT = plan_of("act", GAR, **DENIED)
OMITTED = plan_of("omitted", {**GAR, "whenUnavailable": "Omit"}, **DENIED)
OMITTED_RETRY = plan_of("omitted", {**GAR, "whenUnavailable": "Omit"}, **DOWN)
REFRESH = fallback_of("refresh", GAR, **DENIED)
