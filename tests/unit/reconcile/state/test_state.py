"""Names, published entries and plans from one reconcile to the next."""

from dataclasses import replace

import pytest

from artifact_index.api.reasons import Reason
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.objects import ObjectRef, OutputRef
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.state.state import State
from artifact_index.sources.policy import Problem
from support.reconcile_builders import (
    NAMESPACE,
    NOW,
    index,
    index_state,
    options,
    plans_from,
    source,
)
from support.restarts import OWNER

pytestmark = pytest.mark.unit

OUTPUT = OutputRef("Secret", NAMESPACE, "s")


# -- names


def test_names_are_read_from_the_status_only_once() -> None:
    state = State()
    plans = plans_from(index_state(index("a")))
    state.set_names(OWNER, plans)
    edited = options(status={"indexes": [{"uid": "uid-of-a", "name": "edited"}]})
    Cache().put_options(edited)
    assert state.before(edited.ref)[1] == {"uid-of-a": "open"}


def test_a_name_that_is_only_a_stand_in_is_not_kept() -> None:
    state = State()
    state.set_names(
        OWNER, plans_from(index_state(index(spec=source("preauthenticated")), missing=True))
    )
    assert state.before(OWNER)[1] == {}


def test_names_outlive_a_selection_that_is_empty_for_a_while() -> None:
    # The outputs stay, so the pods go on under these names; a restart would read them there.
    state = State()
    plans = plans_from(index_state(index("a")))
    state.set_names(OWNER, plans)
    state.set_published(OWNER, plans)
    state.set_names(OWNER, ())
    assert state.before(OWNER)[1] == {"uid-of-a": "open"}


# -- plans


def test_every_index_that_came_or_went_is_concerned() -> None:
    state = State()
    a, b = plans_from(index_state(index("a")), index_state(index("b")))
    assert state.set_plans(OWNER, [a]) == {a.selected.ref}
    assert state.set_plans(OWNER, [b]) == {a.selected.ref, b.selected.ref}
    assert set(state.plans[OWNER]) == {b.selected.ref}


def test_an_index_whose_place_has_not_changed_is_not_concerned() -> None:
    state = State()
    before = plans_from(index_state(index("a")), index_state(index("b")))
    state.set_plans(OWNER, before)
    a, b = replace(before[0]), replace(before[1], fresh_as_of=NOW)
    assert state.set_plans(OWNER, [a, b]) == {b.selected.ref}


def test_an_index_has_a_place_in_each_of_its_options() -> None:
    state, other = State(), ObjectRef(NAMESPACE, "other")
    (one,) = plans_from(index_state(index("a")))
    state.set_plans(OWNER, [one])
    state.set_plans(other, [one])
    state.forget_options(OWNER)
    assert set(state.plans) == {other}
    state.forget_options(other)
    assert state.plans == {}


def test_an_options_that_cannot_be_written_counts_only_if_no_other_holds_the_index() -> None:
    state, other, record = State(), ObjectRef(NAMESPACE, "a-newer-one"), index("a")
    (written,) = plans_from(index_state(record))
    problem = Problem(Reason.NOT_WRITTEN, "no output holds it")
    unwritten = replace(written, published=None, problem=problem)
    state.set_plans(OWNER, [written])
    state.set_plans(other, [unwritten])
    assert state.plan_of(record, [OWNER, other]) == written
    state.set_plans(OWNER, [unwritten])
    assert state.plan_of(record, [OWNER, other]) == unwritten


def test_the_platform_decides_of_its_index_while_some_output_of_it_holds_the_index() -> None:
    state, tenant, platform = State(), OWNER, ObjectRef("", "base")
    record = replace(index("a"), ref=ObjectRef("", "a"), cluster=True)
    (held,) = plans_from(index_state(record))
    expired = replace(held, problem=Problem(Reason.CREDENTIAL_EXPIRED, "expired"))
    unwritten = replace(held, problem=Problem(Reason.NOT_WRITTEN, "no output holds it"))

    def told(of_platform: IndexPlan, of_tenant: IndexPlan) -> IndexPlan | None:
        state.set_plans(platform, [of_platform])
        state.set_plans(tenant, [of_tenant])
        return state.plan_of(record, [tenant, platform])

    assert told(held, expired) == held and told(expired, held) == expired
    assert told(unwritten, held) == held
    assert told(unwritten, expired) == told(unwritten, unwritten) == unwritten


def test_a_deleted_index_options_leaves_nothing_behind() -> None:
    state = State()
    plans = plans_from(
        index_state(index("a", source("basicAuth")), missing=True), index_state(index("b"))
    )
    state.set_names(OWNER, plans)
    state.set_plans(OWNER, plans)
    state.set_published(OWNER, plans)
    state.set_blocked(OWNER, [OUTPUT], plans, all_written=True)
    state.forget_options(OWNER)
    assert state == State()


# -- blocked entries


def test_what_an_output_blocks_stands_until_all_are_written() -> None:
    state, other = State(), OutputRef("Secret", NAMESPACE, "other")
    blocked = plans_from(index_state(index("a", source("basicAuth")), missing=True))
    entries = {"basic": f"kubectl+describe+artifactindex+a+-n+{NAMESPACE}"}
    state.set_blocked(OWNER, [OUTPUT, other], blocked, all_written=True)
    assert state.blocked[OWNER] == {OUTPUT: entries, other: entries}

    served = plans_from(index_state(index("b")))
    state.set_blocked(OWNER, [other], served, all_written=False)
    state.stand_by()
    assert state.blocked[OWNER] == {OUTPUT: entries, other: {}}
    state.set_blocked(OWNER, [OUTPUT, other], served, all_written=True)
    assert OWNER not in state.blocked


def test_a_plan_holds_no_status_of_its_index() -> None:
    (plan,) = plans_from(index_state(index("a", status={"url": "https://old.example"})))
    assert not hasattr(plan.selected, "status")


def test_what_is_not_served_is_not_kept() -> None:
    state = State()
    plans = plans_from(
        index_state(index("a", source("basicAuth")), missing=True), index_state(index("b"))
    )
    state.set_published(OWNER, plans)
    assert set(state.published[OWNER]) == {"uid-of-b"}
