"""Every reason of a condition, in one table: what it means and what to do about it.

The API reference is generated from this table. The code that finds a problem composes its message:
what is wrong, with which object and field, and the next step. An event about a transition has the
reason of the condition.
"""

from collections.abc import Mapping
from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api.constants import ARTIFACT_INDEX_KIND, INDEX_OPTIONS_KIND
from artifact_index.api.reasons import Polarity, Reason
from artifact_index.crdgen.reason_docs.formats import FORMAT_REASONS
from artifact_index.crdgen.reason_docs.index import INDEX_REASONS
from artifact_index.crdgen.reason_docs.options import OPTIONS_REASONS
from artifact_index.crdgen.reason_docs.reason import ReasonDoc

CONDITIONS_OF: Final[Mapping[Polarity, str]] = {
    Polarity.AVAILABLE: "Ready=True",
    Polarity.RETRY: "Ready=False, Reconciling=True",
    Polarity.ACT: "Ready=False, Stalled=True",
    Polarity.NOTE: "a condition of its own",
    Polarity.KEEP: "Ready keeps its last value",
}
"""Effect of a reason of each polarity on the conditions."""

_BOTH = (ARTIFACT_INDEX_KIND, INDEX_OPTIONS_KIND)

_COMMON: Final = (
    ReasonDoc(
        Reason.AVAILABLE,
        _BOTH,
        "The index can be served; of IndexOptions: the outputs are written and current.",
        "Nothing.",
    ),
    ReasonDoc(
        Reason.SUSPENDED,
        _BOTH,
        "`spec.suspend` is true. The entry and token of a suspended ArtifactIndex stay until the "
        "token is withdrawn; the outputs of a suspended IndexOptions are neither written nor "
        "repaired.",
        "Set `spec.suspend` to false to go on.",
    ),
    ReasonDoc(
        Reason.INTERNAL_ERROR,
        _BOTH,
        "The operator ran into an error of its own. It retries; other objects are not affected.",
        "Look for the object's name in the operator's log and report the error.",
    ),
    ReasonDoc(
        Reason.PERMISSION_MISSING,
        _BOTH,
        "The operator's own ServiceAccount may not read what this object needs.",
        "Let the administrator grant the permission that the message names, by the value of the "
        "Helm chart that it names.",
    ),
    ReasonDoc(
        Reason.INVALID_SPEC,
        _BOTH,
        "The spec breaks a rule that the API server did not check, for example because the "
        "installed CRDs are older than the operator.",
        "Correct the field that the message names, and apply the operator's CRDs.",
    ),
    ReasonDoc(
        Reason.INSECURE_URL,
        _BOTH,
        "A URL or host begins with `http://`, which would send a credential or a package in clear "
        "text.",
        "Use `https://`, or ask the administrator to start the operator with --allow-http.",
    ),
    ReasonDoc(
        Reason.HOST_NOT_ALLOWED,
        _BOTH,
        "A URL names a host that the administrator does not allow.",
        "Use a host that is allowed, or ask the administrator to add it to `--allowed-hosts`.",
    ),
    ReasonDoc(
        Reason.TOKEN_TOO_SHORT,
        _BOTH,
        "The token lives too short for `maxBuildDuration` and the operator's margins; the message "
        "has the numbers. It is refreshed as early as useful.",
        "Ask for longer tokens (`tokenDuration`), or lower `maxBuildDuration`.",
        condition=types.FRESHNESS_NOT_GUARANTEED,
    ),
)

REASONS: Final[Mapping[Reason, ReasonDoc]] = {
    doc.reason: doc for doc in (*_COMMON, *INDEX_REASONS, *OPTIONS_REASONS, *FORMAT_REASONS)
}
"""The documentation of every reason; a test keeps it complete."""
