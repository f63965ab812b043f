"""Reasons about output formats, and about indexes beside each other in one file."""

from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api.reasons import Reason
from artifact_index.crdgen.reason_docs.reason import of_index, of_options

FORMAT_REASONS: Final = (
    of_options(
        Reason.REQUESTS_FORWARDED,
        "A selected index is one of GitLab's, which answers for a package that it does not have "
        "with PyPI's: before the private indexes that come after it, without a login, or where the "
        "public index is left out on purpose.",
        "Do what the message says: search it last, set `authenticate: always`, or turn the "
        "forwarding of package requests off in GitLab.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    of_options(
        Reason.FORMAT_WITHOUT_ORDER,
        "An output holds PipConf or PdmToml with a public index beside private ones. pip and PDM "
        "know no order of indexes: the best version of all wins, and an index that refuses the "
        "login is passed over.",
        "Set `publicIndex.enabled` to false and let the private index proxy the public one, or "
        "leave that format out.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
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
    of_options(
        Reason.INDEX_ORDER_NOT_KEPT,
        "pip and PDM know no order of indexes, so `priority` and `preferPrivate` have no effect "
        "on them.",
        "Nothing, unless the order matters to them: then let them see one index only.",
        condition=types.FORMAT_LIMITED,
    ),
    of_options(
        Reason.EXPLICIT_INDEX_LEFT_OUT,
        "pip and PDM ask every index that they know for every package, so an index with "
        "`explicit: true` is not in pip.conf and config.toml.",
        "Nothing, or name it where the package is asked for.",
        condition=types.FORMAT_LIMITED,
    ),
    of_options(
        Reason.VARIABLES_NOT_WRITTEN,
        "Variables that exist once (`TWINE_*`, `UV_PUBLISH_*`, `CODEARTIFACT_AUTH_TOKEN`) are not "
        "written, because several selected indexes claim them.",
        "Select those indexes by different IndexOptions.",
        condition=types.FORMAT_LIMITED,
    ),
    of_options(
        Reason.ANONYMOUS_BESIDE_CREDENTIALED,
        "An index without a login, or the public one, is on the same host as one with a login. "
        "When it refuses a request, uv sends the login of the other there.",
        "Nothing where the host as a whole is trusted; else use two hosts.",
        condition=types.HOST_SHARED,
    ),
)
