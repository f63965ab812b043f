"""Gathering: everything that one pass over an IndexOptions decides on, and nothing is written."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from artifact_index.api.index_options import OutputFormat
from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.requests import Requirement
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.formats.registry import login_formats, needs_login
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef, OptionsObject
from artifact_index.reconcile.cache.refresh_requests import refresh_request
from artifact_index.reconcile.cache.source_cache import SourceCache, SourceReader
from artifact_index.reconcile.cache.status_parsing import reported_expiry
from artifact_index.reconcile.resolve.checks import Policy, Problem, public_index_problem
from artifact_index.reconcile.resolve.kept_views import KeptViews
from artifact_index.reconcile.resolve.resolver import Resolution, Resolver
from artifact_index.reconcile.resolve.token_view import (
    IndexState,
    view_without_login,
)
from artifact_index.reconcile.state.state import State
from artifact_index.sources.references import declared_outputs

_FORBIDDEN_RECHECK: Final = 30.0
"""Seconds after which a Secret is asked for again that the operator must not read."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The indexes of one IndexOptions as they stand; `waiting_until` while first logins run.

    `problem` is one of the IndexOptions itself: its public index must not be asked.
    """

    views: list[IndexState]
    problem: Problem | None
    with_credentials: bool
    waiting_until: float | None


@dataclass(frozen=True, slots=True)
class _File:
    """What one IndexOptions asks of each of its indexes, found once in a pass.

    `max_build` is in seconds, `fresh_after` its own refresh request in POSIX seconds.
    """

    ref: ObjectRef
    login_formats: frozenset[OutputFormat]
    max_build: int
    fresh_after: int | None
    policy: Policy


class Gatherer:
    """Reads what a pass needs; its only effect is what it asks of the broker."""

    def __init__(
        self,
        *,
        cache: Cache,
        sources: SourceCache,
        tokens: TokenManager,
        endpoints: Endpoints,
        state: State,
        digester: Digester,
        policy: Callable[[str], Policy],
        margins: Margins,
        patience: float,
        now: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._sources = sources
        self._tokens = tokens
        self._endpoints = endpoints
        self._state = state
        self._policy = policy
        self._margins = margins
        self._views = KeptViews(margins)
        self._patience = patience
        self._now = now
        self._began = now()
        self._attempts = Resolver(
            cache=cache, state=state, digester=digester, policy=policy, now=now
        )

    async def gather(self, options: OptionsObject) -> Gathered:
        """The views of all selected indexes, after asking the token manager for their logins.

        Raises ApiError where the API server does not answer for a source Secret.
        """
        file = self._file(options)
        reader = self._sources.bound_to(options.ref.namespace)
        attempts = [
            await self._attempt(record, file, reader) for record in self._cache.selected(options)
        ]
        with_credentials = any(ref.kind == "Secret" for ref in declared_outputs(options))
        self._demand(file, attempts)
        now = self._now()
        views = [self._view(attempt, file, now) for attempt in attempts]
        problem = public_index_problem(options.spec, file.policy) if options.spec else None
        return Gathered(views, problem, with_credentials, self._waiting_until(views))

    def release(self, options: ObjectRef) -> None:
        """Require nothing for an IndexOptions any more; it publishes nothing."""
        self._tokens.release(options)
        self._endpoints.release(options)

    def awaits(self, options: ObjectRef) -> bool:
        """True while a cloud has not answered for something that the IndexOptions requires."""
        return self._tokens.awaits(options) or self._endpoints.awaits(options)

    def spec_problem(self, record: IndexObject) -> Problem | None:
        """What the spec alone tells of an index that nobody selects."""
        return self._attempts.spec_problem(record)

    def _file(self, options: OptionsObject) -> _File:
        spec = options.spec
        return _File(
            ref=options.ref,
            login_formats=login_formats(spec, options.ref.name) if spec else frozenset(),
            max_build=spec.max_build_duration.seconds if spec else 0,
            fresh_after=self._asked(options),
            policy=self._policy(options.ref.namespace),
        )

    async def _attempt(self, record: IndexObject, file: _File, reader: SourceReader) -> Resolution:
        suspended = record.spec is not None and record.spec.suspend
        again = not suspended and self._takes_up_request(record, file)
        return await self._attempts.attempt(record, reader, again=again)

    def _demand(self, file: _File, attempts: list[Resolution]) -> None:
        """Ask for each login once, however many indexes of the file share it."""
        requirements: dict[str, Requirement] = {}
        lookups: dict[str, Requirement] = {}
        for attempt in attempts:
            record, login = attempt.record, attempt.login
            if login is None:
                continue
            fresh_after = self._fresh_after(record, file)
            if login.token is not None and _needs_login(file, record):
                known = requirements.get(login.token_digest)
                if known is None:
                    needed_by = reported_expiry(record.status)
                    known = Requirement(
                        login.token_digest,
                        login.token,
                        login.material,
                        file.max_build,
                        needed_by=needed_by,
                    )
                requirements[login.token_digest] = _as_fresh(known, fresh_after)
            if login.endpoint is not None:
                known = lookups.get(login.endpoint_digest)
                if known is None:
                    known = Requirement(login.endpoint_digest, login.endpoint, login.material)
                lookups[login.endpoint_digest] = _as_fresh(known, fresh_after)
        # First the URLs: the token manager may report a change within `require`.
        self._endpoints.require(file.ref, lookups.values())
        self._tokens.require(file.ref, requirements.values())

    def _asked(self, record: IndexObject | OptionsObject) -> int | None:
        """The refresh request that the status does not repeat yet."""
        if record.refresh_requested is None:
            return None
        request = refresh_request(record, now=self._now(), skew=self._margins.clock_skew)
        return request.at if request is not None and not request.handled else None

    def _fresh_after(self, record: IndexObject, file: _File) -> int | None:
        """The latest refresh request of both objects that the status does not repeat yet."""
        requests = (self._asked(record), file.fresh_after)
        return max((at for at in requests if at is not None), default=None)

    def _takes_up_request(self, record: IndexObject, file: _File) -> bool:
        """Whether a refresh request is new: its source is then read again, once."""
        asked = self._fresh_after(record, file)
        if asked is None or asked <= self._state.reread_for.get(record.uid, -math.inf):
            return False
        self._state.reread_for[record.uid] = asked
        return True

    def _view(self, attempt: Resolution, file: _File, now: float) -> IndexState:
        login = attempt.login
        if login is None or attempt.scope is None:
            recheck_at = self._recheck_at(attempt)
            return view_without_login(attempt.record, attempt.scope, attempt.problem, recheck_at)
        wanted = login.token is not None and _needs_login(file, attempt.record)
        token = login.token_digest if wanted else None
        endpoint = login.endpoint_digest if login.endpoint is not None else None
        return self._views.view_of(
            attempt.record,
            attempt.scope,
            login,
            token=self._tokens.state_of(token) if token is not None else None,
            token_digest=token,
            endpoint=self._endpoints.state_of(endpoint) if endpoint is not None else None,
            endpoint_digest=endpoint,
            max_build=file.max_build,
            allow_http=file.policy.allow_http,
            now=now,
        )

    def _recheck_at(self, attempt: Resolution) -> float | None:
        """When a grace ends, or a Secret is asked for again that no re-read asks for."""
        if attempt.problem is None or attempt.problem.stalled:
            return None
        if not attempt.problem.reason.missing_source:
            return self._now() + _FORBIDDEN_RECHECK
        since = self._state.missing_since.get(attempt.record.uid)
        if since is None:
            return None
        return since + self._policy(attempt.record.ref.namespace).missing_secret_grace

    def _waiting_until(self, views: list[IndexState]) -> float | None:
        """Until when a first answer is worth waiting for; None where none is awaited any more."""
        now = self._now()
        ends = [
            view.pending_since + self._patience
            for view in views
            if view.pending_since is not None and view.problem is not None
        ]
        if self._began + self._patience > now and any(
            self._was_failing(view, now) for view in views
        ):
            ends.append(self._began + self._patience)
        return max((end for end in ends if end > now), default=None)

    def _was_failing(self, view: IndexState, now: float) -> bool:
        """Whether a refresh that failed before this process began is just being tried again.

        What came of it is told then: until it fails anew it would look mended.
        """
        token = view.token
        if token is None or token.token is None or token.error is not None:
            return False
        if token.next_attempt_at is not None and token.next_attempt_at > now:
            return False
        return view.record.uid in self._state.failing_before


def _needs_login(file: _File, index: IndexObject) -> bool:
    return index.spec is not None and needs_login(file.login_formats, index.spec)


def _as_fresh(want: Requirement, after: int | None) -> Requirement:
    """The same with the later of two refresh requests."""
    if after is None or (want.fresh_after is not None and want.fresh_after >= after):
        return want
    return replace(want, fresh_after=after)
