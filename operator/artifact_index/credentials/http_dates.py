"""Times in HTTP headers."""

from email.utils import parsedate_to_datetime


def parse_retry_after(value: object, *, now: float) -> float | None:
    """Seconds of a `Retry-After` value, a number or an HTTP date (RFC 9110 10.2.3), else None."""
    if value is None:
        return None
    try:
        seconds = float(str(value))
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(value)).timestamp() - now
        except (ValueError, OverflowError):  # the latter for an hour or zone of many digits
            return None
    return seconds if 0 < seconds < float("inf") else None
