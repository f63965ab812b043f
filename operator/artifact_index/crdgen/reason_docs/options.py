"""The reasons of an IndexOptions: its selection, its outputs, and what they risk."""

from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api import reasons as names
from artifact_index.api.constants import INDEX_OPTIONS_KIND
from artifact_index.crdgen.reason_docs.reason import Reason

_OPTIONS = (INDEX_OPTIONS_KIND,)

OPTIONS_REASONS: Final = (
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
)
