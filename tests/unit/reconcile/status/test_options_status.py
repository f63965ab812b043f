"""The status of an IndexOptions: readiness, indexes, outputs, times."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.api.index_options import MAX_STATUS_INDEXES
from artifact_index.api.reasons import Reason
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.resolve.resolution import SelectedIndex
from artifact_index.reconcile.status.options_status import (
    OptionsOutcome,
    no_indexes,
    options_status,
    suspended_options_status,
)
from artifact_index.sources.policy import Problem
from support.reconcile_builders import (
    HOUR,
    MARGINS,
    NOW,
    index,
    index_state,
    issued_token,
    options,
    plans_from,
    source,
    token_state_of,
)
from support.statuses import (
    ACT,
    BASIC,
    DENIED,
    GAR,
    GONE,
    GOOD,
    OMITTED,
    OMITTED_RETRY,
    REFRESH,
    RETRY,
    fallback_of,
    message_of,
    plan_of,
    reported,
    status_of,
)

pytestmark = pytest.mark.unit

NOT_READY = "False IndexesNotReady"
READINESS: dict[str, tuple[list[IndexPlan], dict[str, str]]] = {
    "all ready": ([GOOD], {"Ready": "True Available"}),
    "one may recover": ([GOOD, RETRY], {"Ready": NOT_READY, "Reconciling": "IndexesNotReady"}),
    "one cannot": ([GOOD, ACT], {"Ready": NOT_READY, "Stalled": "IndexesNotReady"}),
    "some stalled": ([ACT, RETRY], {"Ready": NOT_READY, "Reconciling": "IndexesNotReady"}),
    "all stalled": (
        [ACT, plan_of("b", BASIC, **GONE)],
        {"Ready": NOT_READY, "Stalled": "IndexesNotReady"},
    ),
    "one left out": (
        [GOOD, OMITTED],
        {"Ready": "True Available", "DependencyConfusionRisk": "IndexOmitted"},
    ),
    "all left out": (
        [OMITTED],
        {"Ready": "True Available", "DependencyConfusionRisk": "IndexOmitted"},
    ),
    "one left out that may recover beside a stalled one": (
        [OMITTED_RETRY, ACT],
        {"Ready": NOT_READY, "Stalled": "IndexesNotReady",
         "DependencyConfusionRisk": "IndexOmitted"},
    ),
    "an index of Omit that is served still": (
        [fallback_of("o", {**BASIC, "whenUnavailable": "Omit"}, missing=True)],
        {"Ready": NOT_READY, "Reconciling": "IndexesNotReady"},
    ),
    "a failing refresh": ([REFRESH], {"Ready": "True Available", "RefreshFailing": "AccessDenied"}),
    "a name conflict": (
        plans_from(*(index_state(index(n, {**BASIC, "name": "x"})) for n in "ab")),
        {"Ready": NOT_READY, "Stalled": "IndexesNotReady"},
    ),
    "a name conflict of an index that may be left out": (
        plans_from(*(index_state(index(n, {**BASIC, "name": "x", "whenUnavailable": "Omit"}))
                     for n in "ab")),
        {"Ready": "True Available", "DependencyConfusionRisk": "IndexOmitted"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READINESS)
def test_readiness_follows_from_the_indexes(case: str) -> None:
    plans, conditions = READINESS[case]
    assert reported(status_of(*plans)) == conditions


def test_the_culprits_are_named_with_their_reason_and_what_to_do() -> None:
    message = message_of(status_of(GOOD, ACT, RETRY))
    assert message.startswith("2 of 3 ")
    login = "Secret 'gcp-key' in spec.googleArtifactRegistry.auth.secretRef"
    for part in (f"'act': AccessDenied: {login}: the cloud said", "'retry': CloudUnavailable"):
        assert part in message
    assert "'good'" not in message


def test_builds_are_said_to_stop_only_where_an_entry_is_blocked() -> None:
    served = fallback_of("served", BASIC, values={"username": "u", "password": "p\n"})
    alone, both = message_of(status_of(GOOD, served)), message_of(status_of(GOOD, served, ACT))
    assert "1 of 2 indexes are not ready (their entries still have the last usable login)" in alone
    assert "2 of 3 indexes are not ready (builds stop at blocked entries): 'served'" in both


def test_of_many_culprits_the_first_are_named_and_the_others_counted() -> None:
    many = [plan_of(f"i{n}", GAR, **DENIED) for n in range(5)]
    message = message_of(status_of(*many))
    assert "'i2'" in message and "'i3'" not in message and "and 2 more" in message


def test_what_is_wrong_with_an_output_comes_first() -> None:
    problem = Problem(Reason.TARGET_NOT_OWNED, "Secret 'x' is not ours")
    assert reported(status_of(ACT, problem=problem))["Ready"] == "False TargetNotOwned"


def test_the_good_message_counts_what_is_in_the_file_and_names_the_outputs() -> None:
    outputs = {"outputs": [{"kind": "Secret", "name": "s"}, {"kind": "ConfigMap", "name": "c"}]}
    status = status_of(GOOD, OMITTED, spec=outputs)
    assert message_of(status) == "1 index written to Secret 's', ConfigMap 'c'"
    assert status["outputs"] == [
        {"kind": "Secret", "name": "s", "keys": ["uv.toml"]},
        {"kind": "ConfigMap", "name": "c", "keys": ["uv.toml"]},
    ]


def test_the_indexes_are_listed_with_name_reason_and_expiry() -> None:
    status = status_of(GOOD, ACT)
    assert status["indexes"] == [
        {"artifactIndex": "good", "uid": "uid-of-good", "name": "good", "ready": True,
         "reason": "Available", "expiresAt": "2027-01-15T20:00:00Z"},
        {"artifactIndex": "act", "uid": "uid-of-act", "name": "act", "ready": False,
         "reason": "AccessDenied"},
    ]  # fmt: skip
    assert (status["indexCount"], status["readyIndexCount"]) == (2, 1)


def test_a_suspended_index_is_listed_as_such() -> None:
    one = fallback_of("idle", GAR)
    record = SelectedIndex.of(index("idle", {**GAR, "name": "idle", "suspend": True}))
    assert status_of(replace(one, selected=record))["indexes"][0]["reason"] == "Suspended"


def test_the_list_is_bounded_and_the_counts_are_not() -> None:
    records = [SelectedIndex.of(index(f"i{n}", GAR)) for n in range(MAX_STATUS_INDEXES + 1)]
    plans = [replace(GOOD, selected=record) for record in records]
    entries = [replace(item, entry=None) for item in plans]
    status = status_of(*entries)
    assert len(status["indexes"]) == MAX_STATUS_INDEXES
    assert status["indexCount"] == MAX_STATUS_INDEXES + 1


def test_the_guarantee_ends_a_pods_start_and_the_clocks_error_before_the_first_expiry() -> None:
    short = plan_of("short", GAR, token=token_state_of(issued_token(life=6 * HOUR)))
    status = status_of(GOOD, short)
    assert status["earliestExpiry"] == "2027-01-15T14:00:00Z"
    assert status["guaranteedUntil"] == "2027-01-15T13:57:00Z"
    assert "earliestExpiry" not in status_of(plan_of("open", source("anonymous")))


@pytest.mark.parametrize("stay", [True, False])
@pytest.mark.parametrize("selector", [None, {"matchLabels": {"env": "x"}}])
def test_an_empty_selection_says_where_to_look(stay: bool, selector: Any) -> None:
    spec = {"indexSelector": selector} if selector else {}
    problem = no_indexes(options(spec=spec), outputs_stay=stay)
    assert (problem.reason, problem.stalled) == ("NoIndexes", False)
    assert "'builders'" in problem.message
    assert ("spec.indexSelector" in problem.message) is bool(selector)
    assert ("stay as they are, but each token is withdrawn" in problem.message) is stay


def test_a_suspended_options_keeps_its_status_but_for_the_reason() -> None:
    before = status_of(GOOD, OMITTED)
    record = options(spec={"suspend": True}, generation=8, status=before)
    after = suspended_options_status(record, NOW)
    assert reported(after) == {"Ready": "True Suspended"}
    assert "spec.suspend" in message_of(after)
    # It goes with its condition.
    assert before.pop("warning") and "warning" not in after
    assert {**after, "conditions": 0, "observedGeneration": 0} == {
        **before, "conditions": 0, "observedGeneration": 0
    }  # fmt: skip


def test_a_pass_that_did_not_come_to_a_plan_keeps_the_names_in_the_status() -> None:
    before = status_of(GOOD)
    problem = Problem(Reason.INTERNAL_ERROR, "x")
    record = options(generation=8, status=before)
    after = options_status(record, OptionsOutcome(None, (), problem), margins=MARGINS, now=NOW)
    assert reported(after) == {"Ready": "False InternalError", "Reconciling": "InternalError"}
    assert (after["indexes"], after["outputs"]) == (before["indexes"], before["outputs"])
