"""Failed requests to the API server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artifact_index.kube.permissions import remedy_of
from artifact_index.kube.resources import Resource

MESSAGE_LIMIT: Final = 500
"""Characters to which a message of the server is cut: a condition or a log line may repeat it."""

UNREACHABLE: Final = 0
"""The status of a request without an answer: refused, reset or timed out."""


@dataclass(eq=False, repr=False)
class ApiError(Exception):
    """A request to the API server failed.

    `status` is the HTTP status, or 0 without an answer. `reason` is the server's machine-readable
    word (`NotFound`, `Conflict`, `AlreadyExists`, `Invalid`, …), or `Unreachable` or `Timeout`.
    `message` is the server's own text, shortened; it never holds a request body or the content of a
    Secret. `retry_after` is the server's `Retry-After` in seconds. `sent` is False if the request
    certainly never left, so that repeating a write is safe.
    """

    status: int
    reason: str
    message: str
    retry_after: float | None = None
    sent: bool = field(default=True, kw_only=True)

    def __str__(self) -> str:
        return f"{self.status or 'no answer'} {self.reason}: {self.message}"

    @property
    def not_found(self) -> bool:
        """The object, its namespace or its kind does not exist."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """A resourceVersion is stale, a deletion's UID precondition failed, or a name is taken."""
        return self.status == 409

    @property
    def already_exists(self) -> bool:
        """A creation failed because the name is taken."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def forbidden(self) -> bool:
        """RBAC or an admission plugin refused; retrying does not help."""
        return self.status == 403

    @property
    def invalid(self) -> bool:
        """Validation refused the object; also a merge patch with the UID of another object."""
        return self.status == 422

    @property
    def namespace_ends(self) -> bool:
        """The namespace is being deleted, or is gone: nothing can be created in it."""
        ending = self.forbidden and "because it is being terminated" in self.message
        return ending or (self.not_found and self.message.startswith("namespaces "))

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
        """True if a retry may succeed: no answer, 408, 429 or a server error."""
        return self.status in (UNREACHABLE, 408, 429) or self.status >= 500


class NotLeading(ApiError):  # noqa: N818 - a state, not a fault
    """Nothing was sent: this process does not hold the Lease of the leader."""

    def __init__(self) -> None:
        super().__init__(
            UNREACHABLE, "NotLeading", "this process does not lead, and writes nothing"
        )


def error_from_response(
    status: int, phrase: str, headers: Mapping[str, str], body: bytes, *, sensitive: bool
) -> ApiError:
    """The error for an answer with status 400 or more.

    The body is usually a `Status` object; proxies and unknown paths answer plain text. For a
    `sensitive` kind (Secrets) the names of the fields replace the message of a validation or
    decoding error: the API server quotes the whole patched object in some of them
    (`patch: Invalid value: "{…}"`, `jsonPatcher` of k8s.io/apiserver). The message about a missing
    permission also tells how to grant it.
    """
    answer = _parse_status(body)
    reason = str(answer.get("reason") or phrase.replace(" ", "") or "Unknown")
    message = str(answer.get("message") or "") or f"the server answered {status} {phrase}".strip()
    if sensitive and answer.get("message") and status not in _SAFE_FOR_SECRETS:
        message = _without_values(status, reason, answer)
    return ApiError(status, reason, with_remedy(status, message), _retry_after(headers))


_NEW_LOGIN: Final = (
    "the operator's login has expired, or its ServiceAccount was deleted: renew the login of the "
    "kubeconfig, or restart the pod"
)


def without_definition(resource: Resource) -> ApiError:
    """The error for a custom kind that the API server does not know."""
    return ApiError(
        404,
        "NotFound",
        f"there is no CustomResourceDefinition {resource.plural}.{resource.group}; install them "
        "with `artifact-index crds | kubectl apply -f -`",
    )


def shorten(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """Put a message on one line and cut it to the limit."""
    line = " ".join(message.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def with_remedy(status: int, message: str) -> str:
    """A message of the server, shortened; for a refused login or permission, with the remedy."""
    remedy = _NEW_LOGIN if status == 401 else remedy_of(message) if status == 403 else None
    if remedy is None:
        return shorten(message)
    return f"{shorten(message, MESSAGE_LIMIT - len(remedy) - 2)}; {remedy}"


# The messages of these name objects, users and versions, and never quote content.
_SAFE_FOR_SECRETS: Final = frozenset({401, 403, 404, 409, 410, 429})


def _without_values(status: int, reason: str, answer: Mapping[str, Any]) -> str:
    details = answer.get("details")
    details = details if isinstance(details, dict) else {}
    # A field may be named several times.
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
