"""The errors for a token service that cannot issue a token now."""

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.web.http import HttpAnswer


def throttled(who: str, answer: HttpAnswer) -> LoginError:
    """The error for too many requests."""
    return LoginError(
        Reason.CLOUD_THROTTLED,
        f"{who} throttles the operator, which tries again later. If this lasts, let more indexes "
        "share one login",
        retry_after=answer.retry_after,
    )


def out_of_order(who: str, code: str, answer: HttpAnswer) -> LoginError:
    """The error for a failure of the service itself; `code` is what it calls the failure."""
    return LoginError(
        Reason.CLOUD_UNAVAILABLE,
        f"{who} failed to answer ({code}); the operator tries again",
        retry_after=answer.retry_after,
        unanswered=answer.status == 504,
    )


def unreachable(who: str, why: str, *, also: str = "") -> LoginError:
    """The error for no answer, or none in time; `also` is what else to check, before the egress."""
    return LoginError(
        Reason.CLOUD_UNAVAILABLE,
        f"{who} did not answer{why}: check {also}the operator's egress (DNS, proxy, "
        "NetworkPolicy); the operator tries again",
        unanswered=True,
    )
