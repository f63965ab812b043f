"""The promise, lived through: nobody who starts a declared build sees its credential die."""

import dataclasses
import logging

import pytest

from support.misfortunes import DAY, HOUR, Kind, logins
from support.month import Month, live
from support.simulation import SETTINGS, assert_kept

pytestmark = pytest.mark.unit

# Most tokens live for hours: what refreshes every few minutes is much the same each time.
MONTH = {
    Kind(12 * HOUR, HOUR, promised=True): 172,
    Kind(12 * HOUR, 6 * HOUR, promised=True): 10,
    Kind(8 * HOUR, 2 * HOUR, promised=True): 9,
    Kind(8 * HOUR, 2 * HOUR, promised=True, source="tokenExchange"): 1,
    Kind(4 * HOUR, HOUR, promised=True): 5,
    Kind(HOUR, 600, promised=True, source="azureArtifacts"): 1,
    Kind(HOUR, 3000, promised=False): 1,
    Kind(HOUR, 600, promised=None, repeats=True): 1,
}


def test_a_month_of_two_hundred_logins(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    kinds = logins(MONTH)
    caplog.set_level(logging.ERROR)
    month = Month(kinds, 30 * DAY, seed=2)
    live(month)
    with capsys.disabled():
        print(f"\n30 days, {len(kinds)} logins: {month.summary()}")
    assert_kept(month, 30 * DAY)


def test_an_operator_that_reckons_with_no_outage_breaks_its_promise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    kinds = logins({Kind(HOUR, 1800, promised=True): 10})
    careless = dataclasses.replace(SETTINGS, outage_budget=0)
    month = Month(kinds, 2 * DAY, seed=1, settings=careless)
    live(month)
    assert month.readers.broken, "the simulation would notice nothing"
