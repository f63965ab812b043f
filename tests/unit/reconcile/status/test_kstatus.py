"""The rules of kstatus, as Flux checks them in its own controllers, over random reconciles."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_index.api.artifact_index import ArtifactIndexStatus
from artifact_index.api.index_options import IndexOptionsStatus
from artifact_index.api.reasons import Reason
from artifact_index.reconcile.plan.outputs import desired_outputs
from artifact_index.reconcile.status.index_status import index_status, unselected_status
from artifact_index.reconcile.status.options_status import (
    OptionsOutcome,
    indexes_problem,
    options_status,
    suspended_options_status,
)
from artifact_index.sources.policy import Problem
from support.kstatus import violations
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    HOUR,
    MARGINS,
    NOW,
    POLICY,
    SOURCES,
    index,
    index_of,
    index_state,
    issued_token,
    login_error,
    options,
    plans_from,
    published_after,
    source,
    token_state_of,
)
from support.statuses import DENIED, DOWN, GONE, Status

pytestmark = pytest.mark.unit


CAUSES: dict[str, dict[str, Any]] = {
    "fine": {},
    "missing": {"missing": True},
    "gone": GONE,
    "denied": DENIED,
    "down": DOWN,
    "minting": {"token": token_state_of(pending_since=NOW)},
    "failing": {"token": token_state_of(issued_token(), error=login_error())},
    "expired": {"token": token_state_of(issued_token(issued_at=NOW - 13 * HOUR))},
    "short": {"token": token_state_of(issued_token(life=HOUR))},
    "no consent": {"policy": replace(POLICY, operator_identity=False)},
}
SPECS = st.builds(
    lambda kind, fields, auth: {
        **(source(kind, auth=None) if auth and kind in ("codeArtifact",) else source(kind)),
        **fields,
    },
    st.sampled_from(sorted(SOURCES)),
    st.fixed_dictionaries(
        {},
        optional={
            "whenUnavailable": st.sampled_from(["Block", "Omit"]),
            "suspend": st.booleans(),
            "priority": st.sampled_from([1, 100, "unreadable"]),
            "name": st.sampled_from(["a", "b", "pypi"]),
            "ignoreErrorCodes": st.sampled_from([[], [401], [404]]),
        },
    ),
    st.booleans(),
)
OPTIONS_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "preferPrivate": st.booleans(),
        "indexStrategy": st.sampled_from(["first-index", "unsafe-best-match"]),
        "publicIndex": st.fixed_dictionaries({"enabled": st.booleans()}),
    },
)
PASSES = st.lists(st.tuples(SPECS, st.sampled_from(sorted(CAUSES))), min_size=1, max_size=4)
PROBLEMS = st.none() | st.sampled_from(
    [
        Problem(Reason.TARGET_NOT_OWNED, "x"),
        Problem(Reason.WRITE_FAILED, "x"),
        Problem(Reason.WAITING_FOR_DELETION, "x"),
    ]
)


@settings(max_examples=200)
@given(
    passes=st.lists(PASSES, min_size=1, max_size=3),
    spec=OPTIONS_SPECS,
    problem=PROBLEMS,
)
def test_every_status_keeps_the_rules_of_kstatus(
    passes: Sequence[Sequence[tuple[dict[str, Any], str]]],
    spec: dict[str, Any],
    problem: Problem | None,
) -> None:
    served: dict[str, Any] = {}
    before: Status = {"observedGeneration": -1}
    of_index: dict[str, Status] = {}
    for generation, indexes in enumerate(passes, start=1):
        records = [
            index(f"i{n}", item, generation=generation, status=of_index.get(f"i{n}"))
            for n, (item, _) in enumerate(indexes)
        ]
        index_states = [
            index_state(record, **CAUSES[cause])
            for record, (_, cause) in zip(records, indexes, strict=True)
        ]
        plans = plans_from(*index_states, served=served)
        served = published_after(plans)
        record = options(spec=spec, generation=generation, status=before)
        written, _ = desired_outputs(record, plans, DIGESTER)
        outcome = OptionsOutcome(plans, written, problem or indexes_problem(plans))
        before = options_status(record, outcome, margins=MARGINS, now=NOW)
        assert violations("IndexOptions", before, generation) == []
        IndexOptionsStatus.model_validate(before)
        for item in plans:
            status = index_status(index_of(item), item, NOW)
            of_index[item.selected.ref.name] = status
            assert violations("ArtifactIndex", status, generation) == []
            ArtifactIndexStatus.model_validate(status)
            assert CANARY not in json.dumps(status) and "token-1" not in json.dumps(status)
            unselected = unselected_status(index_of(item), index_states[0].problem, NOW)
            assert violations("ArtifactIndex", unselected, generation) == []
        suspended = suspended_options_status(options(generation=9, status=before), NOW)
        assert violations("IndexOptions", suspended, 9) == []


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ({}, "absent"),
        ({"Ready": "True", "Stalled": "True"}, "beside"),
        ({"Ready": "False"}, "nobody says"),
        ({"Ready": "False", "Stalled": "True", "Reconciling": "True"}, "together"),
        ({"Ready": "False", "Stalled": "False"}, "not True"),
    ],
)
def test_the_rules_find_what_breaks_them(status: dict[str, str], fault: str) -> None:
    conditions = [
        {"type": kind, "status": value, "reason": "WriteFailed", "message": "m",
         "observedGeneration": 2}
        for kind, value in status.items()
    ]  # fmt: skip
    found = violations("IndexOptions", {"conditions": conditions, "observedGeneration": 2}, 2)
    assert any(fault in item for item in found)
