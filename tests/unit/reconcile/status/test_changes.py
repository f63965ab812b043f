"""Which conditions of a status that was written are worth a line."""

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.reconcile.status.changes import changes
from artifact_index.reconcile.status.conditions import DesiredCondition, Status, observed, readiness
from artifact_index.sources.policy import Problem
from support.reconcile_builders import NOW

pytestmark = pytest.mark.unit

FAILING = DesiredCondition("RefreshFailing", "True", "AccessDenied", "m")
RISK = DesiredCondition("DependencyConfusionRisk", "True", "PublicIndexFirst", "m")


def status(problem: Problem | None = None, *notes: DesiredCondition) -> Status:
    """A status of an index with this problem, beside these conditions."""
    ready = readiness(problem, reason="Available", message="it is served")
    return observed(1, [*ready, *notes], previous={}, now=NOW)


def missing(*, must_act: bool = False, message: str = "create it") -> Problem:
    """The problem of a Secret that is waited for, or that somebody must create."""
    return Problem(Reason.SECRET_NOT_FOUND, message, must_act=must_act)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({}, status(), ["Ready True Available"]),
        (status(), status(), []),
        (status(), status(missing()), ["Ready False SecretNotFound"]),
        (status(missing()), status(missing(message="in another way")), []),
        # Only time has passed, and Ready has the same reason.
        (status(missing()), status(missing(must_act=True)), ["Stalled True SecretNotFound"]),
        (status(missing(must_act=True)), status(), ["Ready True Available"]),
        (status(), status(None, FAILING), ["RefreshFailing True AccessDenied"]),
        (status(None, FAILING), status(), ["RefreshFailing False AccessDenied"]),
        (status(None, FAILING), status(missing()), ["Ready False SecretNotFound"]),
        (
            status(None, RISK, FAILING),
            status(None),
            ["DependencyConfusionRisk False PublicIndexFirst", "RefreshFailing False AccessDenied"],
        ),
        (
            status(missing()),
            status(None, RISK),
            ["Ready True Available", "DependencyConfusionRisk True PublicIndexFirst"],
        ),
    ],
)
def test_each_change_is_told_once(before: Status, after: Status, lines: list[str]) -> None:
    told = [f"{each['type']} {each['status']} {each['reason']}" for each in changes(before, after)]
    assert told == lines
    assert all(each["message"] for each in changes(before, after))
