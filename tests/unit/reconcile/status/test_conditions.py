"""Conditions and their times, and patches from one status to the next."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.api.reasons import Reason
from artifact_index.kube.merge_patch import merge_patched
from artifact_index.reconcile.cache.status_parsing import condition_of
from artifact_index.reconcile.status.conditions import (
    LONGEST_MESSAGE,
    DesiredCondition,
    observed,
    readiness,
    status_patch,
    suspended_status,
)
from artifact_index.sources.policy import Problem
from support.reconcile_builders import NOW, options

pytestmark = pytest.mark.unit

LATER = NOW + 60
GOOD = [DesiredCondition("Ready", "True", "Available", "served")]


def made(*desired: DesiredCondition, before: Any = None, now: float = NOW) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]]
    conditions = observed(3, desired, previous=before or {}, now=now)["conditions"]
    return conditions


def test_a_condition_has_every_field_of_the_api() -> None:
    assert made(*GOOD) == [
        {
            "type": "Ready",
            "status": "True",
            "observedGeneration": 3,
            "lastTransitionTime": "2027-01-15T08:00:00Z",
            "reason": "Available",
            "message": "served",
        }
    ]


@pytest.mark.parametrize(
    ("condition", "moves"),
    [
        (DesiredCondition("Ready", "True", "NotSelected", "x"), False),
        (DesiredCondition("Ready", "True", "Available", "another message"), False),
        (DesiredCondition("Ready", "False", "Available", "served"), True),
    ],
)
def test_only_a_change_of_the_status_moves_the_transition_time(
    condition: DesiredCondition, moves: bool
) -> None:
    before = {"conditions": made(*GOOD)}
    (after,) = made(condition, before=before, now=LATER)
    assert (after["lastTransitionTime"] == "2027-01-15T08:01:00Z") is moves
    assert after["reason"] == condition.reason and after["message"] == condition.message


def test_a_condition_that_was_not_found_is_dropped_and_starts_anew() -> None:
    stalled = DesiredCondition("Stalled", "True", "InvalidSpec", "x")
    first = {"conditions": made(*GOOD, stalled)}
    gone = {"conditions": made(*GOOD, before=first, now=LATER)}
    assert condition_of(gone, "Stalled") is None
    back = {"conditions": made(*GOOD, stalled, before=gone, now=LATER)}
    again = condition_of(back, "Stalled")
    assert again is not None and again["lastTransitionTime"] == "2027-01-15T08:01:00Z"


@pytest.mark.parametrize("size", [LONGEST_MESSAGE, LONGEST_MESSAGE + 1])
def test_a_message_is_cut_to_what_the_api_server_takes(size: int) -> None:
    (condition,) = made(DesiredCondition("Ready", "True", "Available", "x" * size))
    assert len(condition["message"]) == LONGEST_MESSAGE


@pytest.mark.parametrize(("stalled", "beside"), [(True, "Stalled"), (False, "Reconciling")])
def test_trouble_stands_beside_ready_with_its_reason(stalled: bool, beside: str) -> None:
    problem = Problem(Reason.WRITE_FAILED, "message", must_act=stalled)
    found = readiness(problem, reason="Available", message="")
    assert found == [
        DesiredCondition("Ready", "False", "WriteFailed", "message"),
        DesiredCondition(beside, "True", "WriteFailed", "message"),
    ]


def test_without_trouble_ready_stands_alone() -> None:
    assert readiness(None, reason="Available", message="served") == GOOD


@pytest.mark.parametrize(
    ("before", "kept"),
    [({}, "False"), ({"conditions": made(*GOOD)}, "True"),
     ({"conditions": made(DesiredCondition("Ready", "False", "x", "y"))}, "False")],
)  # fmt: skip
def test_a_suspended_object_keeps_its_last_ready(
    before: Any, kept: Literal["True", "False"]
) -> None:
    ready = DesiredCondition("Ready", kept, "Suspended", "why")
    suspended = options(status=before, generation=3)
    assert suspended_status(suspended, "why", NOW)["conditions"] == made(ready, before=before)


LEAVES = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a"])
# A status of ours holds no null: in a merge patch it means removal.
VALUES = st.recursive(
    LEAVES.filter(lambda leaf: leaf is not None) | st.lists(LEAVES, max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
STATUSES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@given(before=STATUSES, after=STATUSES)
def test_a_patch_leads_from_one_status_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert merge_patched(before, status_patch(before, after)) == after


@given(status=STATUSES)
def test_without_a_difference_the_patch_is_empty(status: dict[str, Any]) -> None:
    assert status_patch(status, status) == {}


@given(before=LEAVES | st.lists(LEAVES), after=STATUSES)
def test_a_status_that_is_no_object_is_replaced(before: Any, after: dict[str, Any]) -> None:
    assert merge_patched(before, status_patch(before, after)) == after


def test_the_warning_is_the_first_of_three_conditions_and_goes_with_it() -> None:
    risk = DesiredCondition("DependencyConfusionRisk", "True", "PublicIndexFirst", "m")
    failing = DesiredCondition("RefreshFailing", "True", "AccessDenied", "m")
    note = DesiredCondition("HostShared", "True", "AnonymousBesideCredentialed", "m")

    def warned(*desired: DesiredCondition) -> Any:
        return observed(1, [*GOOD, *desired], previous={}, now=NOW).get("warning")

    assert warned(risk, failing, note) == "RefreshFailing"
    assert warned(note, risk) == "DependencyConfusionRisk"
    assert warned(note) is None

    status = observed(1, [*GOOD, risk], previous={}, now=NOW)
    assert "warning" not in suspended_status(options(status=status), "m", LATER)
