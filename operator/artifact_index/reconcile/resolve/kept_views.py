"""Views that all files with the same index share while what they were made from stands."""

from typing import Final

from artifact_index.credentials.aws.endpoints import EndpointState
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.token_state import TokenState
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef
from artifact_index.reconcile.resolve.token_view import IndexState, view_of
from artifact_index.sources.base import ResolvedSource

_Place = tuple[ObjectRef, float, bool]
_KEPT: Final = 256
"""Views that are kept: what a file of more than that would find is gone before the next one."""


class KeptViews:
    """`view_of` with a memory: what follows from one view is then made once as well.

    A view follows from the record, the login (which in turn is made anew when the spec, the source
    or the policy changes), the leases and the length of builds. Time decides only what is said of a
    token that has been withdrawn: that is not kept.
    """

    def __init__(self, margins: Margins) -> None:
        self._margins = margins
        self._kept: dict[_Place, tuple[IndexState, EndpointState | None]] = {}

    def view_of(
        self,
        record: IndexObject,
        scope: str,
        login: ResolvedSource,
        *,
        token: TokenState | None,
        token_digest: str | None,
        endpoint: EndpointState | None,
        endpoint_digest: str | None,
        max_build: float,
        allow_http: bool,
        now: float,
    ) -> IndexState:
        """The view of an index that passed its checks, as `views.view_of` makes it."""
        withdrawn = token is not None and token.token is not None and not token.servable(now)
        place = record.ref, max_build, token_digest is None
        view, last_endpoint = self._kept.get(place, (None, None))
        if (
            view is not None
            and view.record is record
            and view.login is login
            and view.token == token
            and last_endpoint == endpoint
            and not withdrawn
        ):
            return view
        view = view_of(
            record,
            scope,
            login,
            token=token,
            token_digest=token_digest,
            endpoint=endpoint,
            endpoint_digest=endpoint_digest,
            max_build=max_build,
            allow_http=allow_http,
            margins=self._margins,
            now=now,
        )
        self._kept.pop(place, None)
        if not withdrawn:
            self._kept[place] = view, endpoint
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return view
