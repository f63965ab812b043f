"""A restart over what was written: nothing is written again, whatever stands in its way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject, parse_output
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.state.state import State
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    NOW,
    SOURCES,
    facts_of,
    index,
    lease_of,
    options,
    placed_of,
    resolved,
    served_after,
    source,
    stored,
    url_state,
    view,
)
from support.restarts import OWNER, Logins, bodies_of, desired, restored

pytestmark = pytest.mark.unit

SECRET: dict[str, Any] = {"outputs": [{"kind": "Secret", "name": "s"}]}
CONFIG_MAP: dict[str, Any] = {"outputs": [{"kind": "ConfigMap", "name": "c"}]}
BOTH: dict[str, Any] = {"outputs": SECRET["outputs"] + CONFIG_MAP["outputs"]}
OUTPUTS = {"Secret": SECRET, "ConfigMap": CONFIG_MAP, "both": BOTH}


def placed_after(
    record: OptionsObject,
    state: State,
    logins: Logins,
    indexes: Mapping[str, dict[str, Any]],
    records: list[IndexObject],
    now: float = NOW,
) -> list[IndexPlan]:
    """The places of a first pass after a start: only seeded logins have an answer."""
    assert record.spec is not None
    with_credentials = any(one.kind == "Secret" for one in record.spec.outputs_of("uv-config"))

    views = []
    for one in records:
        how: dict[str, Any] = dict(indexes[one.ref.name])
        inputs = facts_of(one, **how) if one.spec is not None else None
        if inputs is not None and (inputs.use is None or inputs.secret is not None):
            try:
                login = resolved(inputs)
            except KeyError:  # a key is missing: the checks will say so
                login = None
            if login is not None:
                how["token"] = logins.token(login.token) or lease_of(pending_since=now)
                how["endpoint"] = logins.endpoint(login.endpoint) or url_state(pending_since=now)
        views.append(view(one, with_credentials=with_credentials, now=now, **how))
    return placed_of(
        *views,
        served=state.published[OWNER],
        assigned=state.names_of(OWNER),
        with_credentials=with_credentials,
        now=now,
    )


@dataclass(frozen=True)
class Case:
    """An index as it stood before the restart, and what stands in its way afterwards."""

    spec: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    later_spec: dict[str, Any] | None = None


GONE = {"missing": True}
CASES: dict[str, Case] = {
    **{kind: Case(source(kind)) for kind in SOURCES},
    **{
        f"{kind}, explicit": Case(
            {**source(kind), "explicit": True, "ignoreErrorCodes": [404], "name": "x"}
        )
        for kind in SOURCES
    },
    **{
        f"{kind}, authenticate auto": Case({**source(kind), "authenticate": "auto"})
        for kind in SOURCES
    },
    **{
        f"{kind}, suspended": Case(source(kind), later_spec={**source(kind), "suspend": True})
        for kind in SOURCES
    },
    **{
        f"{kind}, spec unreadable": Case(source(kind), later_spec={**source(kind), "priority": "x"})
        for kind in SOURCES
    },
    **{
        f"{kind}, Secret gone": Case(source(kind), after=GONE)
        for kind in SOURCES
        if kind != "anonymous"
    },
    **{
        f"{kind}, blocked": Case(source(kind), before=GONE, after=GONE)
        for kind in SOURCES
        if kind != "anonymous"
    },
    "left out": Case({**source("basicAuth"), "whenUnavailable": "Omit"}, GONE, GONE),
    "an empty user name": Case(source("basicAuth", username="")),
    "reserved characters": Case(
        source("basicAuth"),
        {"values": {"username": "a/b@c", "password": "p:@/?#[] %é"}},
        {"values": {"username": "a/b@c", "password": "p:@/?#[] %é"}},
    ),
    "an endpoint of one's own": Case(source("codeArtifact", endpoint="https://vpc.example/x/")),
    "a host of one's own": Case(source("googleArtifactRegistry", host="psc.example:8443")),
    "a URL of user name alone": Case(
        source("preauthenticated"),
        {"values": {"url": f"https://{CANARY}@whole.example/simple/"}},
        {"values": {"url": f"https://{CANARY}@whole.example/simple/"}},
    ),
    "a URL of user name alone, Secret gone": Case(
        source("preauthenticated"),
        {"values": {"url": f"https://{CANARY}@whole.example/simple/"}},
        GONE,
    ),
}


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("case", CASES)
def test_a_restart_writes_nothing(case: str, outputs: str) -> None:
    restart_is_quiet({"acme": CASES[case]}, OUTPUTS[outputs])


def restart_is_quiet(cases: Mapping[str, Case], spec: dict[str, Any]) -> None:
    """Write once, change the specs, write again; then start anew: what is there is as desired."""
    record = options(spec=spec)
    assert record.spec is not None
    with_credentials = spec is not CONFIG_MAP
    before = [
        view(index(name, one.spec), with_credentials=with_credentials, **one.before)
        for name, one in cases.items()
    ]
    first = placed_of(*before, with_credentials=with_credentials)
    records = [index(name, one.later_spec or one.spec) for name, one in cases.items()]
    after = [
        view(one, with_credentials=with_credentials, **cases[one.ref.name].after) for one in records
    ]
    names = {one.record.uid: one.name for one in first if one.name is not None}
    second = placed_of(
        *after, served=served_after(first), assigned=names, with_credentials=with_credentials
    )
    made = desired(record, second)

    status = {
        "indexes": [
            {"uid": one.record.uid, "name": one.name} for one in second if one.name is not None
        ]
    }
    record = options(spec=spec, status=status)
    state, logins = restored(*bodies_of(made), options=record)
    how = {name: one.after for name, one in cases.items()}
    third = placed_after(record, state, logins, how, records)
    for wanted, was in zip(desired(record, third), made, strict=True):
        assert wanted.annotations == was.annotations
        assert wanted.is_met_by(parse_output(was.ref.kind, stored(was), DIGESTER))
    assert [one.problem for one in third] == [one.problem for one in second]
    assert [one.expires_at for one in third] == [one.expires_at for one in second]


@settings(max_examples=60)
@given(
    cases=st.lists(st.sampled_from(sorted(CASES)), min_size=1, max_size=6),
    outputs=st.sampled_from(sorted(OUTPUTS)),
)
def test_a_restart_writes_nothing_whatever_stands_together(cases: list[str], outputs: str) -> None:
    restart_is_quiet({f"i{n}": CASES[case] for n, case in enumerate(cases)}, OUTPUTS[outputs])


def test_a_second_restart_is_as_quiet_as_the_first() -> None:
    # What was taken up must leave the same trace as what was fresh.
    record = options(spec=CONFIG_MAP)
    one = index(spec=source("preauthenticated"))
    made = desired(record, placed_of(view(one, with_credentials=False), with_credentials=False))
    for _ in range(3):
        state, logins = restored(*bodies_of(made))
        placed = placed_after(record, state, logins, {"acme": GONE}, [one])
        again = desired(record, placed)
        assert [x.annotations for x in again] == [x.annotations for x in made]
        made = again
