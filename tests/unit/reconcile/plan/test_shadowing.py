"""A login whose URL is a prefix of a sibling's is not published."""

from typing import Any

import pytest

from artifact_index.reconcile.plan.entries import IndexPlan
from support.reconcile_builders import (
    index,
    index_state,
    plans_from,
    published_after,
    source,
)

pytestmark = pytest.mark.unit


def basic(url: str, **more: Any) -> dict[str, Any]:
    return {**source("basicAuth", url=url), **more}


def anonymous(url: str, **more: Any) -> dict[str, Any]:
    return {**source("anonymous", url=url), **more}


def plans_of(**specs: dict[str, Any]) -> list[IndexPlan]:
    return plans_from(
        *(index_state(index(name, {"name": name, **spec})) for name, spec in specs.items())
    )


@pytest.mark.parametrize(
    ("root", "sibling", "refused"),
    [
        ("https://h.example/simple/", "https://h.example/b/simple/", True),
        ("https://h.example/", "https://h.example/b/simple/", True),
        ("https://h.example", "https://H.example/b/+simple", True),
        ("https://h.example/team/simple", "https://h.example/team/b/simple/", True),
        ("https://h.example/team/simple/", "https://h.example/teams/simple/", False),
        ("https://h.example/simple/", "https://h.example:8443/b/simple/", False),
        ("https://h.example/simple/", "https://other.example/b/simple/", False),
        ("https://h.example/b/simple/", "https://h.example/b/simple/", False),
    ],
)
def test_a_login_above_a_sibling_is_refused(root: str, sibling: str, refused: bool) -> None:
    specs = {"root": basic(root), "sibling": anonymous(sibling)}

    plans = {plan.selected.ref.name: plan for plan in plans_of(**specs)}

    assert plans["sibling"].ready
    problem = plans["root"].problem
    assert (problem is not None) == refused
    if problem is not None:
        assert problem.reason == "ShadowsSiblings" and "'sibling'" in problem.message
        assert problem.stalled
        assert plans["root"].entry is not None and plans["root"].entry.blocked


def test_each_login_names_all_that_is_below_it_and_nothing_beside_it() -> None:
    paths = {"top": "", "a": "a/", "ab": "ab/", "a-b": "a/b/", "a-b-c": "a/b/c/", "a-bc": "a/bc/"}
    specs = {name: basic(f"https://h.example/{path}simple/") for name, path in paths.items()}
    specs["elsewhere"] = basic("https://other.example/a/simple/")

    problems = {plan.selected.ref.name: plan.problem for plan in plans_of(**specs)}

    refused = {name for name, problem in problems.items() if problem is not None}
    assert refused == {"top", "a", "a-b"}
    for name, below in (
        ("top", "'a', 'a-b', 'a-b-c' and 2 more"),
        ("a", "ArtifactIndex 'a-b', 'a-b-c', 'a-bc' in"),
        ("a-b", "ArtifactIndex 'a-b-c' in"),
    ):
        problem = problems[name]
        assert problem is not None and below in problem.message


def test_an_index_without_a_login_may_stand_above_others() -> None:
    specs = {
        "root": anonymous("https://h.example/simple/"),
        "sibling": basic("https://h.example/b/simple/"),
    }

    assert all(plan.ready for plan in plans_of(**specs))


def test_a_login_that_was_served_leaves_the_file_when_a_sibling_comes() -> None:
    alone = index_state(index("root", basic("https://h.example/simple/")))
    before = plans_from(alone)
    beside = index_state(index("sibling", anonymous("https://h.example/b/simple/")))

    after = plans_from(alone, beside, served=published_after(before))

    (root,) = [plan for plan in after if plan.selected.ref.name == "root"]
    assert root.published is None and root.entry is not None and root.entry.blocked


def test_alone_on_its_host_it_is_served() -> None:
    assert all(plan.ready for plan in plans_of(root=basic("https://h.example/simple/")))
