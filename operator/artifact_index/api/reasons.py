"""Every reason of a condition, in one table: what it means and what to do about it.

The API reference is generated from this table. Messages are composed where the trouble is seen;
each says what is wrong, with which object and field, and the next step. An event that reports a
transition has the condition's reason as its own.
"""

from collections.abc import Mapping
from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api import reason_names as names
from artifact_index.api.constants import ARTIFACT_INDEX_KIND, INDEX_OPTIONS_KIND
from artifact_index.api.format_reasons import FORMAT_REASONS
from artifact_index.api.reason import Polarity, Reason

CONDITIONS_OF: Final[Mapping[Polarity, str]] = {
    "available": "Ready=True",
    "retry": "Ready=False, Reconciling=True",
    "act": "Ready=False, Stalled=True",
    "note": "a condition of its own",
    "keep": "Ready keeps its last value",
}
"""What a reason of each polarity does to the conditions."""

MISSING_SECRET_GRACE: Final = 300
"""Seconds for which a missing Secret or key is waited for: GitOps applies in any order."""

_INDEX = (ARTIFACT_INDEX_KIND,)
_OPTIONS = (INDEX_OPTIONS_KIND,)
_BOTH = (ARTIFACT_INDEX_KIND, INDEX_OPTIONS_KIND)


def _cloud(name: str, polarity: Polarity, meaning: str, remedy: str) -> Reason:
    """A reason of a failed login: while a live credential is served it is RefreshFailing's."""
    return Reason(name, _INDEX, polarity, meaning, remedy, condition=types.REFRESH_FAILING)


_TABLE: Final = (
    Reason(
        names.AVAILABLE,
        _BOTH,
        "available",
        "The index can be served; of IndexOptions: the outputs are written and current.",
        "Nothing.",
    ),
    Reason(
        names.NOT_SELECTED,
        _INDEX,
        "available",
        "No IndexOptions of the namespace selects this index. Its spec was checked as far as that "
        "goes without a login, and nothing is minted for it.",
        "Give it the labels that an IndexOptions selects, or delete it.",
    ),
    Reason(
        names.SUSPENDED,
        _BOTH,
        "keep",
        "`spec.suspend` is true. The entry and token of a suspended ArtifactIndex stay until the "
        "token is withdrawn; the outputs of a suspended IndexOptions are neither written nor "
        "repaired.",
        "Set `spec.suspend` to false to go on.",
    ),
    Reason(
        names.MINTING_CREDENTIAL,
        _INDEX,
        "retry",
        "The first credential has been asked for and is not there yet.",
        "Wait; it takes seconds.",
    ),
    Reason(
        names.SECRET_NOT_FOUND,
        _INDEX,
        "retry",
        "The Secret that the spec refers to does not exist in this namespace.",
        "Create the Secret, or correct the name in the field that the message names.",
        stalled_after=MISSING_SECRET_GRACE,
    ),
    Reason(
        names.SECRET_KEY_MISSING,
        _INDEX,
        "retry",
        "The Secret exists but has no such key, or the key is empty.",
        "Add the key to the Secret, or correct the key in the field that the message names.",
        stalled_after=MISSING_SECRET_GRACE,
    ),
    Reason(
        names.SERVICE_ACCOUNT_NOT_FOUND,
        _INDEX,
        "retry",
        "The ServiceAccount that the spec refers to does not exist in this namespace.",
        "Create it, or correct the name in the field that the message names.",
        stalled_after=MISSING_SECRET_GRACE,
    ),
    _cloud(
        names.TOKEN_REQUEST_FAILED,
        "retry",
        "The API server did not give the ServiceAccount's token when it was asked.",
        "Wait; it is tried again with growing pauses.",
    ),
    _cloud(
        names.TOKEN_REQUEST_DENIED,
        "act",
        "The operator may not read the ServiceAccount, or not ask for its tokens.",
        "Let the administrator grant what the message names, or log in another way.",
    ),
    _cloud(
        names.CLOUD_UNAVAILABLE,
        "retry",
        "The cloud could not be reached, answered with a server error, or answered with something "
        "that is no answer.",
        "Wait; it is tried again with growing pauses. If it lasts, look at the cloud's status, "
        "DNS, proxies and network policies of the operator.",
    ),
    _cloud(
        names.CLOUD_THROTTLED,
        "retry",
        "The cloud asked for fewer requests.",
        "Wait; the pause that the cloud asked for is kept. If it lasts, raise the account's quota.",
    ),
    Reason(
        names.CREDENTIAL_EXPIRED,
        _INDEX,
        "retry",
        "The last credential has expired, or is about to, and could not be replaced. It has left "
        "the outputs.",
        "The message holds the error of the last attempt; its remedy is the one to follow.",
        stalled_where="the last attempt failed for good, for example by a denied login",
    ),
    Reason(
        names.INTERNAL_ERROR,
        _BOTH,
        "retry",
        "The operator ran into an error of its own. It is tried again; other objects are not "
        "affected.",
        "Look for the object's name in the operator's log and report the error.",
    ),
    Reason(
        names.INVALID_SPEC,
        _BOTH,
        "act",
        "The spec breaks a rule that the API server did not check, for example because the "
        "installed CRDs are older than the operator.",
        "Correct the field that the message names, and apply the operator's CRDs.",
    ),
    Reason(
        names.INSECURE_URL,
        _BOTH,
        "act",
        "A URL or host begins with `http://`, which would send a credential or a package in clear "
        "text.",
        "Use `https://`, or ask the administrator to start the operator with --allow-http.",
    ),
    Reason(
        names.HOST_NOT_ALLOWED,
        _BOTH,
        "act",
        "A URL names a host that the administrator does not allow.",
        "Use a host that is allowed, or ask the administrator to add it to `--allowed-hosts`.",
    ),
    Reason(
        names.OPERATOR_IDENTITY_NOT_ALLOWED,
        _INDEX,
        "act",
        "The spec uses the operator's own cloud identity and the administrator has not allowed "
        "that for this namespace.",
        "Set `auth.secretRef` of the source, or ask the administrator to add the namespace to "
        "--operator-identity-namespaces.",
    ),
    _cloud(
        names.NO_OPERATOR_IDENTITY,
        "act",
        "The spec uses the operator's own cloud identity and the operator has none.",
        "Set `auth.secretRef` of the source, or give the operator's pod an identity (IRSA, Pod "
        "Identity, Workload Identity).",
    ),
    Reason(
        names.SOURCE_IS_OUTPUT,
        _INDEX,
        "act",
        "The Secret that the spec refers to is written by the operator, or is named as an output "
        "in this namespace.",
        "Refer to another Secret, or rename the output.",
    ),
    Reason(
        names.INVALID_SECRET_VALUE,
        _INDEX,
        "act",
        "The value of the Secret's key cannot be used: it is no text, holds a line break, or is no "
        "URL where one is due.",
        "Correct the value of the key that the message names; the value itself is never shown.",
    ),
    _cloud(
        names.ACCESS_DENIED,
        "act",
        "The cloud knows the identity and refuses the request.",
        "Grant the permission that the message names to the identity.",
    ),
    _cloud(
        names.CLOUD_RESOURCE_NOT_FOUND,
        "act",
        "The cloud knows no such domain, repository or project.",
        "Correct the names in the source, and the region or location and the owner with them.",
    ),
    _cloud(
        names.INVALID_REQUEST,
        "act",
        "The cloud refuses the request as invalid.",
        "Correct the field that the message names.",
    ),
    _cloud(
        names.INVALID_CREDENTIAL,
        "act",
        "The cloud does not accept the key: it is wrong, deleted, disabled or expired.",
        "Replace the key in the Secret that the message names.",
    ),
    _cloud(
        names.UNKNOWN_EXPIRY,
        "act",
        "The cloud granted a token without saying when it expires; such a token is not served.",
        "Check what answers in the cloud's place: a proxy, an emulator or a custom endpoint.",
    ),
    Reason(
        names.NAME_CONFLICT,
        _INDEX,
        "act",
        "`spec.name` is taken by an older index, or by the public one, of the same IndexOptions; "
        "names count as equal when their environment variables do. This index is left out.",
        "Choose another `spec.name`, or select the two by different IndexOptions.",
    ),
    Reason(
        names.NO_INDEXES,
        _OPTIONS,
        "retry",
        "No ArtifactIndex of the namespace is selected. Nothing is created, and what was written "
        "stays until its tokens are withdrawn: a file with the public index alone is never "
        "written.",
        "Create an ArtifactIndex, or correct `spec.indexSelector` or the labels.",
    ),
    Reason(
        names.INDEXES_NOT_READY,
        _OPTIONS,
        "retry",
        "A selected index with `whenUnavailable: Block` has no usable credential, so that uv "
        "stops at its entry.",
        "The message names the index: follow the remedy of its own reason, or set "
        "`whenUnavailable: Omit` on it.",
        stalled_where="none of the unready indexes can recover by itself",
    ),
    Reason(
        names.WAITING_FOR_DELETION,
        _OPTIONS,
        "retry",
        "The output still belongs to a deleted IndexOptions of the same name.",
        "Wait for the garbage collector; if it lasts, see whether a finalizer holds the object.",
    ),
    Reason(
        names.WRITE_FAILED,
        _OPTIONS,
        "retry",
        "The API server refused to write the output, or could not be reached.",
        "Wait; it is tried again. If it lasts, check the operator's permissions, the namespace's "
        "quota and admission webhooks.",
    ),
    Reason(
        names.TARGET_NOT_OWNED,
        _OPTIONS,
        "act",
        "An object with the output's name exists and is not this IndexOptions' own. It is left "
        "untouched.",
        "Choose another name in `spec.outputs`, delete the object, or hand it over with the "
        "annotation `artifactindex.dev/adopt` set to the name of the IndexOptions.",
    ),
    Reason(
        names.TARGET_TOO_LARGE,
        _OPTIONS,
        "act",
        "The output would be larger than a Secret or ConfigMap may be (1 MiB).",
        "Select fewer indexes, or split them over several IndexOptions.",
    ),
    Reason(
        names.NOT_CREDENTIAL_FREE,
        _OPTIONS,
        "act",
        "A preauthenticated URL without user name, or with a query or fragment, may be a secret "
        "as a whole, and a ConfigMap must not hold it.",
        "Write to a Secret only, or give the index a `basicAuth` source.",
    ),
    Reason(
        names.TOKEN_TOO_SHORT,
        _BOTH,
        "note",
        "The token lives too short for `maxBuildDuration` and the operator's margins; the message "
        "has the numbers. It is refreshed as early as useful.",
        "Ask for longer tokens (`tokenDuration`), or lower `maxBuildDuration`.",
        condition=types.FRESHNESS_NOT_GUARANTEED,
    ),
    Reason(
        names.PUBLIC_INDEX_FIRST,
        _OPTIONS,
        "note",
        "`preferPrivate` is false: uv searches the public index first and takes a public package "
        "of the same name.",
        "Set `preferPrivate` to true unless that is what you want.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    Reason(
        names.UNSAFE_INDEX_STRATEGY,
        _OPTIONS,
        "note",
        "`indexStrategy` lets uv take a version from any index, public ones included.",
        "Use `first-index` unless that is what you want.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    Reason(
        names.ERROR_CODES_IGNORED,
        _OPTIONS,
        "note",
        "A selected index ignores 401 or 403: when its credential is refused, uv goes on to the "
        "next index.",
        "Remove 401 and 403 from `ignoreErrorCodes` of the index that the message names.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    Reason(
        names.INDEX_OMITTED,
        _OPTIONS,
        "note",
        "An index is left out of the file: one with `whenUnavailable: Omit` that has no usable "
        "credential, or one with a NameConflict.",
        "Follow the remedy of that index's own reason, or set `whenUnavailable: Block` on it.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    *FORMAT_REASONS,
)

REASONS: Final[Mapping[str, Reason]] = {reason.name: reason for reason in _TABLE}
"""Every reason by its name."""
