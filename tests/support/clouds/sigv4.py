"""Verifies AWS Signature Version 4 as the services do: recomputed from the request as received."""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.clouds.http_stand_in import HttpRequest, RefusedError

MAX_SKEW = 15 * 60
"""Seconds that a request's date may be off (AWS General Reference, "Signature Version 4")."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/"
    r"(?P<service>[^/]+)/aws4_request, SignedHeaders=(?P<headers>[^,]+), "
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class AccessKey:
    """Keys of one principal; `expires_at` in POSIX seconds, None for long-lived keys."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    principal: str
    expires_at: float | None = None

    def material(self) -> dict[str, str]:
        """The values under the names that the operator's token manager uses."""
        values = {
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
        }
        return (
            values if self.session_token is None else values | {"session_token": self.session_token}
        )


@dataclass(frozen=True)
class Signed:
    """Who signed, and the region of the credential scope."""

    key: AccessKey
    region: str


@dataclass(frozen=True)
class ErrorCodes:
    """The same refusals have other names in REST services and in STS."""

    missing: str
    unknown: str
    mismatch: str
    expired: str


REST_CODES = ErrorCodes(
    missing="MissingAuthenticationTokenException",
    unknown="UnrecognizedClientException",
    mismatch="InvalidSignatureException",
    expired="ExpiredTokenException",
)
STS_CODES = ErrorCodes(
    missing="MissingAuthenticationToken",
    unknown="InvalidClientTokenId",
    mismatch="SignatureDoesNotMatch",
    expired="ExpiredToken",
)


def verify(
    request: HttpRequest,
    *,
    service: str,
    find_key: Callable[[str], AccessKey | None],
    codes: ErrorCodes,
    now: float,
) -> Signed:
    """Who signed the request. Raises RefusedError with AWS's code, status 403."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        raise RefusedError(403, codes.missing, "Missing Authentication Token")
    key = find_key(match["key"])
    if key is None:
        raise RefusedError(403, codes.unknown, "The security token included is invalid.")
    if request.headers.get("x-amz-security-token") != key.session_token:
        raise RefusedError(403, codes.unknown, "The security token included is invalid.")
    timestamp = request.headers.get("x-amz-date", "")
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError(403, codes.mismatch, "x-amz-date is malformed") from None
    if abs(now - signed_at.timestamp()) > MAX_SKEW or match["service"] != service:
        raise RefusedError(403, codes.mismatch, "Signature not yet current or wrongly scoped")
    names = match["headers"].split(";")
    if "host" not in names or (key.session_token and "x-amz-security-token" not in names):
        raise RefusedError(403, codes.mismatch, "A header that must be signed is not")
    expected, canonical = _signature(request, key, match["region"], service, names, timestamp)
    if timestamp[:8] != match["date"] or not hmac.compare_digest(expected, match["signature"]):
        # The real services quote the canonical request too, session token and all.
        raise RefusedError(
            403, codes.mismatch, f"The Canonical String should have been\n'{canonical}'"
        )
    if key.expires_at is not None and now >= key.expires_at:
        raise RefusedError(403, codes.expired, "The security token included is expired")
    return Signed(key, match["region"])


def _signature(
    request: HttpRequest,
    key: AccessKey,
    region: str,
    service: str,
    names: list[str],
    timestamp: str,
) -> tuple[str, str]:
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    signer = SigV4Auth(credentials, service, region)
    received = AWSRequest(
        method=request.method,
        url=f"http://{request.headers.get('host', '')}{request.target}",
        headers={name: request.headers.get(name, "") for name in names},
        data=request.body,
    )
    received.context["timestamp"] = timestamp
    canonical = signer.canonical_request(received)
    return signer.signature(signer.string_to_sign(received, canonical), received), canonical
