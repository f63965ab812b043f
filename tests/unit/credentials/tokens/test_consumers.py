"""Who requires a token, for builds of what length."""

import random

import pytest

from artifact_index.credentials.tokens.consumers import Consumers

pytestmark = pytest.mark.unit

HOUR = 3600


def test_the_longest_build_is_found_anew_when_it_may_be_another() -> None:
    rng = random.Random(7)
    consumers = Consumers()
    for _ in range(2000):
        consumer, before = rng.randrange(6), consumers.longest_build
        if rng.random() < 0.5:
            build = rng.choice((600, 600, 1800, HOUR))
            changed = consumers.add(consumer, build)
        else:
            changed = consumers.remove(consumer)
            assert changed or consumers.builds
        builds = consumers.builds.values()
        assert not builds or consumers.longest_build == max(builds)
        assert changed or consumers.longest_build == before


def test_a_consumer_like_the_others_changes_nothing() -> None:
    consumers = Consumers()
    assert consumers.add("a", 1800)
    assert not consumers.add("b", 600)
    assert not consumers.add("c", 1800)
    assert not consumers.remove("a")
    assert not consumers.remove("b")
    assert consumers.remove("c")


def test_a_former_consumer_learns_of_changes_until_it_is_one_again() -> None:
    consumers = Consumers()
    consumers.add("a", 600)
    consumers.remove("a")
    consumers.add_former("a")
    consumers.add("b", 600)
    assert consumers.all() == {"a", "b"}
    consumers.add("a", 600)
    assert consumers.former is None
    assert consumers.all() == {"a", "b"}
