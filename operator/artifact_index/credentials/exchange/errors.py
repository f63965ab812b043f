"""Turns a failed exchange into a `LoginError`, by status and the vendor's own code.

No text of an answer is passed on: a vendor may quote the token in it. What a vendor says is told
apart by codes, and by the few texts that stand here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.exchange.presets import PROTOCOLS
from artifact_index.credentials.exchange.requests import ExchangeTokenRequest, Preset
from artifact_index.credentials.web import failures
from artifact_index.credentials.web.failures import out_of_order, throttled
from artifact_index.credentials.web.http import HttpAnswer
from artifact_index.credentials.web.jwt import claims_of

_FIELD: Final = "spec.tokenExchange.exchange"
_CODE: Final = re.compile("[A-Z][A-Z_]{1,31}|[a-z]{1,24}(_[a-z]{1,24}){0,4}")

# RFC 6749, 5.2, and RFC 8693, 2.2.2.
_OF_THE_REQUEST: Final = (
    "invalid_scope", "invalid_target", "unsupported_grant_type", "unsupported_token_type",
)  # fmt: skip
_OF_THE_CLIENT: Final = ("invalid_client", "unauthorized_client")

_LONGER: Final[Mapping[Preset, str]] = {
    "jfrog": "set token_spec.expires_in of the identity mapping, such as 3600 (without it JFrog's "
    "tokens live 60 s)",
    "cloudsmith": "check that Cloudsmith's API is what answers",
    "rfc8693": "have the endpoint issue longer-lived tokens",
}
_SAYING: Final[Mapping[Preset, str]] = {
    "jfrog": "set token_spec.expires_in of the identity mapping, such as 3600 (0 is for ever)",
    "cloudsmith": "check that Cloudsmith's API is what answers",
    "rfc8693": f"have the endpoint tell the life in seconds, name the member that has it in "
    f"{_FIELD}.rfc8693.answer.expiresIn, or have it issue JWTs with an expiry",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is needed to tell the user why: the request, the answer, the ServiceAccount's token."""

    request: ExchangeTokenRequest
    answer: HttpAnswer
    subject_token: str = field(repr=False)

    @property
    def who(self) -> str:
        """The vendor and its host."""
        return f"{PROTOCOLS[self.request.preset].title} at {self.request.host}"

    @property
    def code(self) -> str:
        """The vendor's own code if there is one, else the status."""
        code = _code_of(self.answer.body)
        return code if _CODE.fullmatch(code) else f"HTTP {self.answer.status}"

    @property
    def claims(self) -> str:
        """What the vendor compares: issuer, subject and audience of the ServiceAccount's token."""
        issuer = claims_of(self.subject_token).get("iss", "unknown")
        identity = self.request.identity
        subject = f"system:serviceaccount:{identity.namespace}:{identity.name}"
        return f"iss {issuer}, sub {subject}, aud {identity.audiences[0]}"

    def parameter(self, name: str) -> str | None:
        """What the spec says, as it was sent."""
        return dict(self.request.parameters).get(name)


def refused(refusal: Refusal) -> LoginError:
    """Classify an answer that is no success."""
    answer = refusal.answer
    if (busy := _busy(refusal)) is not None:
        return busy
    if 300 <= answer.status < 400:
        return LoginError(
            Reason.INVALID_REQUEST,
            f"{refusal.who} redirects (HTTP {answer.status}), and a token is never sent after a "
            f"redirect: set {_FIELD} to the URL at which the exchange itself is",
        )
    if not answer.body and answer.status != 404:
        return not_understood(refusal)
    return _REFUSED[refusal.request.preset](refusal)


def not_understood(refusal: Refusal) -> LoginError:
    """The error for an answer without what an exchange answers."""
    checked = f"the URL in {_FIELD}, and the proxy"
    if refusal.request.preset == "rfc8693" and refusal.answer.body:
        checked = f"the URL in {_FIELD}, and the member's name in {_FIELD}.rfc8693.answer.token"
    return LoginError(
        Reason.CLOUD_UNAVAILABLE,
        f"what answered at {refusal.request.host} is no token exchange (HTTP "
        f"{refusal.answer.status}): check {checked}; the operator tries again",
    )


def unusable_username(refusal: Refusal) -> LoginError:
    """The error for an answer without the user name that the spec looks for in it."""
    return LoginError(
        Reason.INVALID_REQUEST,
        f"{refusal.who} issued a token without a user name that can be sent (at most 256 "
        "characters, no colon, no control character): correct "
        f"{_FIELD}.rfc8693.answer.username, or remove it and set {_FIELD}.rfc8693.username",
    )


def unreachable(request: ExchangeTokenRequest, why: str) -> LoginError:
    """The error for no answer, or none in time."""
    return failures.unreachable(request.host, why, also=f"the URL in {_FIELD}, and ")


def unknown_life(refusal: Refusal) -> LoginError:
    """The error for a token that does not say when it dies, or is dead."""
    remedy = _SAYING[refusal.request.preset]
    return LoginError(
        Reason.UNKNOWN_EXPIRY,
        f"{refusal.who} issued a token without an expiry in the future, so it is not used: "
        f"{remedy}",
    )


def too_short(refusal: Refusal, life: int, least: float) -> LoginError:
    """The error for a token that would be dead before a pod could use it; in seconds."""
    remedy = _LONGER[refusal.request.preset]
    return LoginError(
        Reason.TOKEN_LIFE_TOO_SHORT,
        f"{refusal.who} issued a token that lives {life} s, and no build could use one that lives "
        f"less than {least:g} s: {remedy}",
    )


def issuers_own_audience() -> LoginError:
    """The error for a token that would log in at the API server: it is not sent."""
    return LoginError(
        Reason.INVALID_REQUEST,
        "the audience of the ServiceAccount's token is the cluster's own issuer, so the token "
        "would log in at the API server, and it was not sent: set "
        "spec.tokenExchange.auth.serviceAccountRef.audience to another",
    )


def _busy(refusal: Refusal) -> LoginError | None:
    answer = refusal.answer
    if answer.status == 429:
        return throttled(refusal.who, answer)
    if answer.status >= 500 or answer.status == 408:
        return out_of_order(refusal.who, refusal.code, answer)
    return None


def _jfrog(refusal: Refusal) -> LoginError:
    named = f"{refusal.who} did not exchange the token ({refusal.code})"
    if refusal.answer.status == 404:
        return LoginError(
            Reason.CLOUD_RESOURCE_NOT_FOUND,
            f"{refusal.who} has no OIDC token exchange (HTTP 404): set {_FIELD}.jfrog.url to the "
            "URL of the platform; self-hosted platforms have it since Artifactory 7.77.3",
        )
    if "audience" in _message_of(refusal.answer.body).lower() and refusal.parameter("audience"):
        return LoginError(
            Reason.INVALID_REQUEST,
            f"{named}: {_FIELD}.jfrog.audience is not in token_spec.audience of the identity "
            "mapping; remove the field, or correct one of them",
        )
    mapping = refusal.parameter("identity_mapping_name")
    which = f"its identity mapping {mapping!r}" if mapping else "an identity mapping of it"
    return LoginError(
        _reason_of(refusal),
        f"{named}: it needs an OIDC integration named {refusal.parameter('provider_name')!r} whose "
        f"issuer is this cluster's, and {which} must have the claims {refusal.claims}",
    )


def _cloudsmith(refusal: Refusal) -> LoginError:
    if refusal.answer.status == 404:
        return LoginError(
            Reason.CLOUD_RESOURCE_NOT_FOUND,
            f"{refusal.who} knows no such workspace (HTTP 404): correct "
            f"{_FIELD}.cloudsmith.workspace",
        )
    return LoginError(
        _reason_of(refusal),
        f"{refusal.who} did not exchange the token ({refusal.code}), and never says why: the "
        "workspace needs an OIDC provider for this cluster, which must require no other claims "
        f"than {refusal.claims}, and must list the service account "
        f"{refusal.parameter('service_slug')!r}, which must be enabled",
    )


def _rfc8693(refusal: Refusal) -> LoginError:
    named = f"{refusal.who} did not exchange the token ({refusal.code})"
    if refusal.answer.status == 404:
        return LoginError(
            Reason.CLOUD_RESOURCE_NOT_FOUND,
            f"{refusal.who} is not there (HTTP 404): correct {_FIELD}.rfc8693.endpoint",
        )
    if refusal.code in _OF_THE_REQUEST:
        return LoginError(
            Reason.INVALID_REQUEST,
            f"{named}: correct audience, scope or subjectTokenType in {_FIELD}.rfc8693",
        )
    if refusal.code in _OF_THE_CLIENT:
        return LoginError(
            Reason.INVALID_CREDENTIAL,
            f"{named}: it wants a client of its own to log in, which this preset does not do; let "
            "the endpoint exchange tokens of this cluster without one",
        )
    return LoginError(
        _reason_of(refusal),
        f"{named}: it must trust tokens with {refusal.claims}",
    )


_REFUSED: Final = {"jfrog": _jfrog, "cloudsmith": _cloudsmith, "rfc8693": _rfc8693}


def _reason_of(refusal: Refusal) -> Reason:
    return Reason.ACCESS_DENIED if refusal.answer.status == 403 else Reason.INVALID_CREDENTIAL


def _first_error(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """JFrog lists its errors."""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}


def _code_of(body: Mapping[str, Any]) -> str:
    """OAuth's `error`, or the code of JFrog's first error."""
    code = body.get("error", _first_error(body).get("code"))
    return code if isinstance(code, str) else ""


def _message_of(body: Mapping[str, Any]) -> str:
    message = _first_error(body).get("message")
    return message if isinstance(message, str) else ""
