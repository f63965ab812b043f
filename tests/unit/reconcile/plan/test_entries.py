"""Entries: what each index gets in the file by its login and its spec, and names."""

import pytest

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.cache.objects import IndexObject
from artifact_index.reconcile.plan.entries import IndexPlan, plan_vanished
from artifact_index.reconcile.plan.outputs import document_of
from support.blocked import blocked_at
from support.plan_cases import MINTED, STATIC, only, published_by, text_of
from support.reconcile_builders import (
    CANARY,
    MARGINS,
    NAMESPACE,
    NOW,
    SOURCES,
    index,
    index_state,
    plans_from,
    source,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kind", SOURCES)
def test_a_fresh_login_is_served_and_ready(kind: str) -> None:
    plan = only(plans_from(index_state(index(spec=source(kind)))))
    assert plan.ready and plan.entry is not None and not plan.entry.blocked
    assert (plan.expires_at is not None) is (kind in MINTED)
    secrets = {"token-1"} if kind in MINTED else {CANARY} if kind in STATIC else set()
    assert all(secret in text_of(plan) for secret in secrets)


def test_places_are_in_search_order() -> None:
    index_states = [
        index_state(index("low", {**source("anonymous"), "priority": 1})),
        index_state(index("b", source("anonymous"))),
        index_state(index("top", {**source("anonymous"), "priority": 101})),
        index_state(index("a", source("anonymous"))),
    ]
    assert [plan.selected.ref.name for plan in plans_from(*index_states)] == [
        "top",
        "a",
        "b",
        "low",
    ]


def test_without_a_secret_output_nothing_is_minted_and_the_entry_is_bare() -> None:
    seen = index_state(index(spec=source("codeArtifact")), with_credentials=False)
    plan = only(plans_from(seen, with_credentials=False))
    assert plan.ready and plan.published is not None
    assert (plan.published.bare, plan.published.token, plan.expires_at) == (True, None, None)


@pytest.mark.parametrize(("mode", "entries"), [("Block", 1), ("Omit", 0)])
def test_an_index_without_login_is_blocked_or_left_out(mode: str, entries: int) -> None:
    spec = {**source("basicAuth"), "whenUnavailable": mode, "name": "acme"}
    plan = only(plans_from(index_state(index(spec=spec), missing=True)))
    assert len(document_of(IndexOptionsSpec(), [plan]).entries) == entries
    assert (blocked_at(plan.selected.ref.name, name="acme") in text_of(plan)) is (mode == "Block")
    assert not plan.ready


# -- names


def named(plans: list[IndexPlan]) -> dict[str, str | None]:
    return {plan.selected.ref.name: plan.name for plan in plans}


def at(name: str, host: str, created: str) -> IndexObject:
    return index(name, source("anonymous", url=f"https://{host}.example/simple/"), created=created)


def test_neither_a_new_nor_a_deleted_nor_an_older_index_renames_another() -> None:
    first, second = at("b", "x", "2026-01-02T00:00:00Z"), at("c", "x", "2026-01-03T00:00:00Z")
    older = at("a", "x", "2026-01-01T00:00:00Z")
    plans = plans_from(index_state(first), index_state(second))
    assert named(plans) == {"b": "x", "c": "x-2"}

    names = {plan.selected.uid: plan.name for plan in plans if plan.name}
    joined = plans_from(index_state(older), index_state(first), index_state(second), assigned=names)
    assert named(joined) == {"a": "x-3", "b": "x", "c": "x-2"}
    left = plans_from(index_state(second), assigned=names)
    assert named(left) == {"c": "x-2"}


def test_a_name_is_allotted_only_once_the_host_is_known() -> None:
    record = index("obj", source("preauthenticated"))
    waiting = only(plans_from(index_state(record, missing=True)))
    assert waiting.name is None and waiting.entry is not None and waiting.entry.name == "obj"

    assert only(plans_from(index_state(record))).name == "whole"


def test_a_name_survives_that_the_host_is_unknown_for_a_while() -> None:
    record = index("obj", source("preauthenticated"))
    later = plans_from(index_state(record, missing=True), assigned={record.uid: "whole"})
    assert named(later) == {"obj": "whole"}


def test_a_name_conflict_leaves_the_younger_out_and_serves_the_others() -> None:
    old = index("old", {**source("anonymous"), "name": "a-b"}, created="2026-01-01T00:00:00Z")
    # uv's variables take a-b and a-b alike whatever stands between the letters.
    young = index("young", {**source("basicAuth"), "name": "a-b"}, created="2026-01-02T00:00:00Z")
    third = index("third", {**source("anonymous"), "name": "c"})
    by_name = {
        plan.selected.ref.name: plan
        for plan in plans_from(index_state(old), index_state(young), index_state(third))
    }

    assert by_name["old"].ready and by_name["third"].ready
    loser = by_name["young"]
    assert (loser.entry, loser.published, loser.name) == (None, None, None)
    assert loser.problem is not None
    assert (loser.problem.reason, loser.problem.stalled) == ("NameConflict", True)
    assert "spec.name 'a-b'" in loser.problem.message and "'old'" in loser.problem.message


def test_a_name_conflict_with_the_public_index_names_it() -> None:
    record = index("mine", {**source("anonymous"), "name": "pypi"})
    plan = only(plans_from(index_state(record)))
    assert plan.problem is not None and "the public index" in plan.problem.message
    assert only(plans_from(index_state(record), public_name=None)).ready


# -- nothing selected any more


def test_of_a_file_that_lost_its_indexes_tokens_go_and_static_logins_stay() -> None:
    served = {
        **published_by(index("minted", source("codeArtifact"))),
        **published_by(index("static", source("basicAuth"))),
    }
    names = {uid: published.entry.name for uid, published in served.items()}
    staying = {uid: published for uid, published in served.items() if published.token is None}
    plans = plan_vanished(NAMESPACE, names, staying, MARGINS, NOW)
    text = text_of(*plans)
    assert "token-1" not in text and CANARY in text
    assert "https://acme-111122223333.unavailable.invalid/" in text
    assert {plan.selected.uid for plan in plans} == set(served)
