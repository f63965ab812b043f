"""How long the token manager waits between attempts."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.credentials.backoff import (
    LEAST_DELAY,
    MOST_RETRY_AFTER,
    after_failure,
    after_no_change,
)

pytestmark = pytest.mark.unit


def longest_of_many(failures: int, *, permanent: bool) -> float:
    rng = random.Random(7)
    return max(after_failure(failures=failures, permanent=permanent, rng=rng) for _ in range(2000))


@pytest.mark.parametrize(
    ("permanent", "failures", "ceiling"),
    [
        (False, 1, 1),
        (False, 2, 2),
        (False, 5, 16),
        (False, 7, 60),
        (False, 10_000, 60),
        (True, 1, 30),
        (True, 2, 60),
        (True, 6, 960),
        (True, 8, 3600),
        (True, 10_000, 3600),
    ],
)
def test_delays_double_up_to_the_limit_of_the_kind_of_failure(
    permanent: bool, failures: int, ceiling: float
) -> None:
    longest = longest_of_many(failures, permanent=permanent)
    assert 0.98 * ceiling <= longest <= ceiling


def test_delays_are_spread_over_the_whole_range() -> None:
    rng = random.Random(1)
    delays = [after_failure(failures=9, permanent=False, rng=rng) for _ in range(1000)]
    assert min(delays) < 6
    assert 27 < sum(delays) / len(delays) < 33


def test_a_refusal_that_lasts_costs_a_call_in_half_an_hour_at_most() -> None:
    rng = random.Random(1)
    delays = [after_failure(failures=9, permanent=True, rng=rng) for _ in range(1000)]
    assert min(delays) >= 1800
    assert 2600 < sum(delays) / len(delays) < 2800


@given(
    failures=st.integers(1, 100),
    permanent=st.booleans(),
    remaining=st.none() | st.floats(-1e6, 1e6),
    retry_after=st.none() | st.floats(),
    seed=st.integers(0, 1000),
)
def test_a_delay_is_finite_at_least_a_second_and_at_most_an_hour(
    failures: int,
    permanent: bool,
    remaining: float | None,
    retry_after: float | None,
    seed: int,
) -> None:
    delay = after_failure(
        failures=failures,
        permanent=permanent,
        rng=random.Random(seed),
        remaining=remaining,
        retry_after=retry_after,
    )
    assert math.isfinite(delay)
    assert LEAST_DELAY <= delay <= MOST_RETRY_AFTER
    if remaining is not None and remaining > 0 and retry_after is None:
        assert delay <= max(LEAST_DELAY, remaining / 4)


def test_retry_after_is_the_least_even_when_little_life_is_left() -> None:
    rng = random.Random(1)
    delay = after_failure(failures=1, permanent=False, rng=rng, remaining=20, retry_after=45)
    assert delay == 45


@pytest.mark.parametrize("retry_after", [-5.0, 0.0, math.nan, math.inf])
def test_a_senseless_retry_after_changes_nothing(retry_after: float) -> None:
    with_it = after_failure(
        failures=4, permanent=False, rng=random.Random(3), retry_after=retry_after
    )
    assert with_it == after_failure(failures=4, permanent=False, rng=random.Random(3))


def test_an_unchanged_token_is_asked_for_again_after_about_half_a_minute() -> None:
    rng = random.Random(1)
    first = [after_no_change(repeats=1, rng=rng) for _ in range(100)]
    late = [after_no_change(repeats=50, rng=rng) for _ in range(100)]
    assert all(15 <= delay <= 30 for delay in first)
    assert all(60 <= delay <= 120 for delay in late)
    assert after_no_change(repeats=50, rng=rng, remaining=40) == 10
