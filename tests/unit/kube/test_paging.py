"""Pages of listings weigh about the same, whatever the objects weigh."""

import pytest

from artifact_index.kube.paging import PageSizes

pytestmark = pytest.mark.unit

KIB = 1024


@pytest.mark.parametrize(
    ("each", "page"),
    [(KIB, 100), (5 * KIB, 100), (20 * KIB, 51), (100 * KIB, 10), (1000 * KIB, 10)],
    ids=["tiny", "an index", "ten tokens", "a hundred tokens", "the largest"],
)
def test_a_page_holds_a_megabyte_within_bounds(each: int, page: int) -> None:
    sizes = PageSizes()
    sizes.learn("secrets", objects=40, size=40 * each)
    assert sizes.of("secrets") == page


def test_a_kind_that_was_never_seen_begins_with_a_small_page() -> None:
    assert PageSizes().of("secrets") == 10


def test_an_empty_answer_says_nothing() -> None:
    sizes = PageSizes()
    sizes.learn("secrets", objects=0, size=80)
    assert sizes.of("secrets") == PageSizes().of("secrets")


def test_kinds_are_told_apart() -> None:
    sizes = PageSizes()
    sizes.learn("artifactindexes", objects=100, size=500 * KIB)
    sizes.learn("secrets", objects=10, size=400 * KIB)
    assert (sizes.of("artifactindexes"), sizes.of("secrets")) == (100, 25)


def test_after_a_page_that_is_too_large_few_objects_are_asked_for_until_they_are_small() -> None:
    sizes = PageSizes()
    sizes.learn("secrets", objects=100, size=100 * KIB)
    sizes.shrink("secrets")
    assert sizes.of("secrets") == 10
    for _ in range(40):
        sizes.learn("secrets", objects=10, size=10 * KIB)
    assert sizes.of("secrets") > 90


def test_what_objects_have_grown_to_is_learnt_from_single_answers() -> None:
    sizes = PageSizes()
    sizes.learn("secrets", objects=1, size=KIB)
    for _ in range(30):
        sizes.learn("secrets", objects=1, size=100 * KIB)
    assert sizes.of("secrets") == 10
