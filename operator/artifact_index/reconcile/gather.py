"""Gathering: everything that one pass over an IndexOptions decides on, and nothing is written."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from artifact_index.api.conditions import REFRESH_FAILING
from artifact_index.credentials.broker import Broker
from artifact_index.credentials.freshness import Margins
from artifact_index.credentials.grants import GrantRequest
from artifact_index.credentials.lease import Lease, Want
from artifact_index.reconcile.attempts import Attempt, Attempts
from artifact_index.reconcile.checks import Policy, Problem, public_index_problem
from artifact_index.reconcile.conditions import condition_of
from artifact_index.reconcile.digests import Digester
from artifact_index.reconcile.formats import needs_login
from artifact_index.reconcile.login import Login
from artifact_index.reconcile.memory import Memory
from artifact_index.reconcile.records import IndexRecord, OptionsRecord
from artifact_index.reconcile.references import declared_outputs
from artifact_index.reconcile.refresh import refresh_request
from artifact_index.reconcile.sources import SourceReader, Sources
from artifact_index.reconcile.statuses import told_expiry
from artifact_index.reconcile.store import Store
from artifact_index.reconcile.views import (
    MISSING_REASONS,
    IndexView,
    view_of,
    view_without_login,
)

_FORBIDDEN_RECHECK: Final = 30.0
"""Seconds after which a Secret is asked for again that the operator must not read."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The indexes of one IndexOptions as they stand; `waiting_until` while first logins run.

    `problem` is one of the IndexOptions itself: its public index must not be asked.
    """

    views: list[IndexView]
    problem: Problem | None
    with_credentials: bool
    waiting_until: float | None


class Gatherer:
    """Reads what a pass needs; its only effect is what it asks of the broker."""

    def __init__(
        self,
        *,
        store: Store,
        sources: Sources,
        broker: Broker,
        memory: Memory,
        digester: Digester,
        policy: Callable[[str], Policy],
        margins: Margins,
        patience: float,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._sources = sources
        self._broker = broker
        self._memory = memory
        self._digester = digester
        self._policy = policy
        self._margins = margins
        self._patience = patience
        self._now = now
        self._began = now()
        self._attempts = Attempts(
            store=store, memory=memory, digester=digester, policy=policy, now=now
        )

    async def gather(self, options: OptionsRecord) -> Gathered:
        """The views of all selected indexes, after asking the broker for their logins.

        Raises ApiError where the API server does not answer for a source Secret.
        """
        reader = self._sources.bound_to(options.ref.namespace)
        attempts = [
            await self._attempt(record, options, reader) for record in self._store.selected(options)
        ]
        with_credentials = any(ref.kind == "Secret" for ref in declared_outputs(options))
        self._demand(options, attempts)
        views = [self._view(attempt, options) for attempt in attempts]
        policy = self._policy(options.ref.namespace)
        problem = public_index_problem(options.spec, policy) if options.spec else None
        return Gathered(views, problem, with_credentials, self._waiting_until(views))

    def spec_problem(self, record: IndexRecord) -> Problem | None:
        """What the spec alone tells of an index that nobody selects."""
        return self._attempts.spec_problem(record)

    async def _attempt(
        self, record: IndexRecord, options: OptionsRecord, reader: SourceReader
    ) -> Attempt:
        suspended = record.spec is not None and record.spec.suspend
        again = not suspended and self._takes_up_request(record, options)
        return await self._attempts.attempt(record, reader, again=again)

    def _demand(self, options: OptionsRecord, attempts: list[Attempt]) -> None:
        wants: list[Want] = []
        for attempt in attempts:
            login = attempt.login
            if login is None:
                continue
            if login.token is not None and _needs_login(options, attempt.record):
                wants.append(self._want(login, login.token, attempt.record, options))
            if login.endpoint is not None:
                fresh_after = self._fresh_after(attempt.record, options)
                wants.append(Want(login.endpoint, login.material, fresh_after=fresh_after))
        self._broker.demand(options.ref, wants)

    def _want(
        self, login: Login, token: GrantRequest, record: IndexRecord, options: OptionsRecord
    ) -> Want:
        lease = self._lease(self._digester.request(token))
        held = lease is not None and lease.grant is not None
        return Want(
            token,
            login.material,
            _max_build(options),
            fresh_after=self._fresh_after(record, options),
            needed_by=None if held else told_expiry(record.decoded_status()),
        )

    def _fresh_after(self, record: IndexRecord, options: OptionsRecord) -> int | None:
        """The latest refresh request of both objects that the status does not repeat yet."""
        now, skew = self._now(), self._margins.clock_skew
        requests = (refresh_request(one, now=now, skew=skew) for one in (record, options))
        return max((one.at for one in requests if one and not one.handled), default=None)

    def _takes_up_request(self, record: IndexRecord, options: OptionsRecord) -> bool:
        """Whether a refresh request is new: its source is then read again, once."""
        asked = self._fresh_after(record, options)
        if asked is None or asked <= self._memory.reread_for.get(record.uid, -math.inf):
            return False
        self._memory.reread_for[record.uid] = asked
        return True

    def _view(self, attempt: Attempt, options: OptionsRecord) -> IndexView:
        login = attempt.login
        if login is None or attempt.scope is None:
            recheck_at = self._recheck_at(attempt)
            return view_without_login(attempt.record, attempt.scope, attempt.problem, recheck_at)
        wanted = login.token is not None and _needs_login(options, attempt.record)
        token = self._digester.request(login.token) if login.token and wanted else None
        endpoint = self._digester.request(login.endpoint) if login.endpoint else None
        return view_of(
            attempt.record,
            attempt.scope,
            login,
            token=self._lease(token),
            token_digest=token,
            endpoint=self._lease(endpoint),
            endpoint_digest=endpoint,
            max_build=_max_build(options),
            allow_http=self._policy(options.ref.namespace).allow_http,
            margins=self._margins,
            now=self._now(),
        )

    def _recheck_at(self, attempt: Attempt) -> float | None:
        """When a grace ends, or a Secret is asked for again that no re-read asks for."""
        if attempt.problem is None or attempt.problem.stalled:
            return None
        if attempt.problem.reason not in MISSING_REASONS:
            return self._now() + _FORBIDDEN_RECHECK
        since = self._memory.missing_since.get(attempt.record.uid)
        if since is None:
            return None
        return since + self._policy(attempt.record.ref.namespace).missing_secret_grace

    def _lease(self, digest: str | None) -> Lease | None:
        return self._broker.lease(digest) if digest is not None else None

    def _waiting_until(self, views: list[IndexView]) -> float | None:
        """Until when a first answer is worth waiting for; None where none is awaited any more."""
        now = self._now()
        ends = [
            view.pending_since + self._patience
            for view in views
            if view.pending_since is not None and view.problem is not None
        ]
        if self._began + self._patience > now and any(_was_failing(view, now) for view in views):
            ends.append(self._began + self._patience)
        return max((end for end in ends if end > now), default=None)


def _was_failing(view: IndexView, now: float) -> bool:
    """Whether a refresh that failed before this process began is just being tried again.

    What came of it is told then: until it fails anew it would look mended.
    """
    token = view.token
    if token is None or token.grant is None or token.error is not None:
        return False
    if token.next_attempt_at is not None and token.next_attempt_at > now:
        return False
    return condition_of(view.record.decoded_status(), REFRESH_FAILING) is not None


def _needs_login(options: OptionsRecord, index: IndexRecord) -> bool:
    if options.spec is None or index.spec is None:
        return False
    return needs_login(options.spec, options.ref.name, index.spec)


def _max_build(options: OptionsRecord) -> int:
    return options.spec.max_build_duration.seconds if options.spec else 0
