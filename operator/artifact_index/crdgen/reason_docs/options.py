"""Reasons of an IndexOptions: its selection, its outputs, and their risks."""

from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api.reasons import Reason
from artifact_index.crdgen.reason_docs.reason import of_options

OPTIONS_REASONS: Final = (
    of_options(
        Reason.NO_INDEXES,
        "No ArtifactIndex of the namespace is selected. Nothing is created, and what was written "
        "stays until its tokens are withdrawn: a file with the public index alone is never "
        "written.",
        "Create an ArtifactIndex, or correct `spec.indexSelector` or the labels.",
    ),
    of_options(
        Reason.INDEXES_NOT_READY,
        "A selected index with `whenUnavailable: Block` has no usable credential, so that uv "
        "stops at its entry.",
        "The message names the index: follow the remedy of its own reason, or set "
        "`whenUnavailable: Omit` on it.",
        stalled_where="none of the unready indexes can recover by itself",
    ),
    of_options(
        Reason.WAITING_FOR_DELETION,
        "The output still belongs to a deleted IndexOptions of the same name.",
        "Wait for the garbage collector; if it lasts, see whether a finalizer holds the object.",
    ),
    of_options(
        Reason.WRITE_FAILED,
        "The API server refused to write the output, or could not be reached.",
        "Wait; the operator retries. If it lasts, check its permissions, the namespace's quota and "
        "admission webhooks.",
    ),
    of_options(
        Reason.TARGET_NOT_OWNED,
        "An object with the output's name exists and is not this IndexOptions' own. It is left "
        "untouched.",
        "Choose another name in `spec.outputs`, delete the object, or hand it over with the "
        "annotation `artifactindex.dev/adopt` set to the name of the IndexOptions.",
    ),
    of_options(
        Reason.TARGET_TOO_LARGE,
        "The output would be larger than a Secret or ConfigMap may be (1 MiB).",
        "Select fewer indexes, or split them over several IndexOptions.",
    ),
    of_options(
        Reason.NOT_CREDENTIAL_FREE,
        "A preauthenticated URL without user name, or with a query or fragment, may be a secret "
        "as a whole, and a ConfigMap must not hold it.",
        "Write to a Secret only, or give the index a `basicAuth` source.",
    ),
    of_options(
        Reason.PUBLIC_INDEX_FIRST,
        "`preferPrivate` is false: uv searches the public index first and takes a public package "
        "of the same name.",
        "Set `preferPrivate` to true unless that is what you want.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    of_options(
        Reason.UNSAFE_INDEX_STRATEGY,
        "`indexStrategy` lets uv take a version from any index, public ones included.",
        "Use `first-index` unless that is what you want.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    of_options(
        Reason.ERROR_CODES_IGNORED,
        "A selected index ignores 401 or 403: when its credential is refused, uv goes on to the "
        "next index.",
        "Remove 401 and 403 from `ignoreErrorCodes` of the index that the message names.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    of_options(
        Reason.INDEX_OMITTED,
        "An index is left out of the file: one with `whenUnavailable: Omit` that has no usable "
        "credential, or one with a NameConflict.",
        "Follow the remedy of that index's own reason, or set `whenUnavailable: Block` on it.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
)
