"""The formula: when a token is refreshed, withdrawn, and how long a build may last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_index.credentials.tokens.freshness import (
    LEAST_REFRESH_PERIOD,
    MOST_JITTER,
    Margins,
    Schedule,
    go_duration,
    guaranteed_until,
    schedule,
    shortfall_note,
)

pytestmark = pytest.mark.unit

MINTED = 1_700_000_000
MINUTE = 60
HOUR = 3600
DEFAULT = Margins()


def times_of(life: int, build: float, margins: Margins = DEFAULT, login: str = "login") -> Schedule:
    return schedule(
        login_digest=login,
        issued_at=MINTED,
        expires_at=MINTED + life,
        max_build=build,
        margins=margins,
    )


@pytest.mark.parametrize(
    ("margins", "life", "build", "margin", "guaranteed"),
    [
        (Margins(outage=900), 12 * HOUR, HOUR, 4780, True),
        (DEFAULT, HOUR, 30 * MINUTE, 2680, True),
        (DEFAULT, HOUR, 50 * MINUTE, 3880, False),
        (Margins(outage=120, pod_start=60, clock_skew=30), 15 * MINUTE, 5 * MINUTE, 610, True),
        (DEFAULT, 15 * MINUTE, 0, 880, False),
        (DEFAULT, 225, 0, 880, False),
    ],
    ids=[
        "CodeArtifact 12 h",
        "GAR 1 h, 30 min builds",
        "GAR 1 h, 50 min builds",
        "federation 15 min",
        "15 min leave no useful period",
        "metadata server",
    ],
)
def test_the_promise_is_made_exactly_where_the_token_lives_long_enough(
    margins: Margins, life: int, build: int, margin: int, guaranteed: bool
) -> None:
    times = times_of(life, build, margins)
    assert (margins.before_expiry(build), times.guaranteed) == (margin, guaranteed)
    if guaranteed:
        latest = MINTED + life - margin
        jitter = min(MOST_JITTER, (life - margin) / 10)
        assert times.refresh_at is not None
        assert latest - jitter - 1 <= times.refresh_at <= latest


@pytest.mark.parametrize(
    ("life", "withdrawn_before_expiry"),
    [(12 * HOUR, 155), (HOUR, 155), (620, 155), (600, 150), (40, 10), (3, 1), (2, 1)],
)
def test_a_token_is_withdrawn_a_propagation_ahead_but_at_most_a_quarter_of_its_life(
    life: int, withdrawn_before_expiry: int
) -> None:
    assert times_of(life, 0).withdraw_at == MINTED + life - withdrawn_before_expiry


@pytest.mark.parametrize(
    ("life", "interval", "refreshed_after"),
    [
        (15 * MINUTE, 300, 300),
        (HOUR, 300, 1200),
        (400, 300, 200),
        (40, 300, 20),
        (40, 5, 13),
        (2, 300, 1),
    ],
)
def test_without_a_promise_the_refresh_comes_as_early_as_useful(
    life: int, interval: float, refreshed_after: int
) -> None:
    times = times_of(life, 10 * HOUR, Margins(min_refresh_interval=interval))
    assert not times.guaranteed
    assert times.refresh_at == MINTED + refreshed_after


def test_the_longest_build_is_the_longest_that_is_promised() -> None:
    longest = times_of(HOUR, 0).longest_build
    assert longest == HOUR - 880 - LEAST_REFRESH_PERIOD
    assert times_of(HOUR, longest).guaranteed
    assert not times_of(HOUR, longest + 1).guaranteed
    assert times_of(300, 0).longest_build == 0


def test_a_grant_that_never_expires_is_neither_refreshed_nor_withdrawn() -> None:
    times = schedule(
        login_digest="url", issued_at=MINTED, expires_at=None, max_build=HOUR, margins=DEFAULT
    )
    assert (times.refresh_at, times.withdraw_at, times.deadline) == (None, None, None)
    assert times.guaranteed
    assert times.longest_build is None


def test_jitter_is_the_same_after_a_restart_and_differs_between_logins() -> None:
    assert times_of(12 * HOUR, 0) == times_of(12 * HOUR, 0)
    refreshes = {times_of(12 * HOUR, 0, login=f"login-{n}").refresh_at for n in range(50)}
    assert len(refreshes) > 30


def test_builds_that_start_from_a_token_are_safe_until_a_start_and_a_skew_before_its_expiry() -> (
    None
):
    assert guaranteed_until(MINTED + HOUR, DEFAULT) == MINTED + HOUR - 180


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_margins_that_are_no_durations_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="outage"):
        Margins(outage=value)


seconds = st.integers(0, 3 * HOUR)
margins_of_any_size = st.builds(
    Margins,
    outage=seconds,
    write=seconds,
    propagation=seconds,
    pod_start=seconds,
    clock_skew=seconds,
    min_refresh_interval=seconds,
)


@given(
    life=st.integers(2, 48 * HOUR),
    build=st.floats(0, 24 * HOUR),
    margins=margins_of_any_size,
    login=st.text(max_size=4),
)
def test_the_times_of_any_token_are_in_order(
    life: int, build: float, margins: Margins, login: str
) -> None:
    times = times_of(life, build, margins, login)
    assert times.refresh_at is not None
    assert times.withdraw_at is not None
    assert MINTED < times.refresh_at <= times.withdraw_at < MINTED + life
    assert (MINTED + life) - times.withdraw_at <= max(
        1, min(margins.propagation + margins.clock_skew, life / 4) + 1
    )


@given(life=st.integers(2, 48 * HOUR), build=st.floats(0, 24 * HOUR), margins=margins_of_any_size)
def test_a_promise_survives_the_longest_outage_and_a_lost_one_leaves_room_for_retries(
    life: int, build: float, margins: Margins
) -> None:
    times = times_of(life, build, margins)
    assert times.refresh_at is not None
    assert times.withdraw_at is not None
    if times.guaranteed:
        visible_at = times.refresh_at + margins.outage + margins.write + margins.propagation
        left = MINTED + life - visible_at
        assert left >= margins.pod_start + build + margins.clock_skew - 1e-6
        assert times.refresh_at - MINTED >= LEAST_REFRESH_PERIOD * 0.9 - 1
        assert times.deadline is not None
        assert times.refresh_at <= times.deadline
        assert times.longest_build is not None
        assert times.longest_build >= int(build)
    else:
        assert times.withdraw_at - times.refresh_at >= life / 4 - 2


@given(life=st.integers(-HOUR, 1), build=seconds)
def test_a_token_that_came_dead_is_due_and_withdrawn_before_its_expiry(
    life: int, build: int
) -> None:
    times = times_of(life, build)
    assert times.withdraw_at == MINTED + life - 1
    assert times.refresh_at == times.withdraw_at
    assert not times.guaranteed


def test_the_note_names_the_life_the_need_and_the_longest_build() -> None:
    _, note = shortfall_note(life=HOUR, max_build=50 * MINUTE, longest_build=2690, margins=DEFAULT)
    for part in (
        "valid for 1h,",
        "build of 50m",
        "needs at least 1h5m10s",
        "at most 44m50s",
        "outage 10m",
    ):
        assert part in note


def test_the_note_of_a_token_too_short_for_any_build_points_to_the_margins() -> None:
    note = shortfall_note(life=600, max_build=60, longest_build=0, margins=DEFAULT).note
    assert note.startswith("No build length can be guaranteed")
    assert "--outage-budget" in note


def test_the_note_of_a_source_that_repeats_its_token_does_not_blame_the_life() -> None:
    note = shortfall_note(life=HOUR, max_build=60, longest_build=0, margins=DEFAULT).note
    assert "same token again" in note
    assert "needs" not in note


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0s"), (59.2, "1m"), (3900, "1h5m"), (3601, "1h1s"), (43200, "12h")]
)
def test_durations_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert go_duration(value) == text
