"""Reasons of an IndexOptions: its selection, its outputs, their risks, and their formats."""

from functools import partial
from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api.reasons import Reason
from artifact_index.crdgen.reason_docs.reason import of_index, of_options

_risk: Final = partial(of_options, condition=types.DEPENDENCY_CONFUSION_RISK)
_limit: Final = partial(of_options, condition=types.FORMAT_LIMITED)

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
    _risk(
        Reason.PUBLIC_INDEX_FIRST,
        "`preferPrivate` is false: uv searches the public index first and takes a public package "
        "of the same name.",
        "Set `preferPrivate` to true unless that is what you want.",
    ),
    _risk(
        Reason.UNSAFE_INDEX_STRATEGY,
        "`indexStrategy` lets uv take a version from any index, public ones included.",
        "Use `first-index` unless that is what you want.",
    ),
    _risk(
        Reason.ERROR_CODES_IGNORED,
        "A selected index ignores 401 or 403: when its credential is refused, uv goes on to the "
        "next index.",
        "Remove 401 and 403 from `ignoreErrorCodes` of the index that the message names.",
    ),
    _risk(
        Reason.INDEX_OMITTED,
        "An index is left out of the file: one with `whenUnavailable: Omit` that has no usable "
        "credential, or one with a NameConflict.",
        "Follow the remedy of that index's own reason, or set `whenUnavailable: Block` on it.",
    ),
    _risk(
        Reason.REQUESTS_FORWARDED,
        "A selected index is one of GitLab's, which answers for a package that it does not have "
        "with PyPI's: before the private indexes that come after it, without a login, or where the "
        "public index is left out on purpose.",
        "Do what the message says: search it last, set `authenticate: always`, or turn the "
        "forwarding of package requests off in GitLab.",
    ),
    _risk(
        Reason.FORMAT_WITHOUT_ORDER,
        "An output holds PipConf or PdmToml with a public index beside private ones. pip and PDM "
        "know no order of indexes: the best version of all wins, and an index that refuses the "
        "login is passed over.",
        "Set `publicIndex.enabled` to false and let the private index proxy the public one, or "
        "leave that format out.",
    ),
    of_index(
        Reason.SHADOWS_SIBLINGS,
        "The index has a login and its URL is a prefix of another selected index's URL, as at the "
        "root of a host: uv would send its login to the other as well. It is not served.",
        "Give it a URL with a path of its own, or select the two by different IndexOptions.",
    ),
    of_options(
        Reason.NOT_EXPRESSIBLE,
        "A format of an output cannot hold the login of an index, for example netrc two logins "
        "for one host. That login is left out of that format; everything else is written.",
        "Do what the message says, or leave the format out.",
    ),
    _limit(
        Reason.INDEX_ORDER_NOT_KEPT,
        "pip and PDM know no order of indexes, so `priority` and `preferPrivate` have no effect "
        "on them.",
        "Nothing, unless the order matters to them: then let them see one index only.",
    ),
    _limit(
        Reason.EXPLICIT_INDEX_LEFT_OUT,
        "pip and PDM ask every index that they know for every package, so an index with "
        "`explicit: true` is not in pip.conf and config.toml.",
        "Nothing, or name it where the package is asked for.",
    ),
    _limit(
        Reason.VARIABLES_NOT_WRITTEN,
        "Variables that exist once (`TWINE_*`, `UV_PUBLISH_*`, `CODEARTIFACT_AUTH_TOKEN`) are not "
        "written, because several selected indexes claim them.",
        "Select those indexes by different IndexOptions.",
    ),
    of_options(
        Reason.ANONYMOUS_BESIDE_CREDENTIALED,
        "An index without a login, or the public one, is on the same host as one with a login. "
        "When it refuses a request, uv sends the login of the other there.",
        "Nothing where the host as a whole is trusted; else use two hosts.",
        condition=types.HOST_SHARED,
    ),
)
