"""Entries: what each index gets in the file by its login and its spec, and names."""

from typing import Any

import pytest

from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.formats.document import IndexEntry
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef
from artifact_index.reconcile.plan.entries import IndexPlan, plan_vanished
from artifact_index.reconcile.plan.outputs import document_of
from artifact_index.reconcile.resolve.token_view import IndexState
from support.blocked import blocked_at
from support.plan_cases import MINTED, STATIC, is_blocked, only, published_by, text_of
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


def test_an_index_for_uploads_comes_after_all_that_are_read() -> None:
    """uv reads with the login of the first of two indexes with one URL."""
    publishing = {**source("basicAuth", publishURL="https://basic.example/up/"), "publish": True}
    index_states = [
        index_state(index("a", {**publishing, "explicit": True, "priority": 200})),
        index_state(index("b", {**source("anonymous"), "explicit": True})),
        index_state(index("z", {**publishing, "priority": 1})),
    ]
    assert [plan.selected.ref.name for plan in plans_from(*index_states)] == ["b", "z", "a"]


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


OLD = index("old", {**source("basicAuth"), "name": "a-b"}, created="2026-01-01T00:00:00Z")


def younger(**fields: Any) -> IndexState:
    """Of another index, which asks for the name of `OLD` unless the fields say otherwise."""
    spec = {**source("codeArtifact"), "name": "a-b", **fields}
    return index_state(index("young", spec, created="2026-01-02T00:00:00Z"))


def test_of_two_with_one_name_the_younger_is_blocked_under_a_name_of_its_own() -> None:
    third = index("third", {**source("anonymous"), "name": "c"})
    plans = plans_from(index_state(OLD), younger(), index_state(third))
    by_name = {plan.selected.ref.name: plan for plan in plans}

    assert by_name["old"].ready and by_name["third"].ready
    loser = by_name["young"]
    command = "kubectl+describe+artifactindex+young+-n+builders"
    assert loser.entry == IndexEntry("young", url="", blocked=True, described_by=command)
    assert (loser.published, loser.name) == (None, None)
    assert loser.problem is not None
    assert (loser.problem.reason, loser.problem.stalled) == ("NameConflict", True)
    message = loser.problem.message
    assert "spec.name 'a-b'" in message and "ArtifactIndex 'old'" in message
    assert "kubectl -n builders patch artifactindex young" in message
    assert """ -p '{"spec":{"name":"young"}}'""" in message


def test_the_younger_changes_nothing_about_the_older() -> None:
    alone = only(plans_from(index_state(OLD)))
    for mode in ("Block", "Omit"):
        beside = {p.selected.ref.name: p for p in plans_from(younger(whenUnavailable=mode),
                                                             index_state(OLD))}  # fmt: skip
        assert beside["old"] == alone
        assert (beside["young"].entry is None) == (mode == "Omit")


def test_the_suggested_name_ends_the_conflict() -> None:
    """Even if an index has the name of the younger object."""
    taken = index_state(index("other", {**source("anonymous"), "name": "young"}))
    plans = plans_from(index_state(OLD), younger(), taken)
    (loser,) = [plan for plan in plans if not plan.ready]
    assert loser.entry is not None and loser.entry.name == "young-2"

    assert all(p.ready for p in plans_from(index_state(OLD), younger(name="young-2"), taken))


def test_an_index_that_is_renamed_to_a_taken_name_is_blocked_at_once() -> None:
    before = published_by(index("young", {**source("codeArtifact"), "name": "own"}))
    names = {uid: published.entry.name for uid, published in before.items()}
    plans = plans_from(index_state(OLD), younger(), served=before, assigned=names)
    (loser,) = [plan for plan in plans if not plan.ready]
    assert is_blocked(loser) and "token-1" not in text_of(loser)


def test_an_index_that_is_not_served_for_its_name_shadows_nobody() -> None:
    root = source("basicAuth", url="https://basic.example/")
    below = source("basicAuth", url="https://basic.example/b/simple/")
    loser = index("root", {**root, "name": "a-b"}, created="2026-01-02T00:00:00Z")
    leaf = index("leaf", {**below, "name": "leaf"}, created="2026-01-03T00:00:00Z")
    old = index("old", {**source("anonymous"), "name": "a-b"}, created="2026-01-01T00:00:00Z")

    plans = plans_from(index_state(old), index_state(loser), index_state(leaf))

    assert {p.selected.ref.name for p in plans if p.ready} == {"old", "leaf"}


def test_a_name_conflict_with_the_public_index_names_it_and_the_field() -> None:
    record = index("mine", {**source("anonymous"), "name": "pypi"})
    plan = only(plans_from(index_state(record)))
    assert plan.problem is not None and "the public index" in plan.problem.message
    assert "spec.publicIndex.name" in plan.problem.message
    assert plan.entry is not None and (plan.entry.name, plan.entry.blocked) == ("mine", True)
    assert only(plans_from(index_state(record), public_name=None)).ready


# -- nothing selected any more


def test_of_a_file_that_lost_its_indexes_tokens_go_and_static_logins_stay() -> None:
    served = {
        **published_by(index("minted", source("codeArtifact"))),
        **published_by(index("static", source("basicAuth"))),
    }
    names = {uid: published.entry.name for uid, published in served.items()}
    staying = {uid: published for uid, published in served.items() if published.token is None}
    plans = plan_vanished(ObjectRef(NAMESPACE, "uv-config"), names, staying, MARGINS, NOW)
    text = text_of(*plans)
    assert "token-1" not in text and CANARY in text
    blocked = blocked_at("uv-config", NAMESPACE, name="acme-111122223333", kind="indexoptions")
    assert blocked in text
    assert {plan.selected.uid for plan in plans} == set(served)
