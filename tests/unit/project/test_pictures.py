"""The picture of a token's life shows the times of the default margins."""

import pytest

from artifact_index.credentials.tokens.freshness import MOST_JITTER, Margins, go_duration, schedule
from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit

LIFE, BUILD = 12 * 3600, 30 * 60
MINUTE, HOUR = 60, 3600


def minutes(seconds: float) -> str:
    """A time to the minute, as the picture writes it."""
    return f"{seconds // HOUR:.0f}h{seconds % HOUR // MINUTE:02.0f}m"


def test_the_times_in_the_picture_follow_from_the_default_margins() -> None:
    picture = (REPOSITORY / "docs" / "pictures" / "token-timeline.svg").read_text()
    margins = Margins()
    times = schedule(
        login_digest="login", issued_at=0, expires_at=LIFE, max_build=BUILD, margins=margins
    )
    before = margins.before_expiry(BUILD)
    latest = LIFE - before
    seen = latest + margins.outage + margins.write + margins.propagation
    end = seen + margins.pod_start + BUILD
    assert times.withdraw_at
    for shown in (
        f"{minutes(latest - MOST_JITTER)}-{minutes(latest)}",
        f"= {go_duration(before)}<",
        f"reads the file at {minutes(seen)}",
        f"ends at {minutes(end)}; e {go_duration(margins.clock_skew)}",
        f"withdrawn at {go_duration(times.withdraw_at)}",
        f"({LIFE - times.withdraw_at} s = P + e",
        f"W {margins.write:.0f}s, in the pod's directory within P {margins.propagation:.0f}s",
    ):
        assert shown in picture
    assert end + margins.clock_skew == LIFE
