"""Gathering: everything that one pass over an IndexOptions decides on, and nothing is written."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from artifact_index.api.conditions import READY, REFRESH_FAILING
from artifact_index.api.timestamps import parse_time
from artifact_index.credentials.broker import Broker
from artifact_index.credentials.freshness import Margins
from artifact_index.credentials.grants import GrantRequest
from artifact_index.credentials.lease import Lease, Want
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.checks import (
    SOURCE_CHECKS,
    SPEC_CHECKS,
    IndexFacts,
    Policy,
    Problem,
    first_violation,
    public_index_problem,
    secret_is_forbidden,
)
from artifact_index.reconcile.conditions import condition_of
from artifact_index.reconcile.digests import Digester
from artifact_index.reconcile.formats import needs_login
from artifact_index.reconcile.login import Login, login_of, scope_of
from artifact_index.reconcile.memory import Memory
from artifact_index.reconcile.records import IndexRecord, ObjectRef, OptionsRecord
from artifact_index.reconcile.references import declared_outputs, secret_use
from artifact_index.reconcile.refresh import refresh_request
from artifact_index.reconcile.served import WITHDRAWN_AT_ONCE
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


@dataclass(slots=True)
class _Attempt:
    record: IndexRecord
    scope: str | None
    problem: Problem | None = None
    login: Login | None = None


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
        return first_violation(SPEC_CHECKS, self._facts(record))

    async def _attempt(
        self, record: IndexRecord, options: OptionsRecord, reader: SourceReader
    ) -> _Attempt:
        scope = scope_of(record.spec, self._digester) if record.spec else None
        facts = self._facts(record)
        problem = first_violation(SPEC_CHECKS, facts)
        if record.spec is not None and record.spec.suspend:
            # It stands still whatever is wrong with it, but not against the administrator.
            forbidden = problem is not None and problem.reason in WITHDRAWN_AT_ONCE
            return _Attempt(record, scope, problem if forbidden else None)
        again = self._takes_up_request(record, options)
        if problem is None and facts.use is not None:
            try:
                secret = await reader.read(facts.use.name, again=again)
            except ApiError as error:
                if not error.forbidden:
                    raise
                # A matter of this one Secret; the other indexes must not wait for it.
                return _Attempt(record, scope, secret_is_forbidden(facts.use, error.message))
            facts = replace(facts, secret=secret)
            problem = first_violation(SOURCE_CHECKS, facts)
            if problem is not None and problem.reason in MISSING_REASONS:
                facts = replace(facts, missing_for=self._missing_for(record))
                problem = first_violation(SOURCE_CHECKS, facts)
            self._note_missing(record, problem)
        if problem is None and facts.account_use is not None:
            account = await reader.read_account(facts.account_use.name, again=again)
            facts = replace(facts, account=account, missing_for=self._missing_for(record))
            problem = first_violation(SOURCE_CHECKS, facts)
            self._note_missing(record, problem)
        if problem is not None:
            return _Attempt(record, scope, problem)
        return _Attempt(record, scope, login=login_of(facts, self._digester))

    def _facts(self, record: IndexRecord) -> IndexFacts:
        use = secret_use(record.spec) if record.spec else None
        secret = ObjectRef(record.ref.namespace, use.name) if use else None
        return IndexFacts(
            record,
            self._policy(record.ref.namespace),
            secret_is_output=secret is not None and self._store.is_output(secret),
        )

    def _missing_for(self, record: IndexRecord) -> float:
        """Seconds since the Secret or key was first missed; a restart reads it from the status."""
        since = self._memory.missing_since.get(record.uid)
        if since is None:
            ready = condition_of(record.decoded_status(), READY)
            missed = ready is not None and ready["reason"] in MISSING_REASONS
            since = parse_time(ready["lastTransitionTime"]) if ready and missed else self._now()
        return max(0.0, self._now() - since)

    def _note_missing(self, record: IndexRecord, problem: Problem | None) -> None:
        if problem is None or problem.reason not in MISSING_REASONS:
            self._memory.missing_since.pop(record.uid, None)
        elif record.uid not in self._memory.missing_since:
            self._memory.missing_since[record.uid] = self._now() - self._missing_for(record)

    def _demand(self, options: OptionsRecord, attempts: list[_Attempt]) -> None:
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

    def _view(self, attempt: _Attempt, options: OptionsRecord) -> IndexView:
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

    def _recheck_at(self, attempt: _Attempt) -> float | None:
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
