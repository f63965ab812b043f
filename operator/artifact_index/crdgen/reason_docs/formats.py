"""Reasons about output formats, and about indexes beside each other in one file."""

from typing import Final

from artifact_index.api import conditions as types
from artifact_index.api.constants import ARTIFACT_INDEX_KIND, INDEX_OPTIONS_KIND
from artifact_index.api.reasons import Reason
from artifact_index.crdgen.reason_docs.reason import ReasonDoc

_INDEX = (ARTIFACT_INDEX_KIND,)
_OPTIONS = (INDEX_OPTIONS_KIND,)

FORMAT_REASONS: Final = (
    ReasonDoc(
        Reason.REQUESTS_FORWARDED,
        _OPTIONS,
        "A selected index is one of GitLab's, which answers for a package that it does not have "
        "with PyPI's: before the private indexes that come after it, without a login, or where the "
        "public index is left out on purpose.",
        "Do what the message says: search it last, set `authenticate: always`, or turn the "
        "forwarding of package requests off in GitLab.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    ReasonDoc(
        Reason.FORMAT_WITHOUT_ORDER,
        _OPTIONS,
        "An output holds PipConf or PdmToml with a public index beside private ones. pip and PDM "
        "know no order of indexes: the best version of all wins, and an index that refuses the "
        "login is passed over.",
        "Set `publicIndex.enabled` to false and let the private index proxy the public one, or "
        "leave that format out.",
        condition=types.DEPENDENCY_CONFUSION_RISK,
    ),
    ReasonDoc(
        Reason.SHADOWS_SIBLINGS,
        _INDEX,
        "The index has a login and its URL is a prefix of another selected index's URL, as at the "
        "root of a host: uv would send its login to the other as well. It is not served.",
        "Give it a URL with a path of its own, or select the two by different IndexOptions.",
    ),
    ReasonDoc(
        Reason.NOT_EXPRESSIBLE,
        _OPTIONS,
        "A format of an output cannot hold the login of an index, for example netrc two logins "
        "for one host. That login is left out of that format; everything else is written.",
        "Do what the message says, or leave the format out.",
    ),
    ReasonDoc(
        Reason.INDEX_ORDER_NOT_KEPT,
        _OPTIONS,
        "pip and PDM know no order of indexes, so `priority` and `preferPrivate` have no effect "
        "on them.",
        "Nothing, unless the order matters to them: then let them see one index only.",
        condition=types.FORMAT_LIMITED,
    ),
    ReasonDoc(
        Reason.EXPLICIT_INDEX_LEFT_OUT,
        _OPTIONS,
        "pip and PDM ask every index that they know for every package, so an index with "
        "`explicit: true` is not in pip.conf and config.toml.",
        "Nothing, or name it where the package is asked for.",
        condition=types.FORMAT_LIMITED,
    ),
    ReasonDoc(
        Reason.VARIABLES_NOT_WRITTEN,
        _OPTIONS,
        "Variables that exist once (`TWINE_*`, `UV_PUBLISH_*`, `CODEARTIFACT_AUTH_TOKEN`) are not "
        "written, because several selected indexes claim them.",
        "Select those indexes by different IndexOptions.",
        condition=types.FORMAT_LIMITED,
    ),
    ReasonDoc(
        Reason.ANONYMOUS_BESIDE_CREDENTIALED,
        _OPTIONS,
        "An index without a login, or the public one, is on the same host as one with a login. "
        "When it refuses a request, uv sends the login of the other there.",
        "Nothing where the host as a whole is trusted; else use two hosts.",
        condition=types.HOST_SHARED,
    ),
)
