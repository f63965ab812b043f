"""State before the end of a process is the state after the next start, from the objects alone."""

from dataclasses import replace
from typing import Any

import pytest

from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.resolve.history import Histories, IndexHistory
from artifact_index.reconcile.state.state import State
from artifact_index.reconcile.status.index_status import index_status
from artifact_index.reconcile.status.options_status import OptionsOutcome, options_status
from support.reconcile_builders import (
    MARGINS,
    NOW,
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
from support.restarts import OWNER, bodies_of, desired, restored

pytestmark = pytest.mark.unit

MISSED = NOW - 100
TOLD = MISSED + 1
"""The second turned between the first miss and the status that tells of it."""
SPECS = {
    "aws": source("codeArtifact"),
    "failing": source("googleArtifactRegistry"),
    "gone": source("preauthenticated"),
    "omitted": {**source("basicAuth"), "whenUnavailable": "Omit", "name": "omitted"},
    "open": source("anonymous"),
    "static": {**source("basicAuth"), "authenticate": "always"},
    "unreadable": {**source("anonymous"), "priority": "x"},
}
OUTPUTS: dict[str, list[dict[str, Any]]] = {
    "Secret": [{"kind": "Secret", "name": "s"}],
    "ConfigMap and Secret": [{"kind": "ConfigMap", "name": "c"}, {"kind": "Secret", "name": "s"}],
    "variables": [{"kind": "Secret", "name": "e", "formats": ["Environment"]}],
    "netrc and variables": [
        {"kind": "Secret", "name": "n", "formats": ["Netrc"]},
        {"kind": "Secret", "name": "e", "formats": ["Environment"]},
    ],
}


def plans_of(records: dict[str, IndexObject]) -> list[IndexPlan]:
    """All is well at first; then a refresh fails, and Secrets are missing."""
    first = plans_from(*(index_state(record) for record in records.values()))
    names = {plan.selected.uid: plan.name for plan in first if plan.name is not None}
    held = {"failing": token_state_of(issued_token(), error=login_error())}
    later = [
        index_state(
            record,
            missing=name in ("gone", "omitted"),
            missing_since=MISSED,
            token=held.get(name),
        )
        for name, record in records.items()
    ]
    return plans_from(*later, served=published_after(first), assigned=names)


def with_statuses(
    spec: dict[str, Any], plans: list[IndexPlan]
) -> tuple[OptionsObject, list[IndexObject]]:
    """The objects after the statuses were written."""
    record = options(spec=spec)
    outcome = OptionsOutcome(plans, desired(record, plans), None)
    status = options_status(record, outcome, margins=MARGINS, now=NOW)
    indexes = [
        index(name, SPECS[name], status=index_status(index_of(plan), plan, TOLD))
        for plan in plans
        for name in [plan.selected.ref.name]
    ]
    return options(spec=spec, status=status), indexes


def comparable(state: State, *, verbatim: bool) -> dict[str, Published]:
    """What is published, without what no output tells.

    A uv.toml says `always` for each entry with a login, whether or not the spec does. Of a
    preauthenticated URL it holds the text alone, and the other files not even that.
    """
    return {
        uid: replace(
            published,
            entry=replace(
                published.entry,
                authenticate=None,
                url="" if published.entry.verbatim_url else published.entry.url,
            ),
        )
        for uid, published in state.published[OWNER].items()
        if verbatim or published.entry.verbatim_url is None
    }


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_a_start_restores_the_state_that_the_last_process_had(outputs: str) -> None:
    spec = {"outputs": OUTPUTS[outputs]}
    plans = plans_of({name: index(name, each) for name, each in SPECS.items()})
    before = State()
    before.set_published(OWNER, plans)
    before.set_names(OWNER, plans)
    problems = {plan.selected.uid: plan.problem for plan in plans if plan.problem is not None}
    assert {"uid-of-gone", "uid-of-omitted"} <= problems.keys()
    record, indexes = with_statuses(spec, plans)

    bodies = bodies_of(desired(record, plans))
    histories = Histories()
    after, logins = restored(*bodies, options=record, indexes=indexes, histories=histories)

    assert after.names == before.names
    for plan in plans:
        ref, uid = plan.selected.ref, plan.selected.uid
        missing_since = MISSED if uid in ("uid-of-gone", "uid-of-omitted") else None
        history = IndexHistory(uid, missing_since, was_failing=plan.failing is not None)
        assert (histories.get(ref, uid) or IndexHistory(uid)) == history
    whole = any("formats" not in output for output in OUTPUTS[outputs])
    assert comparable(after, verbatim=whole) == comparable(before, verbatim=whole)
    for published in before.published[OWNER].values():
        if published.token is not None:
            token = logins.tokens.state_of(published.token)
            assert token is not None and token.token == issued_token()
        if published.endpoint is not None:
            endpoint = logins.endpoints.state_of(published.endpoint)
            assert endpoint is not None and published.entry.url == f"{endpoint.url}simple/"


def test_a_status_without_anything_to_restore_leaves_no_state() -> None:
    status = {"conditions": [{"type": "Ready", "status": "True", "reason": "Available"}]}
    state, _ = restored(indexes=[index("a"), index("b", status=status)])
    assert state == State()
