"""Reasons of an ArtifactIndex: its spec, its Secret or ServiceAccount, and its login."""

from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api.constants import ARTIFACT_INDEX_KIND
from artifact_index.api.reasons import Reason
from artifact_index.crdgen.reason_docs.reason import ReasonDoc

MISSING_SECRET_GRACE: Final = 300
"""Seconds to wait for a missing Secret or key: GitOps applies objects in any order."""

_INDEX = (ARTIFACT_INDEX_KIND,)


def _cloud(reason: Reason, meaning: str, remedy: str) -> ReasonDoc:
    """A reason of a failed login; RefreshFailing has it while the last credential is valid."""
    return ReasonDoc(reason, _INDEX, meaning, remedy, condition=types.REFRESH_FAILING)


INDEX_REASONS: Final = (
    ReasonDoc(
        Reason.NOT_SELECTED,
        _INDEX,
        "No IndexOptions of the namespace selects this index. Its spec was checked as far as that "
        "goes without a login, and nothing is minted for it.",
        "Give it the labels that an IndexOptions selects, or delete it.",
    ),
    ReasonDoc(
        Reason.MINTING_CREDENTIAL,
        _INDEX,
        "The operator has requested the first credential and has no answer yet.",
        "Wait; it takes seconds.",
    ),
    ReasonDoc(
        Reason.SECRET_NOT_FOUND,
        _INDEX,
        "The Secret that the spec refers to does not exist in this namespace.",
        "Create the Secret, or correct the name in the field that the message names.",
        stalled_after=MISSING_SECRET_GRACE,
    ),
    ReasonDoc(
        Reason.SECRET_KEY_MISSING,
        _INDEX,
        "The Secret exists but has no such key, or the key is empty.",
        "Add the key to the Secret, or correct the key in the field that the message names.",
        stalled_after=MISSING_SECRET_GRACE,
    ),
    ReasonDoc(
        Reason.SERVICE_ACCOUNT_NOT_FOUND,
        _INDEX,
        "The ServiceAccount that the spec refers to does not exist in this namespace.",
        "Create it, or correct the name in the field that the message names.",
        stalled_after=MISSING_SECRET_GRACE,
    ),
    _cloud(
        Reason.TOKEN_REQUEST_FAILED,
        "The API server did not issue a token of the ServiceAccount.",
        "Wait; the operator retries with growing pauses.",
    ),
    _cloud(
        Reason.TOKEN_REQUEST_DENIED,
        "The operator may not read the ServiceAccount, or may not request its tokens.",
        "Let the administrator grant what the message names, or log in another way.",
    ),
    _cloud(
        Reason.CLOUD_UNAVAILABLE,
        "The cloud could not be reached, answered with a server error, or sent a malformed answer.",
        "Wait; the operator retries with growing pauses. If it lasts, look at the cloud's status, "
        "DNS, proxies and network policies of the operator.",
    ),
    _cloud(
        Reason.CLOUD_THROTTLED,
        "The cloud asked for fewer requests.",
        "Wait; the operator pauses as long as the cloud asks. If it lasts, raise the account's "
        "quota.",
    ),
    ReasonDoc(
        Reason.CREDENTIAL_EXPIRED,
        _INDEX,
        "The last credential has expired, or is about to, and could not be replaced. It has left "
        "the outputs.",
        "The message holds the error of the last attempt; its remedy is the one to follow.",
        stalled_where="the last attempt failed for good, for example by a denied login",
    ),
    ReasonDoc(
        Reason.OPERATOR_IDENTITY_NOT_ALLOWED,
        _INDEX,
        "The spec uses the operator's own cloud identity and the administrator has not allowed "
        "that for this namespace.",
        "Set `auth.secretRef` of the source, or ask the administrator to add the namespace to "
        "--operator-identity-namespaces.",
    ),
    _cloud(
        Reason.NO_OPERATOR_IDENTITY,
        "The spec uses the operator's own cloud identity and the operator has none.",
        "Set `auth.secretRef` of the source, or give the operator's pod an identity (IRSA, Pod "
        "Identity, Workload Identity).",
    ),
    ReasonDoc(
        Reason.SOURCE_IS_OUTPUT,
        _INDEX,
        "The Secret that the spec refers to is written by the operator, or is named as an output "
        "in this namespace.",
        "Refer to another Secret, or rename the output.",
    ),
    ReasonDoc(
        Reason.INVALID_SECRET_VALUE,
        _INDEX,
        "The value of the Secret's key cannot be used: it is not text, holds a line break, or is "
        "not a URL where a URL is required.",
        "Correct the value of the key that the message names; the value itself is never shown.",
    ),
    _cloud(
        Reason.ACCESS_DENIED,
        "The cloud knows the identity and refuses the request.",
        "Grant the permission that the message names to the identity.",
    ),
    _cloud(
        Reason.CLOUD_RESOURCE_NOT_FOUND,
        "The domain, repository or project does not exist in the cloud.",
        "Correct the names in the source, and the region or location and the owner with them.",
    ),
    _cloud(
        Reason.INVALID_REQUEST,
        "The cloud refuses the request as invalid.",
        "Correct the field that the message names.",
    ),
    _cloud(
        Reason.INVALID_CREDENTIAL,
        "The cloud does not accept the key: it is wrong, deleted, disabled or expired.",
        "Replace the key in the Secret that the message names.",
    ),
    _cloud(
        Reason.UNKNOWN_EXPIRY,
        "The cloud granted a token without saying when it expires; such a token is not served.",
        "Check what answers in the cloud's place: a proxy, an emulator or a custom endpoint.",
    ),
    ReasonDoc(
        Reason.NAME_CONFLICT,
        _INDEX,
        "`spec.name` is taken by an older index, or by the public one, of the same IndexOptions; "
        "names count as equal when their environment variables do. This index is left out.",
        "Choose another `spec.name`, or select the two by different IndexOptions.",
    ),
)
