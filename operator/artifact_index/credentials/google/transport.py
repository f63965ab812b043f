"""All requests to Google: with timeouts and a deadline, and a record of the last answer."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from artifact_index.api.constants import FIELD_MANAGER
from artifact_index.credentials.errors import UnreachableError, why_unreachable
from artifact_index.credentials.http_dates import parse_retry_after


@dataclass(frozen=True, slots=True)
class Answer:
    """The last HTTP answer of a login. `body` is its JSON object, `{}` if it is not one."""

    url: str
    status: int
    retry_after: float | None
    """Seconds that the header asks to wait."""
    body: Mapping[str, Any]
    text: str
    asked_at: float

    @property
    def code(self) -> str:
        """The error code in the body: OAuth's `error` or, of a Google API, `error.status`."""
        error = self.body.get("error")
        if isinstance(error, dict):
            error = error.get("status")
        return error if isinstance(error, str) and error.isascii() and len(error) <= 64 else ""


class ThrottledError(Exception):
    """HTTP 429. google-auth would retry at once; the caller honours `Retry-After`."""


class Transport:
    """A callable like `google.auth.transport.Request`, for one login in one thread.

    Each request has the `reason` in the header that Google keeps in its audit logs
    (`requestMetadata.requestAttributes.reason`). Times are in seconds. google-auth retries up to
    twice (the metadata server four times) after a 5xx; no new request starts after `deadline`.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        deadline: float,
        now: Callable[[], float],
        reason: str = FIELD_MANAGER,
    ) -> None:
        import requests  # noqa: PLC0415 - imported when first needed
        from google.auth.transport.requests import Request  # noqa: PLC0415

        self._session = requests.Session()
        self._request = Request(self._session)
        self._timeouts = (connect_timeout, read_timeout)
        self._deadline = time.monotonic() + deadline
        self._now = now
        self._reason = {"X-Goog-Request-Reason": reason}
        self.last: Answer | None = None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: object = None,
        **kwargs: object,
    ) -> Any:
        """Send a request. Raises UnreachableError and ThrottledError; returns any other status.

        `last` becomes None if there is no answer, and stays as it is if the deadline has passed.
        """
        from google.auth.exceptions import TransportError  # noqa: PLC0415

        left = self._deadline - time.monotonic()
        if left <= 0:
            raise UnreachableError(" (timed out)")
        asked_at = self._now()
        bounds = (min(self._timeouts[0], left), min(self._timeouts[1], left))
        self.last = None
        sent = {**(headers or {}), **self._reason}
        try:
            response = self._request(
                url=url, method=method, body=body, headers=sent, timeout=bounds, **kwargs
            )
        except (TransportError, OSError, ValueError) as error:
            # google-auth's text quotes the request; ValueErrors are faults of requests itself.
            raise UnreachableError(why_unreachable(error)) from None
        self.last = _remember(url, response, asked_at, self._now())
        if response.status == 429:
            raise ThrottledError
        return response


def _remember(url: str, response: Any, asked_at: float, now: float) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    text = response.data.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    return Answer(
        url=url,
        status=response.status,
        retry_after=parse_retry_after(headers.get("retry-after"), now=now),
        body=parsed if isinstance(parsed, dict) else {},
        text=text,
        asked_at=asked_at,
    )


def expires_at(answer: Answer | None, expiry: int | None) -> int | None:
    """When the token expires, in whole POSIX seconds; None if nothing says so.

    `expiry` is google-auth's, counted from the arrival of the answer. The answer's own `expires_in`
    is counted from the start of the request, so that it is never too late. The earlier one counts.
    """
    if expiry is None or answer is None:
        return expiry
    try:
        return min(expiry, math.floor(answer.asked_at + float(answer.body["expires_in"])))
    except (KeyError, TypeError, ValueError, OverflowError):
        return expiry
