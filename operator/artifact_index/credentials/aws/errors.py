"""Turns an exception of boto3 into a `LoginError`: who must act, on what, and the next step.

AWS's own error text is never passed on: a signature error quotes the canonical request with its
session token. Messages take only the error code and ARNs from it, after a check of their form. They
contain nothing that differs between attempts (request ids, times), so that a repeated failure
changes no status.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.call import AwsCall, must_act, named, unknown_region
from artifact_index.credentials.errors import LoginError, why_unreachable
from artifact_index.credentials.http_dates import parse_retry_after

# Codes of the CodeArtifact model (API reference, "Errors" of both operations), the unmodelled ones
# of SigV4, and those of STS, for the operator's own identity and for the steps of a login.
REASON_BY_CODE: Final[Mapping[str, Reason]] = {
    code: reason
    for codes, reason in {
        "AccessDenied AccessDeniedException": Reason.ACCESS_DENIED,
        "ResourceNotFoundException": Reason.CLOUD_RESOURCE_NOT_FOUND,
        "RegionDisabledException UnknownOperationException "
        "ValidationError ValidationException": Reason.INVALID_REQUEST,
        "RequestLimitExceeded Throttling ThrottlingException "
        "TooManyRequestsException": Reason.CLOUD_THROTTLED,
        "IDPCommunicationError InternalFailure InternalServerException RequestTimeout "
        "RequestTimeoutException ServiceUnavailable "
        "ServiceUnavailableException": Reason.CLOUD_UNAVAILABLE,
        "ExpiredToken ExpiredTokenException IDPRejectedClaim IncompleteSignature "
        "InvalidAccessKeyId InvalidClientTokenId InvalidIdentityToken InvalidSignatureException "
        "MissingAuthenticationToken MissingAuthenticationTokenException RequestExpired "
        "SignatureDoesNotMatch UnrecognizedClientException": Reason.INVALID_CREDENTIAL,
    }.items()
    for code in codes.split()
}

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]{1,63}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")

NO_IDENTITY_REMEDY: Final = (
    "the operator has no AWS identity of its own: give its ServiceAccount a role (IRSA or EKS Pod "
    "Identity), or log in with codeArtifact.auth.secretRef or serviceAccountRef"
)


# Exceptions of boto3 without an answer of AWS: the first class that fits decides. The texts are
# format strings over an AwsCall.
_LOCAL_FAILURES: Final[tuple[tuple[tuple[str, ...], Reason, str], ...]] = (
    (("NoCredentialsError",), Reason.NO_OPERATOR_IDENTITY, NO_IDENTITY_REMEDY),
    (
        ("PartialCredentialsError", "ProfileNotFound", "ConfigParseError", "InvalidConfigError"),
        Reason.NO_OPERATOR_IDENTITY,
        "the operator's AWS credentials are incomplete: check the AWS_… variables and the profile "
        "of the operator's own pod",
    ),
    (
        ("SSOError", "LoginError", "TokenRetrievalError"),
        Reason.NO_OPERATOR_IDENTITY,
        "the operator's AWS sign-in has ended: sign in again",
    ),
    (
        ("CredentialRetrievalError", "MetadataRetrievalError"),
        Reason.CLOUD_UNAVAILABLE,
        "the operator's AWS identity could not be read from its provider (EKS Pod Identity agent, "
        "metadata service or process): check that provider; the operator tries again",
    ),
    (
        ("NoRegionError", "InvalidRegionError", "UnknownRegionError"),
        Reason.INVALID_REQUEST,
        "AWS knows no region {call.region!r} for this call: correct codeArtifact.region",
    ),
    (
        ("EndpointProviderError", "BaseEndpointResolverError"),
        Reason.INVALID_REQUEST,
        "{call.service} has no endpoint for region {call.region!r} and the operator's endpoint "
        "settings: correct codeArtifact.region or the AWS_USE_… variables of the operator",
    ),
    (
        ("ParamValidationError",),
        Reason.INVALID_REQUEST,
        "{call.service}'s {call.operation} does not take these values: check the fields of "
        "codeArtifact",
    ),
    (
        ("SSLError",),
        Reason.CLOUD_UNAVAILABLE,
        "the TLS certificate of {call.service} in {call.region} is not trusted: check the proxy "
        "and AWS_CA_BUNDLE of the operator; the operator tries again",
    ),
    (
        ("ReadTimeoutError", "ConnectTimeoutError"),
        Reason.CLOUD_UNAVAILABLE,
        "{call.service} in {call.region} did not answer {call.operation} in time: check the "
        "operator's egress (DNS, proxy, NetworkPolicy); the operator tries again",
    ),
    (
        ("HTTPClientError", "ConnectionError"),
        Reason.CLOUD_UNAVAILABLE,
        "{call.service} in {call.region} could not be reached{why}: check codeArtifact.region and "
        "the operator's egress (DNS, proxy, NetworkPolicy); the operator tries again",
    ),
)


def login_error(error: Exception, call: AwsCall, *, now: float) -> LoginError:
    """Classify an exception of boto3; the result holds no text of AWS and no secret.

    `now` is in POSIX seconds, for a `Retry-After` that is a date.
    """
    from botocore import exceptions as boto  # noqa: PLC0415 - imported when first needed
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    if isinstance(error, boto.ClientError):
        return _answered(error.response, error.operation_name, call, now=now)
    for names, reason, text in _LOCAL_FAILURES:
        # A class that this botocore does not have can't have been raised either.
        classes = tuple(getattr(boto, name) for name in names if hasattr(boto, name))
        if isinstance(error, classes):
            unanswered = reason is Reason.CLOUD_UNAVAILABLE
            hint = unknown_region(call.region) if unanswered else ""
            message = hint + text.format(call=call, why=why_unreachable(error))
            return LoginError(reason, message, unanswered=unanswered)
    # boto3's parsers meet JSON that is no object, and odd XML, with Python's own errors.
    broken = (ResponseParserError, boto.IncompleteReadError)
    if isinstance(error, (*broken, ValueError, TypeError, AttributeError, KeyError)):
        return unusable_answer(call)
    return LoginError(
        Reason.INTERNAL_ERROR,
        f"{call.operation} failed within the operator ({type(error).__name__}), which tries again",
    )


def unusable_answer(call: AwsCall) -> LoginError:
    """The error for an answer that cannot come from the service."""
    return LoginError(
        Reason.CLOUD_UNAVAILABLE,
        f"what answered {call.operation} in {call.region} is not {call.service}: check the proxy "
        "and the AWS_ENDPOINT_URL… variables of the operator; the operator tries again",
    )


def _answered(
    response: Mapping[str, Any], operation: str, call: AwsCall, *, now: float
) -> LoginError:
    detail = response.get("Error", {})
    metadata = response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode") or 0)
    code = str(detail.get("Code") or "")
    request_id = request_id_of(response)
    reason = REASON_BY_CODE.get(code) or _reason_by_status(status, code)
    if reason is None:
        return unusable_answer(call)
    if reason.must_act:
        message = must_act(reason, code, operation, response, call)
        return LoginError(reason, message, request_id=request_id)
    if reason is Reason.CLOUD_THROTTLED:
        message = (
            f"AWS throttles {operation} in {call.region}; the operator tries again later. If this "
            "lasts, raise the account's quota or let more indexes share one login"
        )
    else:
        failure = f"AWS failed to answer {operation} in {call.region} ({named(code, status)})"
        message = f"{failure}; the operator tries again"
    return LoginError(
        reason,
        message,
        retry_after=_pause(response, now=now),
        # Of a gateway that waited for the service, or STS for the tenant's identity provider.
        unanswered=status == 504 or code == "IDPCommunicationError",
        request_id=request_id,
    )


def request_id_of(response: Mapping[str, Any]) -> str:
    """AWS's identifier of the request; empty if the answer has none of its form."""
    request_id = str(response.get("ResponseMetadata", {}).get("RequestId") or "")
    return request_id if _REQUEST_ID.fullmatch(request_id) else ""


def _pause(response: Mapping[str, Any], *, now: float) -> float | None:
    """For how many seconds AWS asks to pause, by either of its headers.

    botocore itself pauses 5 s at most, and only between the attempts of one call.
    """
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    # The modelled member of an answer is this header, too.
    seconds = response.get("retryAfterSeconds", headers.get("retry-after"))
    milliseconds = str(headers.get("x-amz-retry-after", ""))
    pauses = [parse_retry_after(seconds, now=now)]
    if milliseconds.isdecimal():
        pauses.append(parse_retry_after(float(milliseconds) / 1000, now=now))
    return max((pause for pause in pauses if pause is not None), default=None)


def _reason_by_status(status: int, code: str) -> Reason | None:
    """The reason for a code that is not in the table; None if the answer is not from AWS."""
    if status == 429:
        return Reason.CLOUD_THROTTLED
    if status >= 500:
        return Reason.CLOUD_UNAVAILABLE
    if not _CODE.fullmatch(code):
        return None
    return {
        401: Reason.INVALID_CREDENTIAL,
        403: Reason.ACCESS_DENIED,
        404: Reason.CLOUD_RESOURCE_NOT_FOUND,
    }.get(status, Reason.INVALID_REQUEST if status else None)
