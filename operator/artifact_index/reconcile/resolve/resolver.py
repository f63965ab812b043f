"""What can be said of an index before any cloud is asked: its login, or what is wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef
from artifact_index.reconcile.cache.source_cache import SourceReader
from artifact_index.reconcile.resolve.checks import (
    SOURCE_CHECKS,
    SPEC_CHECKS,
    Inputs,
    Policy,
    Problem,
    first_violation,
    secret_is_forbidden,
)
from artifact_index.reconcile.resolve.kept_login import KeptLogin
from artifact_index.reconcile.state.state import State
from artifact_index.sources.references import secret_use, source_account, source_secret
from artifact_index.sources.resolved import ResolvedSource, login_of, scope_of


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
        facts = self._facts(record)
        if kept is not None and not kept.has_inputs_of_spec(facts):
            kept = None
        problem = first_violation(SPEC_CHECKS, facts) if kept is None else None
        if record.spec is not None and record.spec.suspend:
            # It stands still whatever is wrong with it, but not against the administrator.
            forbidden = problem is not None and problem.reason.withdraws_at_once
            return self._attempt(record, problem if forbidden else None)
        if problem is None and (use := facts.use) is not None:
            try:
                secret = await reader.read(use.name, again=again)
            except ApiError as error:
                if not error.forbidden:
                    raise
                # A matter of this one Secret; the other indexes must not wait for it.
                return self._attempt(record, secret_is_forbidden(use, error.message))
            facts = replace(facts, secret=secret)
            if kept is None or secret is not kept.secret:
                kept = None
                problem = self._source_problem(facts)
        if problem is None and (account_use := facts.account_use) is not None:
            account = await reader.read_account(account_use.name, again=again)
            facts = replace(facts, account=account)
            if kept is None or account is not kept.account:
                kept = None
                problem = self._source_problem(facts)
        if problem is not None:
            return self._attempt(record, problem)
        self._state.logins[record.ref] = kept = kept or self._kept(facts)
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
        return first_violation(SPEC_CHECKS, self._facts(record))

    def _facts(self, record: IndexObject) -> Inputs:
        use = secret_use(record.spec) if record.spec else None
        secret = ObjectRef(record.ref.namespace, use.name) if use else None
        return Inputs(
            record,
            self._policy(record.ref.namespace),
            secret_is_output=secret is not None and self._cache.is_output(secret),
        )

    def _attempt(self, record: IndexObject, problem: Problem | None) -> Resolution:
        scope = scope_of(record.spec, self._digester) if record.spec else None
        return Resolution(record, scope, problem)

    def _kept(self, facts: Inputs) -> KeptLogin:
        return KeptLogin(
            spec=facts.spec,
            policy=facts.policy,
            secret_is_output=facts.secret_is_output,
            secret=facts.secret,
            account=facts.account,
            scope=scope_of(facts.spec, self._digester),
            login=login_of(facts, self._digester),
            secret_name=source_secret(facts.spec),
            account_name=source_account(facts.spec),
        )

    def _source_problem(self, facts: Inputs) -> Problem | None:
        """The first problem of the source; where it is missing, since when counts."""
        problem = first_violation(SOURCE_CHECKS, facts)
        if problem is not None and problem.reason.missing_source:
            facts = replace(facts, missing_for=self._missing_for(facts.record))
            problem = first_violation(SOURCE_CHECKS, facts)
        self._note_missing(facts.record, problem)
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
