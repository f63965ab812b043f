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
from artifact_index.sources.base import Inputs
from support.output_builders import stored
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    NOW,
    SOURCES,
    index,
    index_state,
    inputs_of,
    options,
    plans_from,
    published_after,
    resolved,
    source,
    token_state_of,
    url_state,
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
    with_credentials = any(
        output.kind == "Secret" for output in record.spec.outputs_of("uv-config")
    )

    index_states = []
    for item in records:
        how: dict[str, Any] = dict(indexes[item.ref.name])
        inputs = inputs_of(item, **how) if item.spec is not None else None
        if inputs is not None and has_its_source(inputs):
            try:
                login = resolved(inputs)
            except KeyError:  # a key is missing: the checks will say so
                login = None
            if login is not None:
                how["token"] = logins.token(login.token) or token_state_of(pending_since=now)
                how["endpoint"] = logins.endpoint(login.endpoint) or url_state(pending_since=now)
        index_states.append(index_state(item, with_credentials=with_credentials, now=now, **how))
    return plans_from(
        *index_states,
        served=state.published[OWNER],
        assigned=state.before(OWNER)[1],
        with_credentials=with_credentials,
        now=now,
    )


def has_its_source(inputs: Inputs) -> bool:
    """Whether the Secret or ServiceAccount that the index needs is there."""
    if inputs.account_use is not None:
        return inputs.account is not None
    return inputs.use is None or inputs.secret is not None


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
        f"{kind}, a page": Case({**source(kind), "format": "flat"})
        for kind in ("basicAuth", "anonymous", "preauthenticated")
    },
    **{
        f"{kind}, age {value}": Case({**source(kind), "excludeNewer": value})
        for kind in SOURCES
        for value in ("false", "7 days")
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
        index_state(index(name, item.spec), with_credentials=with_credentials, **item.before)
        for name, item in cases.items()
    ]
    first = plans_from(*before, with_credentials=with_credentials)
    records = [index(name, item.later_spec or item.spec) for name, item in cases.items()]
    after = [
        index_state(item, with_credentials=with_credentials, **cases[item.ref.name].after)
        for item in records
    ]
    names = {item.selected.uid: item.name for item in first if item.name is not None}
    second = plans_from(
        *after, served=published_after(first), assigned=names, with_credentials=with_credentials
    )
    made = desired(record, second)

    status = {
        "indexes": [
            {"uid": item.selected.uid, "name": item.name}
            for item in second
            if item.name is not None
        ]
    }
    record = options(spec=spec, status=status)
    state, logins = restored(*bodies_of(made), options=record)
    how = {name: item.after for name, item in cases.items()}
    third = placed_after(record, state, logins, how, records)
    for wanted, was in zip(desired(record, third), made, strict=True):
        assert wanted.annotations == was.annotations
        assert wanted.is_met_by(parse_output(was.ref.kind, stored(was), DIGESTER))
    assert [item.problem for item in third] == [item.problem for item in second]
    assert [item.expires_at for item in third] == [item.expires_at for item in second]


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
    made = desired(
        record, plans_from(index_state(one, with_credentials=False), with_credentials=False)
    )
    for _ in range(3):
        state, logins = restored(*bodies_of(made))
        plans = placed_after(record, state, logins, {"acme": GONE}, [one])
        again = desired(record, plans)
        assert [x.annotations for x in again] == [x.annotations for x in made]
        made = again
