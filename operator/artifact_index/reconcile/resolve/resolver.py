"""Resolves an ArtifactIndex to a login, and joins it with its token: both memoised."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef
from artifact_index.reconcile.cache.sources.reading import SourceCache
from artifact_index.reconcile.resolve.checks import (
    SOURCE_CHECKS,
    SPEC_CHECKS,
    first_violation,
    invalid_spec,
    secret_is_forbidden,
    unwatched_note,
)
from artifact_index.reconcile.resolve.clouds import Clouds
from artifact_index.reconcile.resolve.failures import internal_error
from artifact_index.reconcile.resolve.history import Histories
from artifact_index.reconcile.resolve.memo import STATES, Memo, SourceKey, StateKey
from artifact_index.reconcile.resolve.resolution import (
    Needs,
    Resolution,
    Resolved,
    SelectedIndex,
    Unresolved,
    unhandled_refresh,
)
from artifact_index.reconcile.resolve.token_view import (
    IndexState,
    state_key,
    with_token,
    without_login,
)
from artifact_index.sources.base import Inputs, SourceSecret
from artifact_index.sources.policy import Problem
from artifact_index.sources.registry import of

_FORBIDDEN_RECHECK: Final = 30.0
"""Seconds after which a Secret that the operator may not read is read again."""


class Resolver:
    """Resolves an ArtifactIndex to a login; memoised until an input changes (`memo.StateKey`).

    Problems are not memoised, since time alone may change them. `patience` is for how many seconds
    the first tokens are waited for.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        sources: SourceCache,
        clouds: Clouds,
        histories: Histories,
        patience: float,
        env: Env,
    ) -> None:
        self._cache = cache
        self._sources = sources
        self._clouds = clouds
        self._histories = histories
        self._patience = patience
        self._env = env
        self._started_at = env.clock()
        self._memo: Memo[StateKey, IndexState] = Memo(STATES)

    async def resolve(self, index: IndexObject, needs: Needs) -> Resolution:
        """Give the login of an index, or the first problem of its spec or source.

        A new refresh request has the source read again. Raises ApiError if the API server does not
        answer for the source; any other exception is a problem of this index.
        """
        try:
            return await self._resolve(index, needs)
        except ApiError:
            raise
        except Exception as error:
            return self._unresolved(index, internal_error(index.ref, error))

    async def _resolve(self, index: IndexObject, needs: Needs) -> Resolution:
        fresh_after = self._fresh_after(index, needs)
        if index.spec is None:
            return self._unresolved(index, self.spec_problem(index), fresh_after)
        if index.spec.suspend:
            # It keeps its entry whatever is wrong with its spec, unless policy forbids it.
            problem = self.spec_problem(index)
            forbidden = problem is not None and problem.reason.withdraws_at_once
            return self._unresolved(index, problem if forbidden else None)
        place = needs.place_of(index.ref, index.spec)
        reread = self._takes_up(index, fresh_after)
        if not reread and (latest := self._memo.latest(place)) is not None:
            key, state = latest[0].source, latest[1]
            stands = key == self._last_seen(index, key)
            if stands and state.login is not None and state.destination is not None:
                return Resolved(index, state.destination, state.login, place, key, fresh_after)
        inputs = self._inputs(index.ref, index.spec)
        problem = first_violation(SPEC_CHECKS, inputs)
        if problem is None:
            inputs, problem = await self._read_source(index, inputs, reread=reread)
        if problem is not None:
            return self._unresolved(index, problem, fresh_after)
        destination = self._env.digester.destination(*inputs.source.destination())
        login = inputs.source.resolve(inputs, self._env.digester)
        if note := unwatched_note(inputs):
            login = replace(login, note=login.note + note)
        return Resolved(index, destination, login, place, _source_key(index, inputs), fresh_after)

    def with_token(self, resolution: Resolution, namespace: str) -> IndexState:
        """Join what an index resolved to with its token and URL, as they are now.

        `namespace` is that of the IndexOptions, which has its share of the tokens.
        """
        try:
            return self._with_token(resolution, namespace)
        except Exception as error:
            index, problem = resolution.index, internal_error(resolution.index.ref, error)
            return IndexState(
                SelectedIndex.of(index),
                resolution.destination,
                problem=problem,
                recheck_at=self._recheck_at(index, problem),
            )

    def _with_token(self, resolution: Resolution, namespace: str) -> IndexState:
        if isinstance(resolution, Unresolved):
            return without_login(
                SelectedIndex.of(resolution.index),
                resolution.destination,
                resolution.problem,
                resolution.recheck_at,
                resolution.refused_as_of,
            )
        login, place, now = resolution.login, resolution.place, self._env.clock()
        token = self._clouds.token_of(login, namespace) if place.needs_token else None
        endpoint = self._clouds.endpoint_of(login)
        key = state_key(resolution, token, endpoint, now)
        state = self._memo.get(place, key)
        if state is None:
            margins = self._env.margins
            state = with_token(resolution, key, token, endpoint, margins=margins, now=now)
            self._memo.put(place, key, state)
        return state

    def first_token_deadline(self, indexes: Sequence[IndexState]) -> float | None:
        """Until when first tokens are worth waiting for, in POSIX seconds; None if none is."""
        now = self._env.clock()
        deadlines = [
            index.pending_since + self._patience
            for index in indexes
            if index.pending_since is not None and index.problem is not None
        ]
        after_start = self._started_at + self._patience
        if after_start > now and any(self._retries_after_start(index, now) for index in indexes):
            deadlines.append(after_start)
        return max((deadline for deadline in deadlines if deadline > now), default=None)

    def spec_problem(self, index: IndexObject) -> Problem | None:
        """The first problem of the spec alone; an exception is one, too."""
        if index.spec is None:
            return invalid_spec(index.problem) if index.problem is not None else None
        try:
            return first_violation(SPEC_CHECKS, self._inputs(index.ref, index.spec))
        except Exception as error:
            return internal_error(index.ref, error)

    def forget(self, index: ObjectRef) -> None:
        """Forget an ArtifactIndex that was deleted, or that no IndexOptions selects."""
        self._histories.forget(index)

    def _inputs(self, index: ObjectRef, spec: ArtifactIndexSpec) -> Inputs:
        """The inputs before the source is read."""
        home = self._cache.scope.home_of(index)
        inputs = Inputs.of(home, index.name, of(spec), self._env.policy(home))
        if inputs.use is None or not self._is_output(home, inputs.use.name):
            return inputs
        return replace(inputs, secret_is_output=True)

    def _is_output(self, namespace: str, secret: str | None) -> bool:
        return secret is not None and self._cache.is_output(ObjectRef(namespace, secret))

    def _last_seen(self, index: IndexObject, known: SourceKey) -> SourceKey:
        """The key of a `known` login as of now; sends no request."""
        home = self._cache.scope.home_of(index.ref)
        name, account_name = known.secret_name, known.account_name
        reader = self._sources.bound_to(home)
        return SourceKey(
            uid=index.uid,
            generation=index.generation,
            policy=self._env.policy(home),
            secret_name=name,
            secret=_version(reader.last_seen(name)) if name is not None else None,
            secret_is_output=self._is_output(home, name),
            account_name=account_name,
            account=reader.last_seen_account(account_name) if account_name is not None else None,
        )

    async def _read_source(
        self, index: IndexObject, inputs: Inputs, *, reread: bool
    ) -> tuple[Inputs, Problem | None]:
        """Add the Secret or ServiceAccount to the inputs, with their first problem."""
        use, account_use = inputs.use, inputs.account_use
        reader = self._sources.bound_to(inputs.namespace)
        if use is not None:
            try:
                secret = await reader.read(use, again=reread)
            except ApiError as error:
                if not error.forbidden:
                    raise
                # Only this Secret is concerned: the other indexes must not wait for it.
                return inputs, secret_is_forbidden(use, error.message)
            inputs = replace(inputs, secret=secret)
        if account_use is not None:
            account = await reader.read_account(account_use.name, again=reread)
            inputs = replace(inputs, account=account)
        if use is None and account_use is None:
            return inputs, None
        return inputs, self._source_problem(index, inputs)

    def _source_problem(self, index: IndexObject, inputs: Inputs) -> Problem | None:
        """The first problem of the source; if it is missing, since when counts."""
        now = self._env.clock()
        problem = first_violation(SOURCE_CHECKS, inputs)
        if problem is None or not problem.reason.missing_source:
            if (history := self._histories.get(index.ref, index.uid)) is not None:
                history.missing_since = None
            return problem
        history = self._histories.get_or_add(index.ref, index.uid)
        if history.missing_since is None:
            history.missing_since = now
        missing_for = max(0.0, now - history.missing_since)
        inputs = replace(inputs, missing_for=missing_for, missing_since=history.missing_since)
        return first_violation(SOURCE_CHECKS, inputs)

    def _unresolved(
        self, index: IndexObject, problem: Problem | None, fresh_after: int | None = None
    ) -> Unresolved:
        """`fresh_after` is the refresh request that the problem answers."""
        digester = self._env.digester
        destination = digester.destination(*of(index.spec).destination()) if index.spec else None
        refused_as_of = -math.inf if fresh_after is None else fresh_after
        recheck_at = self._recheck_at(index, problem)
        return Unresolved(index, destination, problem, recheck_at, refused_as_of)

    def _recheck_at(self, index: IndexObject, problem: Problem | None) -> float | None:
        """When a grace period ends, or a Secret is read again that nothing else re-reads."""
        if problem is None or problem.stalled:
            return None
        if not problem.reason.missing_source:
            return self._env.clock() + _FORBIDDEN_RECHECK
        history = self._histories.get(index.ref, index.uid)
        if history is None or history.missing_since is None:
            return None
        policy = self._env.policy(self._cache.scope.home_of(index.ref))
        return history.missing_since + policy.missing_secret_grace

    def _fresh_after(self, index: IndexObject, needs: Needs) -> int | None:
        """The latest refresh request of the index and its IndexOptions that is not handled."""
        requests = (unhandled_refresh(index, self._env), needs.fresh_after)
        return max((at for at in requests if at is not None), default=None)

    def _takes_up(self, index: IndexObject, fresh_after: int | None) -> bool:
        """Whether a refresh request is new: its source is then read again, once."""
        if fresh_after is None:
            return False
        history = self._histories.get_or_add(index.ref, index.uid)
        if history.reread_for is not None and fresh_after <= history.reread_for:
            return False
        history.reread_for = fresh_after
        return True

    def _retries_after_start(self, index: IndexState, now: float) -> bool:
        """Whether a refresh that failed before this process began is being retried right now.

        Its outcome is worth waiting for: until it fails again, the index would look mended.
        """
        token = index.token
        if token is None or token.token is None or token.error is not None:
            return False
        if token.next_attempt_at is not None and token.next_attempt_at > now:
            return False
        history = self._histories.get(index.selected.ref, index.selected.uid)
        return history is not None and history.was_failing


def _source_key(index: IndexObject, inputs: Inputs) -> SourceKey:
    return SourceKey(
        uid=index.uid,
        generation=index.generation,
        policy=inputs.policy,
        secret_name=inputs.use.name if inputs.use else None,
        secret=_version(inputs.secret),
        secret_is_output=inputs.secret_is_output,
        account_name=inputs.account_use.name if inputs.account_use else None,
        account=inputs.account,
    )


def _version(secret: SourceSecret | None) -> tuple[str, int] | None:
    return (secret.uid, secret.resource_version) if secret is not None else None
