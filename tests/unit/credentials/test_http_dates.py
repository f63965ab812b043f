"""The header that says how long to wait, also from hosts that mean no good."""

import pytest

from artifact_index.credentials.http_dates import parse_retry_after

pytestmark = pytest.mark.unit

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("1.5", 1.5),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        (None, None),
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("9" * 5000, None),
        ("soon", None),
        ("Fri, 15 Jan 2027 07:59:59 GMT", None),
        ("Fri, 15 Jan 99999 08:00:00 GMT", None),
        ("Fri, 15 Jan 2027 08:00:00 +99999999999999", None),
        ("Fri, 15 Jan 2027 99999999999999999999:00:00 GMT", None),
    ],
)
def test_a_pause_is_read_or_left_out(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds
