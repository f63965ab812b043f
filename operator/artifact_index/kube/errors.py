"""What the API server, or the way to it, answered instead of what was asked for."""

import json
from collections.abc import Mapping
from typing import Any, Final

from artifact_index.kube.permissions import remedy_of

MESSAGE_LIMIT: Final = 500
"""Characters of the server's message that are kept: it may end up in a condition or a log line."""

UNREACHABLE: Final = 0
"""The status of an error without an answer: refused, reset, timed out."""


class ApiError(Exception):
    """A request to the API server failed.

    `status` is the HTTP status, or 0 where no answer came. `reason` is the server's
    machine-readable word (`NotFound`, `Conflict`, `AlreadyExists`, `Invalid`, …), or `Unreachable`
    or `Timeout`. `message` is the server's own text, shortened, and never holds a request body or
    the content of a Secret. `retry_after` is in seconds, where the server named it. `sent` is
    False where the request surely never left, so that repeating a write is safe.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after: float | None = None,
        *,
        sent: bool = True,
    ) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.sent = sent

    def __str__(self) -> str:
        return f"{self.status or 'no answer'} {self.reason}: {self.message}"

    @property
    def not_found(self) -> bool:
        """The object, its namespace or its kind does not exist."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Stale resourceVersion, failed uid precondition of a deletion, or the name is taken."""
        return self.status == 409

    @property
    def already_exists(self) -> bool:
        """A creation found the name taken."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def forbidden(self) -> bool:
        """RBAC or an admission plugin refused; repeating does not help."""
        return self.status == 403

    @property
    def invalid(self) -> bool:
        """Validation refused the object; a merge patch with the uid of another object is here."""
        return self.status == 422

    @property
    def expired(self) -> bool:
        """The resourceVersion or the continue token is too old."""
        return self.status == 410

    @property
    def too_many_requests(self) -> bool:
        """The server sheds load and did nothing."""
        return self.status == 429

    @property
    def transient(self) -> bool:
        """Whether the same request may well succeed later: no answer, 429 or the server's fault."""
        return self.status in (UNREACHABLE, 408, 429) or self.status >= 500


def error_from_response(
    status: int, phrase: str, headers: Mapping[str, str], body: bytes, *, sensitive: bool
) -> ApiError:
    """Turn an answer of 400 or more into an error.

    The body is usually a `Status` object; proxies and unknown paths answer plain text. For a
    `sensitive` kind (Secrets) the message of a validation or decoding error is replaced by the
    names of the fields: the API server quotes the whole patched object in some of them
    (`patch: Invalid value: "{…}"`, `jsonPatcher` of k8s.io/apiserver). A permission that is missing
    is followed by who grants it.
    """
    answer = _parse_status(body)
    reason = str(answer.get("reason") or phrase.replace(" ", "") or "Unknown")
    message = str(answer.get("message") or "") or f"the server answered {status} {phrase}".strip()
    if sensitive and status not in _SAFE_FOR_SECRETS:
        message = _without_values(status, reason, answer)
    return ApiError(status, reason, with_remedy(status, message), _retry_after(headers))


def shorten(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """Put a message on one line and cut it to the limit."""
    line = " ".join(message.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def with_remedy(status: int, message: str) -> str:
    """A message of the server, shortened; of a missing permission with how to grant it."""
    remedy = remedy_of(message) if status == 403 else None
    if remedy is None:
        return shorten(message)
    return f"{shorten(message, MESSAGE_LIMIT - len(remedy) - 2)}; {remedy}"


# Their messages name objects, users and versions, never content.
_SAFE_FOR_SECRETS: Final = frozenset({401, 403, 404, 409, 410, 429})


def _without_values(status: int, reason: str, answer: Mapping[str, Any]) -> str:
    details = answer.get("details")
    details = details if isinstance(details, dict) else {}
    # One field may be named several times.
    fields = dict.fromkeys(
        f"{cause.get('field', '')} ({cause.get('reason', 'unknown')})"
        for cause in details.get("causes") or ()
        if isinstance(cause, dict)
    )
    about = f'{details.get("kind") or "the object"} "{details.get("name") or ""}"'
    why = ", ".join(fields) or f"{status} {reason}"
    return f"{about} was refused: {why}; the server's text is withheld, it may quote values"


def _parse_status(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
