"""Index names are unique, derived by a rule that can be told, and stay."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.formats.names import (
    NameAssignment,
    NameRequest,
    NameTaken,
    assign_names,
    environment_form,
)

pytestmark = pytest.mark.unit

Answers = dict[str, NameAssignment | NameTaken]


def candidate(
    object_name: str,
    *,
    day: int = 1,
    host: str | None = "x.example",
    explicit: str | None = None,
    assigned: str | None = None,
) -> NameRequest:
    return NameRequest(
        uid=f"uid-{object_name}",
        object_name=object_name,
        created=f"2024-01-{day:02}T00:00:00Z",
        explicit_name=explicit,
        host=host,
        assigned_name=assigned,
    )


def names(*candidates: NameRequest, public: str | None = "pypi") -> dict[str, str]:
    """Object name -> name; what was refused has `!` and the holder."""
    answers = assign_names(candidates, public_name=public)
    return {c.object_name: _shown(answers[c.uid]) for c in candidates}


def _shown(answer: NameAssignment | NameTaken) -> str:
    if isinstance(answer, NameTaken):
        return f"!{answer.holder}"
    return answer.name if answer.assigned else f"({answer.name})"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com", "acme-111122223333"),
        ("europe-west1-python.pkg.dev", "europe-west1-python"),
        ("Nexus.Example", "nexus"),
        ("localhost", "localhost"),
        ("my_repo.example", "myrepo"),
        ("-odd-.example", "odd"),
        ("bücher.example", "bcher"),
        ("xn--bcher-kva.example", "xn--bcher-kva"),
        ("1password.example", "1password"),
        # Nothing to derive from: the object's name.
        ("10.1.2.3", "my-object"),
        ("127.1", "my-object"),
        ("0x7f000001", "my-object"),
        ("[2001:db8::1]", "my-object"),
        ("___.example", "my-object"),
        ("пример.example", "my-object"),
        (".example", "my-object"),
        ("", "my-object"),
    ],
)
def test_a_name_is_derived_from_the_first_label_of_the_host(host: str, name: str) -> None:
    assert names(candidate("my.object", host=host)) == {"my.object": name}


def test_an_explicit_name_wins_as_it_is() -> None:
    assert names(candidate("one", explicit="Acme_1.x")) == {"one": "Acme_1.x"}


def test_an_explicit_name_needs_no_host() -> None:
    assert names(candidate("one", explicit="acme", host=None)) == {"one": "acme"}


def test_derived_names_that_collide_are_numbered_in_creation_order() -> None:
    assert names(
        candidate("young", day=3), candidate("old", day=1), candidate("middle", day=2)
    ) == {"old": "x", "middle": "x-2", "young": "x-3"}


def test_objects_of_one_moment_are_numbered_by_name() -> None:
    assert names(candidate("b"), candidate("c"), candidate("a")) == {
        "a": "x",
        "b": "x-2",
        "c": "x-3",
    }


def test_neither_a_third_index_nor_the_deletion_of_the_first_renames_anybody() -> None:
    first = candidate("first", day=2, assigned="x")
    second = candidate("second", day=3, assigned="x-2")
    older = candidate("relabelled", day=1)

    assert names(first, second, older) == {"first": "x", "second": "x-2", "relabelled": "x-3"}
    assert names(second) == {"second": "x-2"}
    assert names(second, older) == {"second": "x-2", "relabelled": "x"}


def test_an_allotted_name_outlives_a_change_of_the_url() -> None:
    assert names(candidate("one", host="new.example", assigned="old")) == {"one": "old"}
    assert names(candidate("one", host=None, assigned="old")) == {"one": "old"}


def test_an_allotted_name_outlives_the_removal_of_the_explicit_one() -> None:
    assert names(candidate("one", assigned="pinned")) == {"one": "pinned"}


def test_an_edited_explicit_name_replaces_the_allotted_one_and_frees_it() -> None:
    assert names(candidate("one", explicit="new", assigned="x"), candidate("two", day=2)) == {
        "one": "new",
        "two": "x",
    }


def test_two_objects_can_swap_their_explicit_names() -> None:
    assert names(
        candidate("one", explicit="b", assigned="a"), candidate("two", explicit="a", assigned="b")
    ) == {"one": "b", "two": "a"}


def test_of_two_explicit_names_the_younger_object_is_refused() -> None:
    assert names(candidate("young", day=2, explicit="a"), candidate("old", explicit="a")) == {
        "old": "a",
        "young": "!old",
    }


@pytest.mark.parametrize("explicit_of_holder", [None, "a"])
def test_an_explicit_name_that_is_allotted_already_is_refused_even_to_an_older_object(
    explicit_of_holder: str | None,
) -> None:
    holder = candidate("holder", day=9, explicit=explicit_of_holder, assigned="a")

    assert names(candidate("older", explicit="a"), holder) == {"older": "!holder", "holder": "a"}


def test_a_new_derived_name_makes_way_for_an_explicit_one() -> None:
    assert names(candidate("old"), candidate("young", day=2, explicit="x")) == {
        "old": "x-2",
        "young": "x",
    }


@pytest.mark.parametrize("other", ["a.b", "A-B", "a_b"])
def test_names_collide_in_the_form_of_the_environment(other: str) -> None:
    assert names(candidate("one", explicit="a-b"), candidate("two", day=2, explicit=other)) == {
        "one": "a-b",
        "two": "!one",
    }


def test_a_suffix_that_somebody_has_already_is_passed_over() -> None:
    assert names(candidate("one", explicit="x-2"), candidate("two"), candidate("zero")) == {
        "one": "x-2",
        "two": "x",
        "zero": "x-3",
    }


def test_the_public_index_keeps_its_name() -> None:
    assert names(candidate("one", host="pypi.example"), candidate("two", explicit="PyPI")) == {
        "one": "pypi-2",
        "two": "!None",
    }
    assert names(candidate("one", host="pypi.example"), public=None) == {"one": "pypi"}


def test_a_derived_name_that_the_public_index_was_given_later_is_allotted_anew() -> None:
    assert names(candidate("one", assigned="mirror"), public="mirror") == {"one": "x"}
    assert names(candidate("one", explicit="mirror", assigned="mirror"), public="mirror") == {
        "one": "!None"
    }


def test_without_a_host_the_object_s_name_stands_in_and_holds_nobody_up() -> None:
    assert names(
        candidate("x", host=None), candidate("later", day=2), candidate("my.obj", host=None)
    ) == {"x": "(x-2)", "later": "x", "my.obj": "(my-obj)"}


def test_a_status_that_was_tampered_with_is_not_believed() -> None:
    for forged in ("", "Not A Name", 'x"\n[[index]]', "-x", "a" * 64, "é"):
        assert names(candidate("one", assigned=forged)) == {"one": "x"}


def test_of_two_that_claim_one_allotted_name_the_older_has_it() -> None:
    assert names(candidate("young", day=2, assigned="same"), candidate("old", assigned="same")) == {
        "old": "same",
        "young": "x",
    }


def test_long_names_stay_dns_labels_with_their_suffix() -> None:
    host = "a" * 61 + "-b.example"
    given_names = names(*(candidate(f"o{i:02}", host=host) for i in range(12)))

    assert given_names["o00"] == "a" * 61 + "-b"
    assert given_names["o01"] == "a" * 61 + "-2"
    assert given_names["o11"] == "a" * 60 + "-12"
    assert names(candidate("d." * 100, host="")) == {"d." * 100: ("d-" * 32)[:63].strip("-")}


@pytest.mark.parametrize("younger", ["2024-01-01T00:00:01Z", "2024-01-01T00:00:01", "no time", 2e9])
def test_creation_times_are_compared_as_times(younger: str | float) -> None:
    old = replace(candidate("z"), created="2024-01-01T01:00:00+01:00")
    young = replace(candidate("a"), created=younger)

    assert names(young, old) == {"z": "x", "a": "x-2"}


def test_the_environment_form_is_uv_s() -> None:
    assert environment_form("my-a.x_1é") == "MY_A_X_1_"


HOSTS = st.sampled_from(
    [None, "", "x.a", "x.b", "X.c", "x-2.a", "x-3.q", "x_2.b", "10.0.0.1", "pypi.org"]
)
EXPLICIT = st.none() | st.sampled_from(["x", "x-2", "pypi", "own", "o1", "o2"])
POOL = st.lists(st.tuples(st.integers(1, 3), HOSTS, EXPLICIT), min_size=1, max_size=9).map(
    lambda rows: [
        candidate(f"o{i}", day=day, host=host, explicit=explicit)
        for i, (day, host, explicit) in enumerate(rows)
    ]
)
PUBLIC = st.sampled_from([None, "pypi", "x"])


def _remember(candidates: list[NameRequest], answers: Answers) -> list[NameRequest]:
    """What the caller does between two passes."""
    remembered = []
    for each in candidates:
        answer = answers.get(each.uid)
        assigned = answer.name if isinstance(answer, NameAssignment) and answer.assigned else None
        remembered.append(replace(each, assigned_name=assigned))
    return remembered


@given(pool=POOL, public=PUBLIC, data=st.data())
def test_coming_and_going_of_others_never_renames_an_index(
    pool: list[NameRequest], public: str | None, data: st.DataObject
) -> None:
    known: dict[str, str] = {}
    answers: Answers = {}
    for _ in range(4):
        selected = data.draw(st.lists(st.sampled_from(pool), unique=True))
        answers = assign_names(_remember(selected, answers), public_name=public)
        present = {c.uid for c in selected}
        for uid, answer in answers.items():
            if isinstance(answer, NameAssignment) and answer.assigned:
                assert known.get(uid, answer.name) == answer.name
            else:
                assert uid not in known
        known = {
            uid: answer.name
            for uid, answer in answers.items()
            if uid in present and isinstance(answer, NameAssignment) and answer.assigned
        }


@given(
    pool=POOL,
    public=PUBLIC,
    forged=st.lists(st.none() | st.sampled_from(["x", "x-2", "!", "pypi"])),
)
def test_names_are_unique_legal_and_independent_of_the_order_of_the_input(
    pool: list[NameRequest], public: str | None, forged: list[str | None]
) -> None:
    pool = [
        replace(each, assigned_name=forged[i] if i < len(forged) else None)
        for i, each in enumerate(pool)
    ]

    answers = assign_names(pool, public_name=public)

    assert answers.keys() == {each.uid for each in pool}
    given_names = [
        a.name if isinstance(a, NameAssignment) else a.stand_in for a in answers.values()
    ]
    forms = [environment_form(name) for name in given_names]
    forms += [environment_form(public)] if public is not None else []
    assert len(set(forms)) == len(forms)
    for name in given_names:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
    shuffled = random.Random(len(pool)).sample(pool, len(pool))
    assert assign_names(shuffled, public_name=public) == answers
    for each in pool:  # nobody is refused but for an explicit name that somebody else has
        answer = answers[each.uid]
        if isinstance(answer, NameTaken):
            assert each.explicit_name == answer.name
            assert answer.holder != each.object_name


def test_a_stand_in_takes_nobodys_name_and_is_taken_by_nobody_for_good() -> None:
    """It comes last: an index that is named after the refused object keeps, or gets, its name."""
    pool = [
        candidate("holder", explicit="acme"),
        candidate("young", day=2, explicit="acme"),
        candidate("other", day=3, explicit="YOUNG"),
        candidate("derived", day=4, host="young-2.example"),
        candidate("waiting", day=5, host=None),
    ]
    answers = assign_names(pool, public_name="young-3")
    assert answers["uid-young"] == NameTaken("acme", "holder", "young-4")
    assert names(*pool, public="young-3") == {
        "holder": "acme",
        "young": "!holder",
        "other": "YOUNG",
        "derived": "young-2",
        "waiting": "(waiting)",
    }


@given(
    object_name=st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?", fullmatch=True),
    host=st.none() | st.text(max_size=80),
)
def test_any_host_and_object_name_give_a_legal_name(object_name: str, host: str | None) -> None:
    (answer,) = assign_names([candidate(object_name, host=host)], public_name=None).values()

    assert isinstance(answer, NameAssignment)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", answer.name)
    assert answer.assigned is (host is not None)
