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
        ("https://h.example/simple/", "https://h.example:443/b/simple/", True),
        ("https://H.example:443/simple/", "https://h.example/b/simple/", True),
        ("https://h.example/a/../simple/", "https://h.example/b/simple/", True),
        ("https://h.example/b/%2E%2e/c/simple/", "https://h.example/c/d/./simple/", True),
        ("https://h.example/c/../b/simple/", "https://h.example/c/d/simple/", False),
        ("https://h.example/b/Simple/", "https://h.example/b/c/simple/", True),
        ("https://h.example//b/simple/", "https://h.example/b/c/simple/", True),
        ("https://h.example/a/b/simple/", "https://h.example/a//b//c/simple/", True),
        ("https://h.example/a//simple/", "https://h.example/a/b/simple/", True),
        ("https://h.example/a//b/simple/", "https://h.example/a/bc/simple/", False),
        ("https://h.example/b/simple/simple/", "https://h.example/b/simple/", True),
        ("https://h.example/b/+simple/simple", "https://h.example/b//+simple", True),
        ("https://h.example/b/simple/simple/", "https://h.example/c/simple/", False),
        ("https://h.example/%7Eb/simple/", "https://h.example/~b/c/simple/", False),
        ("https://h.example/B/simple/", "https://h.example/b/c/simple/", False),
        ("https://h.example/b/simple/x/", "https://h.example/b/simple/y/", False),
        ("https://h.example/b%2Fc/simple/", "https://h.example/b/c/d/simple/", False),
        ("https://[::1]/simple/", "https://[0:0::1]:443/b/simple/", True),
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
        assert problem.stalled and "URL in spec.basicAuth.url is a prefix" in problem.message
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


ROOT = basic("https://h.example/simple/")
BELOW = anonymous("https://h.example/b/simple/")


def refused_of(plans: list[IndexPlan]) -> set[str]:
    """The names of the refused indexes; each is blocked."""
    refused = [plan for plan in plans if plan.problem is not None]
    assert all(plan.problem and plan.problem.reason == "ShadowsSiblings" for plan in refused)
    assert all(plan.published is None and plan.entry and plan.entry.blocked for plan in refused)
    return {plan.selected.ref.name for plan in refused}


@pytest.mark.parametrize("served", ["root", "below"])
def test_a_newcomer_is_refused_beside_an_index_that_is_served(served: str) -> None:
    """Whichever of the two has the login, and however old the newcomer is."""
    states = {
        "root": index_state(index("root", ROOT, created=AGES[served != "root"])),
        "below": index_state(index("below", BELOW, created=AGES[served != "below"])),
    }
    before = published_after(plans_from(states[served]))

    after = plans_from(*states.values(), served=before)

    assert refused_of(after) == states.keys() - {served}
    # The served one stays: the outputs hold it and not the other.
    again = plans_from(*reversed(states.values()), served=published_after(after))
    assert refused_of(again) == states.keys() - {served}


AGES = {True: "2026-01-01T00:00:00Z", False: "2026-02-01T00:00:00Z"}
"""When an index was created: True for the older one."""


@pytest.mark.parametrize("root_is_older", [True, False])
def test_of_two_that_are_not_served_the_younger_is_refused(root_is_older: bool) -> None:
    root = index_state(index("root", ROOT, created=AGES[root_is_older]))
    below = index_state(index("below", BELOW, created=AGES[not root_is_older]))

    assert refused_of(plans_from(root, below)) == {"below" if root_is_older else "root"}


def test_a_newcomer_below_names_the_login_above_it() -> None:
    root, below = index_state(index("root", ROOT)), index_state(index("below", BELOW))

    plans = plans_from(root, below, served=published_after(plans_from(root)))

    (refused,) = [plan.problem for plan in plans if plan.problem is not None]
    assert "ArtifactIndex 'root' in the same file" in refused.message
    assert "the URL in spec.anonymous.url begins with" in refused.message
    assert "give spec.anonymous.url a URL with a path of its own" in refused.message


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (source("preauthenticated"), "spec.preauthenticated"),
        (source("googleArtifactRegistry", host="whole.example"), "spec.googleArtifactRegistry"),
        (source("codeArtifact", endpoint="https://whole.example/x/"), "spec.codeArtifact.endpoint"),
    ],
)
def test_the_message_names_the_field_from_which_the_url_follows(
    spec: dict[str, Any], field: str
) -> None:
    """Even if the URL itself is not in the spec."""
    root = index("root", source("basicAuth", url="https://whole.example/"), created=AGES[True])
    below = index("below", {**spec, "name": "below"}, created=AGES[False])

    plans = plans_from(index_state(root), index_state(below))

    (refused,) = [plan.problem for plan in plans if plan.problem is not None]
    assert f"the URL in {field} begins with the URL of ArtifactIndex 'root'" in refused.message
    assert f"give {field} a URL" in refused.message


@pytest.mark.parametrize(
    "before", [basic("https://h.example/a/simple/"), anonymous("https://h.example/simple/")]
)
def test_an_index_that_moves_above_a_served_one_or_gains_a_login_there_gives_way(
    before: dict[str, Any],
) -> None:
    """It is served too, but not as it is now."""
    below = index_state(index("below", BELOW, created=AGES[False]))
    served = plans_from(index_state(index("root", before, created=AGES[True])), below)
    root = index_state(index("root", ROOT, created=AGES[True], generation=2))

    assert refused_of(plans_from(root, below, served=published_after(served))) == {"root"}


def test_a_refused_newcomer_does_not_block_what_is_below_itself() -> None:
    """Of three in a line the served outer ones stay."""
    top = index_state(index("top", anonymous("https://h.example/simple/")))
    leaf = index_state(index("leaf", anonymous("https://h.example/a/b/simple/")))
    served = published_after(plans_from(top, leaf))
    middle = index_state(index("middle", basic("https://h.example/a/simple/")))

    assert refused_of(plans_from(top, middle, leaf, served=served)) == {"middle"}


def test_alone_on_its_host_it_is_served() -> None:
    assert all(plan.ready for plan in plans_of(root=basic("https://h.example/simple/")))
