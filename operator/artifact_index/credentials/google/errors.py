"""Turns a failed Google login into a `LoginError`, by the code in the answer's body.

google-auth's own flags do not serve: its STS client calls a 503 final. Its exception texts quote
whole answers and are never passed on.
"""

import logging
import re
from collections.abc import Mapping
from typing import Final

from artifact_index.credentials.aws.errors import parse_retry_after
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.google.identities import NO_IDENTITY_REMEDY, GoogleCredentials
from artifact_index.credentials.google.transport import Answer, UnreachableError

logger = logging.getLogger(__name__)

# RFC 6749 5.2 and 4.1.2.1, RFC 8693 2.2.2, and `google.rpc.Code` names of Google APIs.
REASON_BY_CODE: Final[Mapping[str, str]] = {
    "access_denied": "AccessDenied",
    "unauthorized_client": "InvalidCredential",
    "deleted_client": "InvalidCredential",
    "disabled_client": "InvalidCredential",
    "invalid_client": "InvalidCredential",
    "invalid_grant": "InvalidCredential",
    "invalid_request": "InvalidRequest",
    "invalid_scope": "InvalidRequest",
    "invalid_target": "InvalidRequest",
    "unsupported_grant_type": "InvalidRequest",
    "internal_failure": "CloudUnavailable",
    "server_error": "CloudUnavailable",
    "temporarily_unavailable": "CloudUnavailable",
    "PERMISSION_DENIED": "AccessDenied",
    "UNAUTHENTICATED": "InvalidCredential",
    "NOT_FOUND": "CloudResourceNotFound",
    "INVALID_ARGUMENT": "InvalidRequest",
    "FAILED_PRECONDITION": "InvalidRequest",
    "RESOURCE_EXHAUSTED": "CloudThrottled",
    "INTERNAL": "CloudUnavailable",
    "UNAVAILABLE": "CloudUnavailable",
    "DEADLINE_EXCEEDED": "CloudUnavailable",
}
_REASON_BY_STATUS: Final[Mapping[int, str]] = {
    401: "InvalidCredential",
    403: "AccessDenied",
    404: "CloudResourceNotFound",
    408: "CloudUnavailable",
    429: "CloudThrottled",
}


def login_error(
    error: Exception,
    answer: Answer | None,
    login: GoogleCredentials,
    *,
    seen_metadata: bool,
    now: float,
) -> LoginError:
    """Classify a failed refresh. `seen_metadata`: the metadata server has answered before."""
    if isinstance(error, UnreachableError) and answer is None:
        return _unreachable(login, seen_metadata=seen_metadata)
    if answer is None:
        return _failed_within(error, login)
    if answer.status == 200:
        return _unusable(answer, login)
    logger.info("Google refused a token: status %d, code %s", answer.status, _named(answer))
    if login.kind == "metadata" and not _impersonating(answer):
        return _metadata_refused(answer, login, now=now)
    return _refused(answer, login, now=now)


def _impersonating(answer: Answer) -> bool:
    return answer.url.endswith(":generateAccessToken")


def _failed_within(error: Exception, login: GoogleCredentials) -> LoginError:
    """Nothing was asked: it failed at a file or a signature."""
    if login.kind == "federated" and login.operator:
        return _no_identity("the operator's identity token can't be read from its file")
    return LoginError(
        "InternalError",
        f"the Google login failed within the operator ({type(error).__name__}); it is tried again",
        permanent=False,
    )


def _unreachable(login: GoogleCredentials, *, seen_metadata: bool) -> LoginError:
    if login.kind == "metadata" and not seen_metadata:
        return _no_identity(
            "the operator has no Google identity of its own (no file, no metadata server)"
        )
    which = "Google's metadata server" if login.kind == "metadata" else "Google's token service"
    return LoginError(
        "CloudUnavailable",
        f"{which} did not answer in time: check the operator's way out of the cluster; it is asked "
        "again",
        permanent=False,
    )


def _unusable(answer: Answer, login: GoogleCredentials) -> LoginError:
    if answer.body.get("access_token") and not answer.body.get("expires_in"):
        return unknown_expiry(login)
    return LoginError(
        "CloudUnavailable",
        "what answered is not Google's token service: check the proxy and the operator's "
        "--google-… settings; it is asked again",
        permanent=False,
    )


def unknown_expiry(login: GoogleCredentials) -> LoginError:
    """The error for a token that does not say when it dies, or died before it came."""
    return LoginError(
        "UnknownExpiry",
        f"the token of {login.who} has no expiry in the future: it is not used; check the "
        "operator's clock and its --google-… settings",
        permanent=True,
    )


def _metadata_refused(answer: Answer, login: GoogleCredentials, *, now: float) -> LoginError:
    if answer.status == 404:
        return _no_identity("the metadata server knows no service account for the operator's pod")
    # GKE wraps the refusal of IAM in the metadata server's own answer, as text.
    if answer.status == 403 or "IAM returned 403" in answer.text:
        return LoginError(
            "AccessDenied",
            "the operator's ServiceAccount may not act as its Google service account: grant it "
            "roles/iam.workloadIdentityUser on that service account",
            permanent=True,
        )
    return _transient(answer, login, now=now)


def _refused(answer: Answer, login: GoogleCredentials, *, now: float) -> LoginError:
    reason = REASON_BY_CODE.get(answer.code)
    if reason is None and answer.status >= 500:
        reason = "CloudUnavailable"
    if reason is None and (answer.code or answer.status in (408, 429)):
        reason = _REASON_BY_STATUS.get(answer.status, "InvalidRequest")
    if answer.status == 429:
        reason = "CloudThrottled"
    if reason is None:
        return _unusable(answer, login)
    if reason in ("CloudUnavailable", "CloudThrottled"):
        return _transient(answer, login, now=now)
    return LoginError(reason, _must_act(reason, answer, login), permanent=True)


def _transient(answer: Answer, login: GoogleCredentials, *, now: float) -> LoginError:
    which = "metadata server" if login.kind == "metadata" else "token service"
    if _impersonating(answer):
        which = "IAM Credentials API"
    retry_after = parse_retry_after(answer.headers.get("retry-after"), now=now)
    if answer.status == 429 or answer.code == "RESOURCE_EXHAUSTED":
        return LoginError(
            "CloudThrottled",
            f"Google's {which} throttles the operator; it is asked again later. If this lasts, "
            "raise the project's quota or let more indexes share one login",
            permanent=False,
            retry_after=retry_after,
        )
    return LoginError(
        "CloudUnavailable",
        f"Google's {which} failed to answer ({_named(answer)}); it is asked again",
        permanent=False,
        retry_after=retry_after,
    )


def _must_act(reason: str, answer: Answer, login: GoogleCredentials) -> str:
    named = _named(answer)
    if _impersonating(answer):
        return _impersonation_refused(reason, named, login)
    if reason == "InvalidCredential" and login.kind == "key":
        return (
            f"Google does not accept {login.who} ({named}): the key or its service account was "
            "deleted or disabled, or the operator's clock is wrong; store a new key"
        )
    if login.kind == "federated":
        return _federation_refused(named, login)
    if reason == "AccessDenied":
        return f"Google denies a token to {login.who} ({named}): check the organisation's policies"
    return f"Google does not accept {login.who} ({named}): check the credential and create it anew"


def _impersonation_refused(reason: str, named: str, login: GoogleCredentials) -> str:
    if reason == "AccessDenied":
        return (
            f"{login.who} may not impersonate {login.account}: grant it "
            "iam.serviceAccounts.getAccessToken (roles/iam.workloadIdentityUser or "
            "roles/iam.serviceAccountTokenCreator) there, with the IAM Credentials API enabled"
        )
    return (
        f"Google did not let {login.who} impersonate {login.account} ({named}): check that it "
        "exists and is enabled, and the delegates and the token lifetime that are asked for"
    )


def _federation_refused(named: str, login: GoogleCredentials) -> str:
    if login.operator:
        return (
            f"Google does not accept {login.who} ({named}): check the provider in the file's "
            "audience, its allowed audiences, issuer and attribute condition"
        )
    return (
        f"Google does not accept the token of {login.who} ({named}): check the provider in "
        "googleArtifactRegistry.auth.serviceAccountRef, its allowed audiences, its issuer, its "
        "attribute mapping and its condition"
    )


def _named(answer: Answer) -> str:
    if re.fullmatch(r"[A-Za-z_]{1,64}", answer.code):
        return answer.code
    return f"HTTP {answer.status}"


def _no_identity(message: str) -> LoginError:
    return LoginError("NoOperatorIdentity", f"{message}: {NO_IDENTITY_REMEDY}", permanent=True)
