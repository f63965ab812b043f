"""The promise, lived through: nobody who starts a declared build sees its credential die."""

import dataclasses
import logging

import pytest

from support.month import SETTINGS, Kind, Month, live, summary

pytestmark = pytest.mark.unit

HOUR = 3600
DAY = 86_400


def logins(counts: dict[Kind, int]) -> dict[str, Kind]:
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    return {f"login-{number:03}": kind for number, kind in enumerate(kinds)}


TWO_DAYS = {
    Kind(12 * HOUR, HOUR, promised=True): 6,
    Kind(4 * HOUR, 3 * HOUR, promised=True): 4,
    Kind(HOUR, 1800, promised=True): 4,
    Kind(HOUR, 3000, promised=False): 2,
    Kind(900, 1800, promised=False): 2,
    Kind(HOUR, 600, promised=None, repeats=True): 2,
}


# Most tokens live for hours: what refreshes every few minutes is much the same each time.
MONTH = {
    Kind(12 * HOUR, HOUR, promised=True): 172,
    Kind(12 * HOUR, 6 * HOUR, promised=True): 10,
    Kind(8 * HOUR, 2 * HOUR, promised=True): 10,
    Kind(4 * HOUR, HOUR, promised=True): 5,
    Kind(HOUR, 600, promised=True): 1,
    Kind(HOUR, 3000, promised=False): 1,
    Kind(HOUR, 600, promised=None, repeats=True): 1,
}


def test_a_month_of_two_hundred_logins(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    kinds = logins(MONTH)
    caplog.set_level(logging.ERROR)
    month = Month(kinds, 30 * DAY, seed=2, patch=monkeypatch)
    live(month)
    with capsys.disabled():
        print(f"\n30 days, {len(kinds)} logins: {summary(month)}")
    assert_kept(month, kinds, 30 * DAY)


def test_two_days_of_twenty_logins_with_everything_real(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    kinds = logins(TWO_DAYS)
    caplog.set_level(logging.ERROR)
    month = Month(kinds, 2 * DAY, seed=1, patch=monkeypatch)
    live(month)
    with capsys.disabled():
        print(f"\n2 days, {len(kinds)} logins: {summary(month)}")
    assert_kept(month, kinds, 2 * DAY)


def test_an_operator_that_reckons_with_no_outage_breaks_its_promise(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    kinds = logins({Kind(HOUR, 1800, promised=True): 10})
    careless = dataclasses.replace(SETTINGS, outage_budget=0)
    month = Month(kinds, 2 * DAY, seed=1, patch=monkeypatch, settings=careless)
    live(month)
    assert month.readers.broken, "the simulation would notice nothing"


def assert_kept(month: Month, kinds: dict[str, Kind], end: float) -> None:
    assert month.readers.broken == []
    assert month.readers.least_slack >= 0
    for name, kind in kinds.items():
        assert month.readers.promised(name, end) is bool(kind.promised), (name, kind)
