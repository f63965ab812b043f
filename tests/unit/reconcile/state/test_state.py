"""What outlives a pass, and what a restart takes up again from the outputs alone."""

import base64
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_index.api.constants import (
    CHECKPOINT_ANNOTATION,
    CONTENT_DIGEST_ANNOTATION,
    EXPIRES_AT_ANNOTATION,
    OWNER_ANNOTATION,
)
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    parse_output,
)
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import DesiredOutput, desired_outputs
from artifact_index.reconcile.state.state import State, take_up
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    HOUR,
    MARGINS,
    NAMESPACE,
    NOW,
    SOURCES,
    endpoint_grant,
    facts_of,
    grant,
    index,
    lease_of,
    options,
    placed_of,
    resolved,
    served_after,
    source,
    stored,
    view,
)

pytestmark = pytest.mark.unit

OWNER = ObjectRef(NAMESPACE, "uv-config")
SECRET: dict[str, Any] = {"outputs": [{"kind": "Secret", "name": "s"}]}
CONFIG_MAP: dict[str, Any] = {"outputs": [{"kind": "ConfigMap", "name": "c"}]}
BOTH: dict[str, Any] = {"outputs": SECRET["outputs"] + CONFIG_MAP["outputs"]}
OUTPUTS = {"Secret": SECRET, "ConfigMap": CONFIG_MAP, "both": BOTH}


async def no_cloud(request: TokenRequest, material: KeyMaterial) -> Token:
    raise AssertionError("nothing is minted here")


def new_manager(now: float = NOW, told: list[frozenset[Hashable]] | None = None) -> TokenManager:
    return TokenManager(
        grant=no_cloud,
        digest=DIGESTER.request,
        margins=MARGINS,
        now=lambda: now,
        on_change=lambda consumers: (told if told is not None else []).append(consumers),
        rng=Random(1),
    )


def taken_up(
    *bodies: tuple[str, dict[str, Any]], now: float = NOW, digester: Digester = DIGESTER
) -> tuple[State, TokenManager]:
    """A fresh memory and tokens after these outputs were listed."""
    state, tokens = State(), new_manager(now)
    for kind, body in bodies:
        take_up(
            parse_output(kind, body, digester), body["data"],
            owner=OWNER, state=state, tokens=tokens,
        )  # fmt: skip
    return state, tokens


def desired(record: OptionsObject, placed: list[IndexPlan]) -> list[DesiredOutput]:
    made, problem = desired_outputs(record, placed, DIGESTER)
    assert problem is None
    return made


def bodies_of(made: list[DesiredOutput]) -> list[tuple[str, dict[str, Any]]]:
    return [(one.ref.kind, stored(one)) for one in made]


def placed_after(
    record: OptionsObject,
    state: State,
    tokens: TokenManager,
    indexes: Mapping[str, dict[str, Any]],
    records: list[IndexObject],
    now: float = NOW,
) -> list[IndexPlan]:
    """The places of a first pass after a start: only seeded logins have an answer."""
    assert record.spec is not None
    with_credentials = any(one.kind == "Secret" for one in record.spec.outputs_of("uv-config"))

    def lease(request: TokenRequest | None) -> TokenState:
        found = tokens.lease(DIGESTER.request(request)) if request else None
        return found if found is not None else lease_of(pending_since=now)

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
                how |= {"token": lease(login.token), "endpoint": lease(login.endpoint)}
        views.append(view(one, with_credentials=with_credentials, now=now, **how))
    return placed_of(
        *views,
        served=state.served[OWNER],
        assigned=state.names_of(record),
        with_credentials=with_credentials,
        now=now,
    )


# -- a restart over what has been written


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
    state, tokens = taken_up(*bodies_of(made))

    status = {
        "indexes": [
            {"uid": one.record.uid, "name": one.name} for one in second if one.name is not None
        ]
    }
    record = options(spec=spec, status=status)
    how = {name: one.after for name, one in cases.items()}
    third = placed_after(record, state, tokens, how, records)
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
        state, tokens = taken_up(*bodies_of(made))
        placed = placed_after(record, state, tokens, {"acme": GONE}, [one])
        again = desired(record, placed)
        assert [x.annotations for x in again] == [x.annotations for x in made]
        made = again


# -- what is taken up, and what is not


def written(*kinds: str, spec: dict[str, Any] = SECRET) -> list[tuple[str, dict[str, Any]]]:
    placed = placed_of(*(view(index(kind.lower(), source(kind))) for kind in kinds))
    return bodies_of(desired(options(spec=spec), placed))


def test_tokens_and_endpoints_are_seeded() -> None:
    ((_, body),) = written("codeArtifact")
    _, tokens = taken_up(("Secret", body))
    login = resolved(facts_of(index("codeartifact", source("codeArtifact"))))
    assert login.token is not None and login.endpoint is not None

    token = tokens.lease(DIGESTER.request(login.token))
    assert token is not None and token.grant == grant()
    endpoint = tokens.lease(DIGESTER.request(login.endpoint))
    assert endpoint is not None and endpoint.grant == endpoint_grant()


def edit_file(body: dict[str, Any]) -> None:
    text = base64.b64decode(body["data"]["uv.toml"]).decode().replace("whole", "evil")
    body["data"]["uv.toml"] = base64.b64encode(text.encode()).decode()


def edit_times(body: dict[str, Any]) -> None:
    annotations = body["metadata"]["annotations"]
    content = json.loads(annotations[CHECKPOINT_ANNOTATION])
    for times in content["grants"].values():
        times[1] += 10**6
    annotations[CHECKPOINT_ANNOTATION] = json.dumps(content)


FORGERIES: dict[str, Any] = {
    "the file": edit_file,
    "the times": edit_times,
    "a key more": lambda body: body["data"].update(more="eA=="),
    "the digest": lambda body: body["metadata"]["annotations"].update(
        {CONTENT_DIGEST_ANNOTATION: "x" * 22}
    ),
    "no digest": lambda body: body["metadata"]["annotations"].pop(CONTENT_DIGEST_ANNOTATION),
    "no trace": lambda body: body["metadata"]["annotations"].pop(CHECKPOINT_ANNOTATION),
    "another name": lambda body: body["metadata"].update(name="copy"),
    "another namespace": lambda body: body["metadata"].update(namespace="elsewhere"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_nothing_is_taken_up_from_what_is_not_wholly_ours(forgery: str) -> None:
    ((_, body),) = written("googleArtifactRegistry", "preauthenticated")
    state, _ = taken_up(("Secret", body))
    assert state.served[OWNER]

    FORGERIES[forgery](body)
    state, tokens = taken_up(("Secret", body))
    assert not state.served[OWNER]
    assert not tokens._logins


def test_another_kind_has_another_digest() -> None:
    ((_, body),) = written("anonymous", spec=CONFIG_MAP)
    state, _ = taken_up(("Secret", body))
    assert not state.served[OWNER]


def test_another_key_of_the_digests_means_a_fresh_start() -> None:
    ((_, body),) = written("basicAuth")
    state, _ = taken_up(("Secret", body), digester=Digester(b"x" * 32))
    assert not state.served[OWNER]


@pytest.mark.parametrize("trace", ["[]", "{}", '{"indexes": []}', '{"indexes": {"a": {}}}', "x"])
def test_a_trace_of_another_version_is_ignored(trace: str) -> None:
    ((_, body),) = written("anonymous")
    metadata = body["metadata"]
    metadata["annotations"][CHECKPOINT_ANNOTATION] = trace
    digest = parse_output("Secret", body, DIGESTER).digest
    metadata["annotations"][CONTENT_DIGEST_ANNOTATION] = digest
    state, _ = taken_up(("Secret", body))
    assert not state.served[OWNER]


def test_annotations_for_people_are_not_believed() -> None:
    ((_, body),) = written("googleArtifactRegistry")
    body["metadata"]["annotations"][EXPIRES_AT_ANNOTATION] = "2099-01-01T00:00:00Z"
    state, _ = taken_up(("Secret", body))
    (served,) = state.served[OWNER].values()
    assert served.expires_at == NOW + 12 * HOUR


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_secrets_entry_comes_before_a_config_maps(order: tuple[int, int]) -> None:
    bodies = written("basicAuth", spec=BOTH)
    state, _ = taken_up(*(bodies[n] for n in order))
    (served,) = state.served[OWNER].values()
    assert not served.bare and served.entry.credential is not None


def test_a_config_map_gives_a_bare_entry_without_any_token() -> None:
    state, _ = taken_up(*written("googleArtifactRegistry", spec=CONFIG_MAP))
    (served,) = state.served[OWNER].values()
    assert served.bare and served.token is None and served.expires_at is None


@pytest.mark.parametrize("order", ["a-b", "b-a"])
def test_an_old_token_is_not_given_the_times_of_its_successor(order: str) -> None:
    # Two indexes share a login; the suspended one still holds the token of yesterday.
    old = lease_of(grant("token-1", life=HOUR))
    new = lease_of(grant("token-2", issued_at=NOW + 1800))
    names = order.split("-")
    kept, fresh = (
        source("googleArtifactRegistry"),
        source("googleArtifactRegistry", repository="other"),
    )
    first = placed_of(view(index(names[0], kept), token=old))
    second = placed_of(
        view(index(names[0], {**kept, "suspend": True})),
        view(index(names[1], fresh), token=new),
        served=served_after(first),
    )
    state, tokens = taken_up(*bodies_of(desired(options(spec=SECRET), second)))

    held = state.served[OWNER]
    assert held[f"uid-of-{names[0]}"].expires_at == NOW + HOUR
    assert held[f"uid-of-{names[1]}"].expires_at == NOW + 1800 + 12 * HOUR
    login = resolved(facts_of(index(spec=kept)))
    lease = tokens.lease(DIGESTER.request(login.token)) if login.token else None
    assert lease is not None and lease.grant == grant("token-2", issued_at=NOW + 1800)


def test_the_owner_is_told_of_the_withdrawal_of_a_seeded_token() -> None:
    ((_, body),) = written("googleArtifactRegistry")
    told: list[frozenset[Hashable]] = []
    clock = [float(NOW)]
    tokens = TokenManager(
        grant=no_cloud, digest=DIGESTER.request, margins=MARGINS, now=lambda: clock[0],
        on_change=told.append, rng=Random(1),
    )  # fmt: skip
    take_up(
        parse_output("Secret", body, DIGESTER), body["data"],
        owner=OWNER, state=State(), tokens=tokens,
    )  # fmt: skip
    told.clear()
    clock[0] += 12 * HOUR - 155
    tokens._process_due(clock[0])
    assert told == [frozenset({OWNER})]


# -- names


def test_names_after_a_start_are_those_of_the_status_and_the_outputs() -> None:
    state, _ = taken_up(*written("basicAuth", "anonymous"))
    status = {
        "indexes": [
            # The output was written after this status, so it knows better.
            {"uid": "uid-of-basicauth", "name": "stale"},
            {"uid": "uid-of-blocked", "name": "blocked"},
            {"uid": "uid-of-unnamed"},
        ]
    }
    assert state.names_of(options(status=status)) == {
        "uid-of-basicauth": "basic",
        "uid-of-anonymous": "open",
        "uid-of-blocked": "blocked",
    }


def test_names_are_read_from_the_status_only_once() -> None:
    state = State()
    placed = placed_of(view(index("a")))
    state.keep_names(OWNER, placed)
    edited = options(status={"indexes": [{"uid": "uid-of-a", "name": "edited"}]})
    assert state.names_of(edited) == {"uid-of-a": "open"}


def test_a_name_that_is_only_a_stand_in_is_not_kept() -> None:
    state = State()
    state.keep_names(OWNER, placed_of(view(index(spec=source("preauthenticated")), missing=True)))
    assert state.names_of(options()) == {}


def test_names_outlive_a_selection_that_is_empty_for_a_while() -> None:
    # The outputs stay, so the pods go on under these names; a restart would read them there.
    state = State()
    placed = placed_of(view(index("a")))
    state.keep_names(OWNER, placed)
    state.keep_served(OWNER, placed)
    state.keep_names(OWNER, ())
    assert state.names_of(options()) == {"uid-of-a": "open"}


# -- placements


def test_every_index_that_came_or_went_is_concerned() -> None:
    state = State()
    a, b = placed_of(view(index("a")), view(index("b")))
    assert state.keep_placements(OWNER, [a]) == {a.record.ref}
    assert state.keep_placements(OWNER, [b]) == {a.record.ref, b.record.ref}
    assert set(state.placements[OWNER]) == {b.record.ref}


def test_an_index_whose_place_has_not_changed_is_not_concerned() -> None:
    state = State()
    before = placed_of(view(index("a")), view(index("b")))
    state.keep_placements(OWNER, before)
    a, b = replace(before[0]), replace(before[1], fresh_as_of=NOW)
    assert state.keep_placements(OWNER, [a, b]) == {b.record.ref}


def test_a_place_keeps_the_record_that_its_status_was_written_to() -> None:
    state, other = State(), ObjectRef(NAMESPACE, "other")
    (one,) = placed_of(view(index("a")))
    state.keep_placements(OWNER, [one])
    written = replace(one.record, resource_version=99, status=b"written")
    state.keep_record(written, [OWNER, other])
    assert state.placements[OWNER][one.record.ref].record is written
    edited = replace(written, generation=written.generation + 1)
    state.keep_record(edited, [OWNER])
    assert state.placements[OWNER][one.record.ref].record is written


def test_an_index_has_a_place_in_each_of_its_options() -> None:
    state, other = State(), ObjectRef(NAMESPACE, "other")
    (one,) = placed_of(view(index("a")))
    state.keep_placements(OWNER, [one])
    state.keep_placements(other, [one])
    state.forget_options(OWNER)
    assert set(state.placements) == {other}
    state.forget_options(other)
    assert state.placements == {}


def test_what_is_forgotten_leaves_nothing_behind() -> None:
    state = State()
    placed = placed_of(view(index("a", source("basicAuth")), missing=True), view(index("b")))
    state.missing_since["uid-of-a"] = NOW
    state.names_of(options())
    state.keep_placements(OWNER, placed)
    state.keep_served(OWNER, placed)
    for one in placed:
        state.forget_index(one.record.ref)
    state.forget_options(OWNER)
    assert state == State()


def test_an_index_that_left_the_selection_is_not_missing_its_secret_any_more() -> None:
    state = State()
    state.missing_since["uid-of-a"] = NOW
    placed = placed_of(view(index("a", source("basicAuth")), missing=True))
    state.keep_placements(OWNER, placed)
    state.keep_placements(OWNER, ())
    assert state.missing_since == {}


def test_what_is_not_served_is_not_kept() -> None:
    state = State()
    placed = placed_of(view(index("a", source("basicAuth")), missing=True), view(index("b")))
    state.keep_served(OWNER, placed)
    assert set(state.served[OWNER]) == {"uid-of-b"}


def test_the_owner_of_an_output_is_its_mark_where_there_is_no_reference() -> None:
    made = desired(options(spec={**SECRET, "deletionPolicy": "Retain"}), placed_of(view(index())))
    body = stored(made[0])
    assert body["metadata"]["annotations"][OWNER_ANNOTATION] == "uv-config"
    assert replace(made[0]).owner is None
