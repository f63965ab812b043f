"""Turns a failed Google login into a `LoginError`, by the code in the answer's body.

google-auth's own flags are of no use: its STS client treats a 503 as final. Its exception texts
quote whole answers and are never passed on.
"""

import re
from collections.abc import Mapping
from typing import Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError, UnreachableError
from artifact_index.credentials.google.identities import GoogleCredentials, no_identity
from artifact_index.credentials.google.transport import Answer

# RFC 6749 5.2 and 4.1.2.1, RFC 8693 2.2.2, and `google.rpc.Code` names of Google APIs.
REASON_BY_CODE: Final[Mapping[str, Reason]] = {
    code: reason
    for codes, reason in {
        "access_denied PERMISSION_DENIED": Reason.ACCESS_DENIED,
        "unauthorized_client deleted_client disabled_client "
        "invalid_client invalid_grant UNAUTHENTICATED": Reason.INVALID_CREDENTIAL,
        "invalid_request invalid_scope invalid_target "
        "unsupported_grant_type INVALID_ARGUMENT FAILED_PRECONDITION": Reason.INVALID_REQUEST,
        "internal_failure server_error temporarily_unavailable INTERNAL "
        "UNAVAILABLE DEADLINE_EXCEEDED": Reason.CLOUD_UNAVAILABLE,
        "NOT_FOUND": Reason.CLOUD_RESOURCE_NOT_FOUND,
        "RESOURCE_EXHAUSTED": Reason.CLOUD_THROTTLED,
    }.items()
    for code in codes.split()
}
_REASON_BY_STATUS: Final[Mapping[int, Reason]] = {
    401: Reason.INVALID_CREDENTIAL,
    403: Reason.ACCESS_DENIED,
    404: Reason.CLOUD_RESOURCE_NOT_FOUND,
    408: Reason.CLOUD_UNAVAILABLE,
    429: Reason.CLOUD_THROTTLED,
}


def login_error(
    error: Exception, answer: Answer | None, login: GoogleCredentials, *, seen_metadata: bool
) -> LoginError:
    """Classify a failed refresh. `seen_metadata`: the metadata server has answered before."""
    if isinstance(error, UnreachableError) and answer is None:
        return _unreachable(login, str(error), seen_metadata=seen_metadata)
    if answer is None:  # the login failed before any request, at a file or a signature
        if login.kind == "federated" and login.operator:
            return no_identity("the operator's identity token can't be read from its file")
        return LoginError(
            Reason.INTERNAL_ERROR,
            f"the Google login failed within the operator ({type(error).__name__}), which tries "
            "again",
        )
    if answer.status == 200:
        return _unusable(answer, login)
    if login.kind == "metadata" and not _impersonating(answer):
        return _metadata_refused(answer, login)
    return _refused(answer, login)


def _impersonating(answer: Answer) -> bool:
    return answer.url.endswith(":generateAccessToken")


def _unreachable(login: GoogleCredentials, why: str, *, seen_metadata: bool) -> LoginError:
    if login.kind == "metadata" and not seen_metadata:
        return no_identity(
            "the operator has no Google identity of its own (no file, no metadata server)"
        )
    which = "Google's metadata server" if login.kind == "metadata" else "Google's token service"
    return LoginError(
        Reason.CLOUD_UNAVAILABLE,
        f"{which} did not answer{why}: check the operator's egress (DNS, proxy, NetworkPolicy); "
        "the operator tries again",
        unanswered=True,
    )


def _unusable(answer: Answer, login: GoogleCredentials) -> LoginError:
    if answer.body.get("access_token") and not answer.body.get("expires_in"):
        return unknown_expiry(login)
    return LoginError(
        Reason.CLOUD_UNAVAILABLE,
        "what answered is not Google's token service: check the proxy and the operator's "
        "--google-… settings; the operator tries again",
    )


def unknown_expiry(login: GoogleCredentials) -> LoginError:
    """The error for a token that does not say when it dies, or died before it came."""
    return LoginError(
        Reason.UNKNOWN_EXPIRY,
        f"the token of {login.who} has no expiry in the future: it is not used; check the "
        "operator's clock and its --google-… settings",
    )


def _metadata_refused(answer: Answer, login: GoogleCredentials) -> LoginError:
    if answer.status == 404:
        return no_identity("the metadata server knows no service account for the operator's pod")
    # GKE wraps the refusal of IAM in the metadata server's own answer, as text.
    if answer.status == 403 or "IAM returned 403" in answer.text:
        return LoginError(
            Reason.ACCESS_DENIED,
            "the operator's ServiceAccount may not act as its Google service account: grant it "
            "roles/iam.workloadIdentityUser on that service account",
        )
    return _transient(answer, login)


def _refused(answer: Answer, login: GoogleCredentials) -> LoginError:
    reason = REASON_BY_CODE.get(answer.code)
    if reason is None and answer.status >= 500:
        reason = Reason.CLOUD_UNAVAILABLE
    if reason is None and (answer.code or answer.status in (408, 429)):
        reason = _REASON_BY_STATUS.get(answer.status, Reason.INVALID_REQUEST)
    if answer.status == 429:
        reason = Reason.CLOUD_THROTTLED
    if reason is None:
        return _unusable(answer, login)
    if not reason.must_act:
        return _transient(answer, login)
    return LoginError(reason, _must_act(reason, answer, login))


def _transient(answer: Answer, login: GoogleCredentials) -> LoginError:
    which = "metadata server" if login.kind == "metadata" else "token service"
    if _impersonating(answer):
        which = "IAM Credentials API"
    if answer.status == 429 or answer.code == "RESOURCE_EXHAUSTED":
        return LoginError(
            Reason.CLOUD_THROTTLED,
            f"Google's {which} throttles the operator, which tries again later. If this lasts, "
            "raise the project's quota or let more indexes share one login",
            retry_after=answer.retry_after,
        )
    return LoginError(
        Reason.CLOUD_UNAVAILABLE,
        f"Google's {which} failed to answer ({_named(answer)}); the operator tries again",
        retry_after=answer.retry_after,
        unanswered=answer.status == 504,
    )


def _must_act(reason: Reason, answer: Answer, login: GoogleCredentials) -> str:
    named = _named(answer)
    if _impersonating(answer):
        return _impersonation_refused(reason, named, login)
    if reason == Reason.INVALID_CREDENTIAL and login.kind == "key":
        return (
            f"Google does not accept {login.who} ({named}): the key or its service account was "
            "deleted or disabled, or the operator's clock is wrong; store a new key"
        )
    if login.kind == "federated":
        return _federation_refused(named, login)
    if reason is Reason.ACCESS_DENIED:
        return f"Google denies a token to {login.who} ({named}): check the organisation's policies"
    return f"Google does not accept {login.who} ({named}): check the credential and create it anew"


def _impersonation_refused(reason: Reason, named: str, login: GoogleCredentials) -> str:
    if reason is Reason.ACCESS_DENIED:
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
