"""Reasons of an IndexOptions: its selection, its outputs, and their risks."""

from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api.constants import INDEX_OPTIONS_KIND
from artifact_index.api.reasons import Reason
from artifact_index.crdgen.reason_docs.reason import ReasonDoc

_OPTIONS = (INDEX_OPTIONS_KIND,)

OPTIONS_REASONS: Final = (
    ReasonDoc(
        Reason.NO_INDEXES,
        _OPTIONS,
        "No ArtifactIndex of the namespace is selected. Nothing is created, and what was written "
        "stays until its tokens are withdrawn: a file with the public index alone is never "
        "written.",
        "Create an ArtifactIndex, or correct `spec.indexSelector` or the labels.",
    ),
    ReasonDoc(
        Reason.INDEXES_NOT_READY,
        _OPTIONS,
        "A selected index with `whenUnavailable: Block` has no usable credential, so that uv "
        "stops at its entry.",
        "The message names the index: follow the remedy of its own reason, or set "
        "`whenUnavailable: Omit` on it.",
        stalled_where="none of the unready indexes can recover by itself",
    ),
    ReasonDoc(
        Reason.WAITING_FOR_DELETION,
        _OPTIONS,
        "The output still belongs to a deleted IndexOptions of the same name.",
        "Wait for the garbage collector; if it lasts, see whether a finalizer holds the object.",
    ),
    ReasonDoc(
        Reason.WRITE_FAILED,
        _OPTIONS,
        "The API server refused to write the output, or could not be reached.",
        "Wait; the operator retries. If it lasts, check its permissions, the namespace's quota and "
        "admission webhooks.",
    ),
    ReasonDoc(
        Reason.TARGET_NOT_OWNED,
        _OPTIONS,
        "An object with the output's name exists and is not this IndexOptions' own. It is left "
        "untouched.",
        "Choose another name in `spec.outputs`, delete the object, or hand it over with the "
        "annotation `artifactindex.dev/adopt` set to the name of the IndexOptions.",
    ),
    ReasonDoc(
        Reason.TARGET_TOO_LARGE,
        _OPTIONS,
        "The output would be larger than a Secret or ConfigMap may be (1 MiB).",
        "Select fewer indexes, or split them over several IndexOptions.",
    ),
    ReasonDoc(
        Reason.NOT_CREDENTIAL_FREE,
        _OPTIONS,
        "A preauthenticated URL without user name, or with a query or fragment, may be a secret "
        "as a whole, and a ConfigMap must not hold it.",
        "Write to a Secret only, or give the index a `basicAuth` source.",
    ),
    ReasonDoc(
        Reason.PUBLIC_INDEX_FIRST,
        _OPTIONS,
        "`preferPrivate` is false: uv searches the public index first and takes a public package "
        "of the same name.",
        "Set `preferPrivate` to true unless that is what you want.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    ReasonDoc(
        Reason.UNSAFE_INDEX_STRATEGY,
        _OPTIONS,
        "`indexStrategy` lets uv take a version from any index, public ones included.",
        "Use `first-index` unless that is what you want.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    ReasonDoc(
        Reason.ERROR_CODES_IGNORED,
        _OPTIONS,
        "A selected index ignores 401 or 403: when its credential is refused, uv goes on to the "
        "next index.",
        "Remove 401 and 403 from `ignoreErrorCodes` of the index that the message names.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    ReasonDoc(
        Reason.INDEX_OMITTED,
        _OPTIONS,
        "An index is left out of the file: one with `whenUnavailable: Omit` that has no usable "
        "credential, or one with a NameConflict.",
        "Follow the remedy of that index's own reason, or set `whenUnavailable: Block` on it.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
)
