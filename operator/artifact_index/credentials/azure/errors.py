"""Turns what Entra refuses into a `LoginError`.

The HTTP status and OAuth's `error` decide who must act; the AADSTS number only picks the remedy:
Microsoft says that numbers may change, and has changed the other two as well. Descriptions quote
parts of the request and are never passed on.
"""

import re
from collections.abc import Mapping
from typing import Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.azure.identities import EntraLogin, no_identity
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.web.failures import out_of_order, throttled
from artifact_index.credentials.web.http import HttpAnswer
from artifact_index.credentials.web.jwt import claims_of

_REASON_BY_ERROR: Final[Mapping[str, Reason]] = {
    "invalid_client": Reason.INVALID_CREDENTIAL,
    "unauthorized_client": Reason.INVALID_CREDENTIAL,
    "invalid_grant": Reason.INVALID_CREDENTIAL,
    "access_denied": Reason.ACCESS_DENIED,
    "interaction_required": Reason.ACCESS_DENIED,
    "consent_required": Reason.ACCESS_DENIED,
    "temporarily_unavailable": Reason.CLOUD_UNAVAILABLE,
    "server_error": Reason.CLOUD_UNAVAILABLE,
}
"""RFC 6749 4.1.2.1 and 5.2, and Entra's own; any other is InvalidRequest."""

_NO_CREDENTIAL: Final = (
    "no federated credential of app {client} fits: add one{fitting}; a new one may take minutes "
    "to work"
)
_FEDERATION: Final = (
    "the policies of tenant {tenant} do not allow this federation: ask its administrator, or "
    "federate a managed identity"
)
_UNKNOWN_APP: Final = "correct tenantID and clientID in {field}, or register the app in that tenant"
_REMEDY_BY_NUMBER: Final[Mapping[int, str]] = {
    70021: _NO_CREDENTIAL,
    70025: _NO_CREDENTIAL,
    700211: _NO_CREDENTIAL,
    700212: _NO_CREDENTIAL,
    700213: _NO_CREDENTIAL,
    700223: _FEDERATION,
    700238: _FEDERATION,
    700024: "the token is outside its time: check the clocks of the API server and the operator",
    700016: _UNKNOWN_APP,
    90002: _UNKNOWN_APP,
    700027: "upload the certificate to app {client}, or store the one that it has",
    7000112: "app {client} is disabled in tenant {tenant}: enable it",
    7000215: "store the value of the client secret, not its ID",
    7000222: "the client secret has expired: create a new one and store its value",
    900382: "the app is of another Azure cloud than azureArtifacts.cloud: correct it",
    53003: "a Conditional Access policy of tenant {tenant} blocks it: ask its administrator",
}


def refused(answer: HttpAnswer, login: EntraLogin) -> LoginError:
    """Classify an answer without a token."""
    error, status = answer.body.get("error"), answer.status
    if status == 429:
        return throttled("Entra", answer)
    if status >= 500 or status == 408:
        return out_of_order("Entra", named(answer), answer)
    if status < 400 or not isinstance(error, str):
        return not_the_service("Entra", "the operator's --azure-authority-url")
    reason = _REASON_BY_ERROR.get(error, Reason.INVALID_REQUEST)
    if not reason.must_act:
        return out_of_order("Entra", named(answer), answer)
    number = _number(answer)
    remedy = _REMEDY_BY_NUMBER.get(
        number, "look the code up in Microsoft's list, and correct {field}"
    )
    text = remedy.format(
        client=login.client, tenant=login.tenant, field=login.place, fitting=_fitting(login)
    )
    return LoginError(reason, f"Entra does not accept {login.who} ({named(answer)}): {text}")


def metadata_refused(answer: HttpAnswer) -> LoginError:
    """Classify an answer of the metadata server without a token."""
    if answer.status in (410, 429):
        return throttled("the metadata server", answer)
    if answer.status >= 500 or answer.status == 408:
        return out_of_order("the metadata server", named(answer), answer)
    if answer.status < 400:
        return not_the_service("the metadata server", "NO_PROXY")
    return no_identity("the metadata server knows no managed identity for the operator's pod")


def unknown_expiry(who: str) -> LoginError:
    """The error for a token that does not say when it dies, or died before it came."""
    return LoginError(
        Reason.UNKNOWN_EXPIRY,
        f"the Entra token for {who} has no expiry in the future: it is not used; check the "
        "operator's clock and its --azure-authority-url",
    )


def not_the_service(what: str, setting: str) -> LoginError:
    """The error for an answer of somebody else, such as a proxy's page or a redirect."""
    return LoginError(
        Reason.CLOUD_UNAVAILABLE,
        f"what answered is not {what}: check the proxy and {setting}; the operator tries again",
    )


def named(answer: HttpAnswer) -> str:
    """The answer's code: Entra's number, else OAuth's error, else the HTTP status."""
    if number := _number(answer):
        return f"AADSTS{number}"
    error = answer.body.get("error")
    if isinstance(error, str) and re.fullmatch("[a-z_]{1,64}", error):
        return error
    return f"HTTP {answer.status}"


def _number(answer: HttpAnswer) -> int:
    """Entra's own number of the error; 0 if there is none."""
    codes = answer.body.get("error_codes")
    if isinstance(codes, list) and codes and type(codes[0]) is int and 0 < codes[0] < 10**8:
        return codes[0]
    found = re.match(r"AADSTS(\d{4,8})\b", str(answer.body.get("error_description")))
    return int(found[1]) if found else 0


def _fitting(login: EntraLogin) -> str:
    """What a federated credential has to say to fit the login's token."""
    claims = claims_of(login.assertion)
    issuer, subject, audience = claims.get("iss"), claims.get("sub"), claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    shown = [each for each in (issuer, subject, audience) if isinstance(each, str)]
    if len(shown) < 3 or not all(re.fullmatch("[!-~]{1,600}", each) for each in shown):
        return ""
    return f" with issuer {issuer}, subject {subject} and audience {audience}"
