"""What can be said of an index before any cloud is asked: its login, or what is wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef
from artifact_index.reconcile.cache.source_cache import SourceReader
from artifact_index.reconcile.resolve.checks import (
    SOURCE_CHECKS,
    SPEC_CHECKS,
    first_violation,
    invalid_spec,
    secret_is_forbidden,
)
from artifact_index.reconcile.resolve.kept_login import KeptLogin
from artifact_index.reconcile.state.state import State
from artifact_index.sources.base import Inputs, ResolvedSource
from artifact_index.sources.policy import Policy, Problem
from artifact_index.sources.registry import of


@dataclass(frozen=True, slots=True)
class Resolution:
    """The login of an index that passed its checks, or the problem of one that did not.

    Both are None for a suspended index. `scope` is None where the spec cannot be read.
    """

    record: IndexObject
    scope: str | None
    problem: Problem | None = None
    login: ResolvedSource | None = None


class Resolver:
    """Makes attempts, and keeps good ones while all that they were made from stands.

    Checks and logins are pure functions of the spec, the policy, whether the Secret is an output,
    the source Secret or ServiceAccount, and the operator's key. A new spec, Secret or
    ServiceAccount is a new object here, so that identity tells whether it stands; a problem is
    never kept, since time alone may change it.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        state: State,
        digester: Digester,
        policy: Callable[[str], Policy],
        now: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._state = state
        self._digester = digester
        self._policy = policy
        self._now = now

    async def attempt(
        self, record: IndexObject, reader: SourceReader, *, again: bool
    ) -> Resolution:
        """The index as its spec and source stand; `again` reads the source anew.

        Raises ApiError where the API server does not answer for the source.
        """
        if not again and (standing := self._standing(record, reader)) is not None:
            return Resolution(record, standing.scope, login=standing.login)
        # It comes back only if this attempt is good, too.
        kept = self._state.logins.pop(record.ref, None)
        if record.spec is None:
            return Resolution(record, None, _unreadable(record))
        inputs = self._inputs(record, record.spec)
        if kept is not None and not kept.has_inputs_of_spec(record.spec, inputs):
            kept = None
        problem = first_violation(SPEC_CHECKS, inputs) if kept is None else None
        if record.spec.suspend:
            # A suspended index keeps its entry whatever is wrong with it, unless policy forbids it.
            forbidden = problem is not None and problem.reason.withdraws_at_once
            return self._unresolved(record, inputs, problem if forbidden else None)
        if problem is None and (use := inputs.use) is not None:
            try:
                secret = await reader.read(use.name, again=again)
            except ApiError as error:
                if not error.forbidden:
                    raise
                # A matter of this one Secret; the other indexes must not wait for it.
                problem = secret_is_forbidden(use, error.message)
                return self._unresolved(record, inputs, problem)
            inputs = replace(inputs, secret=secret)
            if kept is None or secret is not kept.secret:
                kept = None
                problem = self._source_problem(record, inputs)
        if problem is None and (account_use := inputs.account_use) is not None:
            account = await reader.read_account(account_use.name, again=again)
            inputs = replace(inputs, account=account)
            if kept is None or account is not kept.account:
                kept = None
                problem = self._source_problem(record, inputs)
        if problem is not None:
            return self._unresolved(record, inputs, problem)
        self._state.logins[record.ref] = kept = kept or self._kept(record.spec, inputs)
        return Resolution(record, kept.scope, login=kept.login)

    def _standing(self, record: IndexObject, reader: SourceReader) -> KeptLogin | None:
        """What was kept, if all of its inputs stand: thousands of passes find no more than that."""
        kept, namespace = self._state.logins.get(record.ref), record.ref.namespace
        if kept is None or kept.spec is not record.spec or kept.policy != self._policy(namespace):
            return None
        if (secret := kept.secret_name) is not None and (
            reader.last_seen(secret) is not kept.secret
            or self._cache.is_output(ObjectRef(namespace, secret)) != kept.secret_is_output
        ):
            return None
        account = kept.account_name
        if account is not None and reader.last_seen_account(account) is not kept.account:
            return None
        return kept

    def spec_problem(self, record: IndexObject) -> Problem | None:
        """What the spec alone tells of an index."""
        if record.spec is None:
            return _unreadable(record)
        return first_violation(SPEC_CHECKS, self._inputs(record, record.spec))

    def _inputs(self, record: IndexObject, spec: ArtifactIndexSpec) -> Inputs:
        namespace = record.ref.namespace
        inputs = Inputs(namespace, of(spec), self._policy(namespace))
        if inputs.use is None or not self._cache.is_output(ObjectRef(namespace, inputs.use.name)):
            return inputs
        return replace(inputs, secret_is_output=True)

    def _unresolved(
        self, record: IndexObject, inputs: Inputs, problem: Problem | None
    ) -> Resolution:
        return Resolution(record, self._scope(inputs), problem)

    def _scope(self, inputs: Inputs) -> str:
        return self._digester.scope(*inputs.source.destination())

    def _kept(self, spec: ArtifactIndexSpec, inputs: Inputs) -> KeptLogin:
        return KeptLogin(
            spec=spec,
            policy=inputs.policy,
            secret_is_output=inputs.secret_is_output,
            secret=inputs.secret,
            account=inputs.account,
            scope=self._scope(inputs),
            login=inputs.source.resolve(inputs, self._digester),
            secret_name=inputs.use.name if inputs.use else None,
            account_name=inputs.account_use.name if inputs.account_use else None,
        )

    def _source_problem(self, record: IndexObject, inputs: Inputs) -> Problem | None:
        """The first problem of the source; if it is missing, since when counts."""
        problem = first_violation(SOURCE_CHECKS, inputs)
        if problem is not None and problem.reason.missing_source:
            inputs = replace(inputs, missing_for=self._missing_for(record))
            problem = first_violation(SOURCE_CHECKS, inputs)
        self._note_missing(record, problem)
        return problem

    def _missing_for(self, record: IndexObject) -> float:
        """Seconds since the Secret or key was first missed."""
        since = self._state.missing_since.get(record.uid, self._now())
        return max(0.0, self._now() - since)

    def _note_missing(self, record: IndexObject, problem: Problem | None) -> None:
        if problem is None or not problem.reason.missing_source:
            self._state.missing_since.pop(record.uid, None)
        elif record.uid not in self._state.missing_since:
            self._state.missing_since[record.uid] = self._now() - self._missing_for(record)


def _unreadable(record: IndexObject) -> Problem | None:
    return invalid_spec(record.problem) if record.problem is not None else None
