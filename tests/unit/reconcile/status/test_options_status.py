"""Statuses: the readiness of both kinds, the notes beside it, and the rules of kstatus."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_index.api.artifact_index import ArtifactIndexStatus
from artifact_index.api.conditions import CONDITION_MEANINGS
from artifact_index.api.index_options import MAX_STATUS_INDEXES, IndexOptionsStatus
from artifact_index.api.reasons import Reason
from artifact_index.crdgen.reason_docs.table import REASONS
from artifact_index.reconcile.cache.status_parsing import condition_of
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.outputs import desired_outputs
from artifact_index.reconcile.resolve.checks import Problem
from artifact_index.reconcile.resolve.resolution import SelectedIndex
from artifact_index.reconcile.status.notes import format_problem
from artifact_index.reconcile.status.options_status import (
    OptionsOutcome,
    index_status,
    indexes_problem,
    no_indexes,
    options_status,
    suspended_options_status,
    unselected_status,
)
from support.reconcile_builders import (
    CANARY,
    DIGESTER,
    HOUR,
    MARGINS,
    NOW,
    POLICY,
    SOURCES,
    grant,
    index,
    index_of,
    lease_of,
    login_error,
    options,
    placed_of,
    served_after,
    source,
    view,
)

pytestmark = pytest.mark.unit

Status = dict[str, Any]
GAR = source("googleArtifactRegistry")
BASIC = source("basicAuth")
DENIED = {"token": lease_of(error=login_error(Reason.ACCESS_DENIED))}
DOWN = {"token": lease_of(error=login_error())}
GONE = {"missing": True, "missing_for": 300}


def place_of(name: str, spec: dict[str, Any], **how: Any) -> IndexPlan:
    """The place of one index, alone in its file."""
    (one,) = placed_of(view(index(name, {"name": name, **spec}, generation=4), **how))
    return one


def kept(name: str, spec: dict[str, Any], **how: Any) -> IndexPlan:
    """The place of an index whose login fails behind what was served before."""
    record = index(name, {"name": name, **spec}, generation=4)
    served = served_after(placed_of(view(record)))
    (one,) = placed_of(view(record, **how), served=served)
    return one


def status_of(
    *placed: IndexPlan,
    spec: dict[str, Any] | None = None,
    problem: Problem | None = None,
    before: Status | None = None,
) -> Status:
    record = options(spec=spec, generation=7, status=before or {})
    written, not_written = desired_outputs(record, placed, DIGESTER)
    problem = problem or not_written or indexes_problem(placed) or format_problem(written)
    outcome = OptionsOutcome(placed, written, problem)
    return options_status(record, outcome, margins=MARGINS, now=NOW)


def told(status: Status) -> dict[str, str]:
    """Types of the conditions with their reasons; Ready with its status before it."""
    return {
        one["type"]: f"{one['status']} {one['reason']}" if one["type"] == "Ready" else one["reason"]
        for one in status["conditions"]
    }


def message_of(status: Status, condition: str = "Ready") -> str:
    found = condition_of(status, condition)
    assert found is not None
    text: str = found["message"]
    return text


# -- readiness of an IndexOptions

GOOD = place_of("good", GAR)
RETRY = place_of("retry", GAR, **DOWN)
ACT = place_of("act", GAR, **DENIED)
OMITTED = place_of("omitted", {**GAR, "whenUnavailable": "Omit"}, **DENIED)
OMITTED_RETRY = place_of("omitted", {**GAR, "whenUnavailable": "Omit"}, **DOWN)
REFRESH = kept("refresh", GAR, **DENIED)

NOT_READY = "False IndexesNotReady"
READINESS: dict[str, tuple[list[IndexPlan], dict[str, str]]] = {
    "all ready": ([GOOD], {"Ready": "True Available"}),
    "one may recover": ([GOOD, RETRY], {"Ready": NOT_READY, "Reconciling": "IndexesNotReady"}),
    "one cannot": ([GOOD, ACT], {"Ready": NOT_READY, "Stalled": "IndexesNotReady"}),
    "some stalled": ([ACT, RETRY], {"Ready": NOT_READY, "Reconciling": "IndexesNotReady"}),
    "all stalled": (
        [ACT, place_of("b", BASIC, **GONE)],
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
        [kept("o", {**BASIC, "whenUnavailable": "Omit"}, missing=True)],
        {"Ready": NOT_READY, "Reconciling": "IndexesNotReady"},
    ),
    "a failing refresh": ([REFRESH], {"Ready": "True Available", "RefreshFailing": "AccessDenied"}),
    "a name conflict": (
        [GOOD, replace(ACT, entry=None, problem=Problem(Reason.NAME_CONFLICT, "m"))],
        {"Ready": NOT_READY, "Stalled": "IndexesNotReady",
         "DependencyConfusionRisk": "IndexOmitted"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READINESS)
def test_readiness_follows_from_the_indexes(case: str) -> None:
    placed, conditions = READINESS[case]
    assert told(status_of(*placed)) == conditions


def test_the_culprits_are_named_with_their_reason_and_what_to_do() -> None:
    message = message_of(status_of(GOOD, ACT, RETRY))
    assert message.startswith("2 of 3 ")
    for part in ("'act': AccessDenied: the cloud said", "'retry': CloudUnavailable"):
        assert part in message
    assert "'good'" not in message


def test_of_many_culprits_the_first_are_named_and_the_others_counted() -> None:
    many = [place_of(f"i{n}", GAR, **DENIED) for n in range(5)]
    message = message_of(status_of(*many))
    assert "'i2'" in message and "'i3'" not in message and "and 2 more" in message


def test_what_is_wrong_with_an_output_comes_first() -> None:
    problem = Problem(Reason.TARGET_NOT_OWNED, "Secret 'x' is not ours")
    assert told(status_of(ACT, problem=problem))["Ready"] == "False TargetNotOwned"


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
    one = kept("idle", GAR)
    record = index("idle", {**GAR, "name": "idle", "suspend": True})
    assert (
        status_of(replace(one, record=SelectedIndex.of(record)))["indexes"][0]["reason"]
        == "Suspended"
    )


def test_the_list_is_bounded_and_the_counts_are_not() -> None:
    placed = [
        replace(GOOD, record=SelectedIndex.of(index(f"i{n}", GAR)))
        for n in range(MAX_STATUS_INDEXES + 1)
    ]
    entries = [replace(one, entry=None) for one in placed]
    status = status_of(*entries)
    assert len(status["indexes"]) == MAX_STATUS_INDEXES
    assert status["indexCount"] == MAX_STATUS_INDEXES + 1


def test_the_guarantee_ends_a_pods_start_and_the_clocks_error_before_the_first_expiry() -> None:
    short = place_of("short", GAR, token=lease_of(grant(life=6 * HOUR)))
    status = status_of(GOOD, short)
    assert status["earliestExpiry"] == "2027-01-15T14:00:00Z"
    assert status["guaranteedUntil"] == "2027-01-15T13:57:00Z"
    assert "earliestExpiry" not in status_of(place_of("open", source("anonymous")))


# -- nothing selected, suspended, not planned


@pytest.mark.parametrize("stay", [True, False])
@pytest.mark.parametrize("selector", [None, {"matchLabels": {"env": "x"}}])
def test_an_empty_selection_says_where_to_look(stay: bool, selector: Any) -> None:
    spec = {"indexSelector": selector} if selector else {}
    problem = no_indexes(options(spec=spec), outputs_stay=stay)
    assert (problem.reason, problem.stalled) == ("NoIndexes", False)
    assert "'builders'" in problem.message
    assert ("spec.indexSelector" in problem.message) is bool(selector)
    assert ("stay as they are" in problem.message) is stay


def test_a_suspended_options_keeps_its_status_but_for_the_reason() -> None:
    before = status_of(GOOD, OMITTED)
    record = options(spec={"suspend": True}, generation=8, status=before)
    after = suspended_options_status(record, NOW)
    assert told(after) == {"Ready": "True Suspended"}
    assert "spec.suspend" in message_of(after)
    assert {**after, "conditions": 0, "observedGeneration": 0} == {
        **before, "conditions": 0, "observedGeneration": 0
    }  # fmt: skip


def test_a_pass_that_did_not_come_to_a_plan_keeps_the_names_in_the_status() -> None:
    before = status_of(GOOD)
    problem = Problem(Reason.INTERNAL_ERROR, "x")
    record = options(generation=8, status=before)
    after = options_status(record, OptionsOutcome(None, (), problem), margins=MARGINS, now=NOW)
    assert told(after) == {"Ready": "False InternalError", "Reconciling": "InternalError"}
    assert (after["indexes"], after["outputs"]) == (before["indexes"], before["outputs"])


# -- notes


IGNORING = place_of("careless", {**GAR, "ignoreErrorCodes": [404, 403]})
RISKS: dict[str, tuple[list[IndexPlan], dict[str, Any], str | None]] = {
    "the defaults": ([GOOD], {}, None),
    "public first": ([GOOD], {"preferPrivate": False}, "PublicIndexFirst"),
    "unsafe-first-match": (
        [GOOD], {"indexStrategy": "unsafe-first-match"}, "UnsafeIndexStrategy"),
    "unsafe-best-match": ([GOOD], {"indexStrategy": "unsafe-best-match"}, "UnsafeIndexStrategy"),
    "401 or 403 ignored": ([IGNORING], {}, "ErrorCodesIgnored"),
    "404 ignored": ([place_of("c", {**GAR, "ignoreErrorCodes": [404, 500]})], {}, None),
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
    placed, spec, reason = RISKS[case]
    status = status_of(*placed, spec=spec)
    assert told(status).get("DependencyConfusionRisk") == reason


def test_a_risk_names_the_field_or_the_index() -> None:
    for case, part in {
        "public first": "spec.preferPrivate",
        "unsafe-best-match": "spec.indexStrategy unsafe-best-match",
        "401 or 403 ignored": "'careless'",
        "left out": "'omitted'",
    }.items():
        placed, spec, _ = RISKS[case]
        assert part in message_of(status_of(*placed, spec=spec), "DependencyConfusionRisk")


def test_a_token_that_is_too_short_is_said_with_the_numbers_on_both_kinds() -> None:
    short = place_of("short", GAR, token=lease_of(grant(life=HOUR)), max_build=3600)
    assert short.ready
    for status in (status_of(short), index_status(index_of(short), short, NOW)):
        assert told(status) == {
            "Ready": "True Available",
            "FreshnessNotGuaranteed": "TokenTooShort",
        }
        assert "1h" in message_of(status, "FreshnessNotGuaranteed")


def test_a_token_that_is_handed_out_again_is_no_promise() -> None:
    repeated = place_of("metadata", GAR, token=lease_of(grant(), repeats=True))
    assert "FreshnessNotGuaranteed" in told(index_status(index_of(repeated), repeated, NOW))


def test_a_promise_that_can_be_kept_is_not_spoken_of() -> None:
    assert "FreshnessNotGuaranteed" not in told(status_of(GOOD))


# -- an ArtifactIndex


def test_a_served_index_tells_its_url_and_times() -> None:
    status = index_status(index_of(GOOD), GOOD, NOW)
    assert told(status) == {"Ready": "True Available"}
    assert status["url"] == "https://europe-west1-python.pkg.dev/my-project/python/simple/"
    assert status["credential"]["expiresAt"] == "2027-01-15T20:00:00Z"
    assert status["credential"]["refreshAt"] < "2027-01-15T20:00:00Z"


@pytest.mark.parametrize("kind", SOURCES)
def test_a_status_never_holds_a_credential(kind: str) -> None:
    one = place_of("acme", source(kind))
    text = json.dumps([index_status(index_of(one), one, NOW), status_of(one)])
    assert CANARY not in text and "token-1" not in text


def test_of_a_preauthenticated_url_only_scheme_and_host_are_shown() -> None:
    one = place_of("acme", source("preauthenticated"))
    assert index_status(index_of(one), one, NOW)["url"] == "https://whole.example"


@pytest.mark.parametrize("kind", ["googleArtifactRegistry", "basicAuth", "anonymous"])
def test_the_url_is_shown_also_where_the_login_fails(kind: str) -> None:
    spec, strict = source(kind), replace(POLICY, missing_secret_grace=0)
    one = place_of("acme", spec, missing=True, policy=strict)
    good = place_of("acme", spec)
    assert (
        index_status(index_of(one), one, NOW)["url"]
        == index_status(index_of(good), good, NOW)["url"]
    )


def test_a_login_without_known_expiry_has_no_times() -> None:
    one = place_of("acme", BASIC)
    assert "credential" not in index_status(index_of(one), one, NOW)


@pytest.mark.parametrize(("how", "reason"), [(DENIED, "AccessDenied"), (DOWN, "CloudUnavailable")])
def test_a_failing_refresh_stands_beside_ready(how: dict[str, Any], reason: str) -> None:
    one = kept("acme", GAR, **how)
    status = index_status(index_of(one), one, NOW)
    assert told(status) == {"Ready": "True Available", "RefreshFailing": reason}
    assert "until 2027-01-15T20:00:00Z" in message_of(status, "RefreshFailing")
    assert status["credential"]["expiresAt"] == "2027-01-15T20:00:00Z"


def test_a_lease_that_fails_behind_its_own_token_is_a_failing_refresh() -> None:
    one = place_of("acme", GAR, token=lease_of(grant(), error=login_error()))
    assert told(index_status(index_of(one), one, NOW)) == {
        "Ready": "True Available",
        "RefreshFailing": "CloudUnavailable",
    }


@pytest.mark.parametrize(
    ("at", "word"), [(NOW + 12 * HOUR - 155, "withdrawn"), (NOW + 12 * HOUR, "expired")]
)
@pytest.mark.parametrize(
    ("reason", "beside"),
    [(Reason.ACCESS_DENIED, "Stalled"), (Reason.CLOUD_UNAVAILABLE, "Reconciling")],
)
def test_a_token_that_died_says_when_and_why(
    at: int, word: str, reason: Reason, beside: str
) -> None:
    lease = lease_of(grant(), error=login_error(reason), now=at)
    one = place_of("acme", GAR, token=lease, now=at)
    status = index_status(index_of(one), one, at)
    assert told(status) == {"Ready": "False CredentialExpired", beside: "CredentialExpired"}
    for part in (word, "2027-01-15T20:00:00Z", f"the cloud said {reason}", "'gcp-key'"):
        assert part in message_of(status)


def test_a_derived_name_comes_with_how_to_pin_it() -> None:
    (derived,) = placed_of(view(index("acme", source("anonymous"))))
    assert "'open'" in message_of(index_status(index_of(derived), derived, NOW))
    assert "spec.name" in message_of(index_status(index_of(derived), derived, NOW))
    assert "spec.name" not in message_of(index_status(index_of(GOOD), GOOD, NOW))


def test_an_index_that_nobody_selects_is_ready_and_says_so() -> None:
    status = unselected_status(index(), None, NOW)
    assert told(status) == {"Ready": "True NotSelected"}
    assert "spec.indexSelector" in message_of(status)
    assert "url" not in status


def test_an_index_that_nobody_selects_is_checked_as_far_as_its_spec_goes() -> None:
    problem = Problem(Reason.INSECURE_URL, "x")
    assert told(unselected_status(index(), problem, NOW)) == {
        "Ready": "False InsecureURL",
        "Stalled": "InsecureURL",
    }


@pytest.mark.parametrize("selected", [True, False])
@pytest.mark.parametrize("ready", ["True", "False"])
def test_a_suspended_index_keeps_its_last_ready(ready: str, selected: bool) -> None:
    one = GOOD if ready == "True" else ACT
    before = index_status(index_of(one), one, NOW)
    record = index("acme", {**GAR, "suspend": True}, status=before)
    later = replace(one, record=SelectedIndex.of(record))
    after = index_status(record, later, NOW) if selected else unselected_status(record, None, NOW)
    assert told(after) == {"Ready": f"{ready} Suspended"}
    assert after.get("credential") == before.get("credential")


# -- the rules of kstatus, as Flux checks its own controllers


def violations(kind: str, status: Status, generation: int) -> list[str]:
    """What Flux's conformance checks would say (`fluxcd/pkg runtime/conditions/check`)."""
    found = []
    conditions = {one["type"]: one for one in status["conditions"]}
    ready = conditions.get("Ready")
    negative = [conditions[one] for one in ("Stalled", "Reconciling") if one in conditions]
    if len(conditions) != len(status["conditions"]):
        found.append("a type stands twice")
    if ready is None:
        return ["Ready is absent"]
    if len(negative) == 2:
        found.append("Reconciling and Stalled stand together")
    if ready["status"] == "True" and negative:
        found.append("Ready is True beside a negative condition")
    if ready["status"] == "False" and ready["reason"] != "Suspended" and not negative:
        found.append("Ready is False and nobody says whether it will be tried again")
    if ready["status"] not in ("True", "False"):
        found.append("Ready is unknown")
    if negative and (ready["reason"], ready["message"]) != (
        negative[0]["reason"],
        negative[0]["message"],
    ):
        found.append("Ready has not the words of the negative condition")
    found += [f"{one} is there and not True" for one, condition in conditions.items()
              if one != "Ready" and condition["status"] != "True"]  # fmt: skip
    found += [f"{one} is unknown" for one in conditions if one not in CONDITION_MEANINGS]
    found += [f"{one} is of generation {condition['observedGeneration']}"
              for one, condition in conditions.items()
              if condition["observedGeneration"] != generation]  # fmt: skip
    if status["observedGeneration"] > generation:
        found.append("the observed generation is ahead")
    found += [f"{condition['reason']} is no reason of {kind}" for condition in conditions.values()
              if kind not in REASONS[condition["reason"]].kinds
              and one_is_not_a_refresh(condition)]  # fmt: skip
    return found


def one_is_not_a_refresh(condition: dict[str, Any]) -> bool:
    """An IndexOptions says of a failing refresh what its index says, in the index's words."""
    return bool(condition["type"] != "RefreshFailing")


CAUSES: dict[str, dict[str, Any]] = {
    "fine": {},
    "missing": {"missing": True},
    "gone": GONE,
    "denied": DENIED,
    "down": DOWN,
    "minting": {"token": lease_of(pending_since=NOW)},
    "failing": {"token": lease_of(grant(), error=login_error())},
    "expired": {"token": lease_of(grant(issued_at=NOW - 13 * HOUR))},
    "short": {"token": lease_of(grant(life=HOUR))},
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
            index(f"i{n}", one, generation=generation, status=of_index.get(f"i{n}"))
            for n, (one, _) in enumerate(indexes)
        ]
        views = [
            view(record, **CAUSES[cause])
            for record, (_, cause) in zip(records, indexes, strict=True)
        ]
        placed = placed_of(*views, served=served)
        served = served_after(placed)
        record = options(spec=spec, generation=generation, status=before)
        written, _ = desired_outputs(record, placed, DIGESTER)
        outcome = OptionsOutcome(placed, written, problem or indexes_problem(placed))
        before = options_status(record, outcome, margins=MARGINS, now=NOW)
        assert violations("IndexOptions", before, generation) == []
        IndexOptionsStatus.model_validate(before)
        for one in placed:
            status = index_status(index_of(one), one, NOW)
            of_index[one.record.ref.name] = status
            assert violations("ArtifactIndex", status, generation) == []
            ArtifactIndexStatus.model_validate(status)
            assert CANARY not in json.dumps(status) and "token-1" not in json.dumps(status)
            unselected = unselected_status(index_of(one), views[0].problem, NOW)
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
    assert any(fault in one for one in found)
