"""Why a login failed, and who must act."""

import socket
import ssl
from typing import Final

from artifact_index.api.reasons import Reason

_SOCKET_ERRORS: Final = (
    (socket.gaierror, "its host name is not found"),
    (ssl.SSLCertVerificationError, "its TLS certificate is not trusted"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (TimeoutError, "timed out"),
)


class LoginError(Exception):
    """A cloud refused or did not answer.

    `message` names what is wrong and the next step, and never holds a secret value. `retry_after`
    is the least number of seconds that the cloud asked us to wait. `unanswered`: nobody answered
    the last request, unlike a service that answers that it is out of order. `request_id` is the
    cloud's own name of the refused request, for the log alone.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after: float | None = None,
        unanswered: bool = False,
        request_id: str = "",
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.unanswered = unanswered
        self.request_id = request_id

    @property
    def permanent(self) -> bool:
        """Whether the user must act first: the same attempt would fail again."""
        return self.reason.must_act


class UnreachableError(Exception):
    """A service gave no answer, or none in time; the text is `why_unreachable`.

    Not google-auth's TransportError, which it would retry.
    """


def why_unreachable(error: BaseException) -> str:
    """What the socket said, in brackets, or ""; the SDKs and urllib3 wrap it several times."""
    cause: BaseException | None = error
    while cause is not None:
        if text := next((text for kind, text in _SOCKET_ERRORS if isinstance(cause, kind)), None):
            return f" ({text})"
        inner = getattr(cause, "kwargs", {}).get("error")
        cause = inner if isinstance(inner, BaseException) else cause.__cause__ or cause.__context__
    return ""
