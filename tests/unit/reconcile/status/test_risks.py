"""Condition DependencyConfusionRisk: its reason, and what its message names."""

from typing import Any

import pytest

from artifact_index.reconcile.plan.entries import IndexPlan
from support.statuses import ACT, GAR, GOOD, OMITTED, message_of, plan_of, reported, status_of

pytestmark = pytest.mark.unit

IGNORING = plan_of("careless", {**GAR, "ignoreErrorCodes": [404, 403]})
RISKS: dict[str, tuple[list[IndexPlan], dict[str, Any], str | None]] = {
    "the defaults": ([GOOD], {}, None),
    "public first": ([GOOD], {"preferPrivate": False}, "PublicIndexFirst"),
    "unsafe-first-match": (
        [GOOD], {"indexStrategy": "unsafe-first-match"}, "UnsafeIndexStrategy"),
    "unsafe-best-match": ([GOOD], {"indexStrategy": "unsafe-best-match"}, "UnsafeIndexStrategy"),
    "401 or 403 ignored": ([IGNORING], {}, "ErrorCodesIgnored"),
    "404 ignored": ([plan_of("c", {**GAR, "ignoreErrorCodes": [404, 500]})], {}, None),
    "left out": ([OMITTED], {}, "IndexOmitted"),
    "blocked": ([ACT], {}, None),
    "the most severe one": (
        [IGNORING, OMITTED],
        {"preferPrivate": False, "indexStrategy": "unsafe-best-match"}, "PublicIndexFirst"),
    "the second": ([IGNORING, OMITTED], {"indexStrategy": "unsafe-best-match"},
                   "UnsafeIndexStrategy"),
    "the third": ([IGNORING, OMITTED], {}, "ErrorCodesIgnored"),
    "no public index": (
        [IGNORING, OMITTED],
        {"preferPrivate": False, "publicIndex": {"enabled": False}}, None),
}  # fmt: skip


@pytest.mark.parametrize("case", RISKS)
def test_dependency_confusion_is_named_with_its_cause(case: str) -> None:
    plans, spec, reason = RISKS[case]
    status = status_of(*plans, spec=spec)
    assert reported(status).get("DependencyConfusionRisk") == reason


def test_a_risk_names_the_field_or_the_index() -> None:
    for case, part in {
        "public first": "spec.preferPrivate",
        "unsafe-best-match": "spec.indexStrategy unsafe-best-match",
        "401 or 403 ignored": "'careless'",
        "left out": "'omitted'",
    }.items():
        plans, spec, _ = RISKS[case]
        assert part in message_of(status_of(*plans, spec=spec), "DependencyConfusionRisk")
