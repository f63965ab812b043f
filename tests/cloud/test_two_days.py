"""The promise, lived through with everything real but the time."""

import logging

import pytest

from support.days import Days
from support.misfortunes import DAY, HOUR, Kind, logins
from support.simulation import assert_kept

pytestmark = pytest.mark.cloud

TWO_DAYS = {
    Kind(12 * HOUR, HOUR, promised=True): 7,
    Kind(8 * HOUR, 2 * HOUR, promised=True): 4,
    Kind(4 * HOUR, HOUR, promised=True): 3,
    Kind(4 * HOUR, 3 * HOUR, promised=True): 1,
    Kind(HOUR, 1800, promised=True, source="azureArtifacts"): 1,
    Kind(HOUR, 1800, promised=True, source="tokenExchange"): 1,
    Kind(HOUR, 3000, promised=False): 1,
    Kind(900, 1800, promised=False): 1,
    Kind(HOUR, 600, promised=None, repeats=True): 1,
}


def test_two_days_of_twenty_logins_with_everything_real(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All but the time, kopf's watches and the API server: `support.days` says it in full."""
    kinds = logins(TWO_DAYS)
    assert len(kinds) == 20
    caplog.set_level(logging.ERROR)
    with Days(kinds, 2 * DAY, seed=1, patch=monkeypatch) as days:
        days.live()
    with capsys.disabled():
        print(f"\n2 days, {len(kinds)} logins: {days.summary()}")
    assert_kept(days, 2 * DAY)
