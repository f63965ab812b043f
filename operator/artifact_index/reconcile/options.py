"""The reconcile of an IndexOptions: resolve, require tokens, plan, apply, report."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Final

from artifact_index.reconcile.apply.writer import Applied, OutputWriter
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import (
    ObjectRef,
    OptionsObject,
    OutputRef,
    declared_outputs,
)
from artifact_index.reconcile.plan.entries import IndexPlan, PlanMemo, plan_indexes, plan_vanished
from artifact_index.reconcile.plan.fallback import first_withdrawal
from artifact_index.reconcile.plan.outputs import desired_outputs
from artifact_index.reconcile.resolve.checks import invalid_spec, public_index_problem
from artifact_index.reconcile.resolve.clouds import Clouds
from artifact_index.reconcile.resolve.memo import PLANS
from artifact_index.reconcile.resolve.requirements import requirements
from artifact_index.reconcile.resolve.resolution import needs_of
from artifact_index.reconcile.resolve.resolver import Resolver
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.reconcile.result import Result
from artifact_index.reconcile.state.state import State
from artifact_index.reconcile.status.conditions import Status
from artifact_index.reconcile.status.notes import format_problem
from artifact_index.reconcile.status.options_status import (
    OptionsOutcome,
    indexes_problem,
    no_indexes,
    options_status,
    suspended_options_status,
)
from artifact_index.sources.policy import Problem

_SHORTEST_REQUEUE: Final = 0.1
"""Seconds: what is due already must not make the reconcile spin."""


@dataclass(frozen=True, slots=True, eq=False)
class OptionsReconciler:
    """Brings the outputs of an IndexOptions to what its spec asks for."""

    _cache: Cache
    _resolver: Resolver
    _clouds: Clouds
    _state: State
    _writer: OutputWriter
    _env: Env
    _plans: PlanMemo = field(default_factory=lambda: PlanMemo(PLANS), init=False)

    async def reconcile(self, ref: ObjectRef) -> Result:
        """Reconcile one. Raises ApiError: a 403 only if the operator may not read the object."""
        options = self._cache.options.get(ref)
        if options is None or await self._writer.owner_is_gone(options):
            return self._forget(ref, options)
        if options.spec is not None and options.spec.suspend:
            self._clouds.release(ref)
            return Result(status=suspended_options_status(options, self._env.clock()))
        if options.problem is not None:
            return Result(status=self._unplanned(options, invalid_spec(options.problem)))

        # 1. Resolve: spec, policy, Secret and ServiceAccount give a login or the first problem.
        needs, selected = needs_of(options, self._env), self._cache.selected(options)
        resolved = [await self._resolver.resolve(index, needs) for index in selected]

        # 2. Tokens: say what is required, and read what there is. No cloud is awaited.
        self._clouds.require(ref, requirements(resolved))
        indexes = [self._resolver.with_token(resolution) for resolution in resolved]
        if (deadline := self._resolver.first_token_deadline(indexes)) is not None:
            # Publish nothing half done; `tokens_changed` ends the wait, or this deadline.
            self._state.waiting.add(ref)
            return Result(requeue_after=deadline - self._env.clock())
        self._state.waiting.discard(ref)
        public_problem = public_index_problem(options.spec, needs.policy) if options.spec else None
        if not indexes:
            return await self._without_indexes(options, public_problem)

        # 3. Plan names, entries, fallbacks and blocked entries.
        plan = self._plan(options, indexes)

        # 4. Apply: render each output; create, patch or leave it; prune once the new ones stand.
        applied, unrendered = await self._apply(options, plan, public_problem)
        self._state.set_names(ref, plan)

        # 5. Report: the first problem of this list decides Ready.
        problem = _first(
            applied.problem,  # an output could not be written, or must not be
            unrendered,  # an output could not be rendered
            public_problem,  # policy forbids the public index
            indexes_problem(plan),  # builds stop at these indexes
            format_problem(applied.written),  # a format cannot hold a login
        )
        failed = applied.error is not None
        return Result(
            status=self._status(options, OptionsOutcome(plan, applied.written, problem)),
            plan=plan,
            requeue_after=None if failed else self._next_recheck(plan, applied),
            retry=applied.needs_retry,
            retry_after=applied.retry_after,
            quiet=failed,
        )

    def commit(self, ref: ObjectRef, plan: Sequence[IndexPlan]) -> set[ObjectRef]:
        """Keep the plan for the statuses of its indexes; return those for which it changed."""
        return self._state.set_plans(ref, plan)

    def awaits_tokens(self, ref: ObjectRef) -> bool:
        """True while a cloud has not answered for some token that the IndexOptions requires."""
        return self._clouds.awaits(ref)

    def only_waited(self, ref: ObjectRef) -> bool:
        """True if the last reconcile only waited for first tokens."""
        return ref in self._state.waiting

    def unplanned_status(self, ref: ObjectRef, problem: Problem) -> Status | None:
        """The status after a reconcile that failed before it had a plan."""
        options = self._cache.options.get(ref)
        return self._unplanned(options, problem) if options is not None else None

    def _forget(self, ref: ObjectRef, options: OptionsObject | None) -> Result:
        """Drop everything about a deleted IndexOptions; `options` if the cache still has it."""
        affected = self._cache.drop_options(ref, options.uid) if options is not None else ()
        self._clouds.release(ref)
        self._state.forget_options(ref)
        return Result(enqueue=affected)

    def _plan(self, options: OptionsObject, indexes: Sequence[IndexState]) -> list[IndexPlan]:
        public = options.spec.public_index if options.spec else None
        return plan_indexes(
            indexes,
            published=self._state.published[options.ref],
            assigned=self._state.names_of(options.ref),
            public_name=public.name if public and public.enabled else None,
            with_credentials=any(output.kind == "Secret" for output in declared_outputs(options)),
            margins=self._env.margins,
            now=self._env.clock(),
            memo=self._plans,
        )

    async def _apply(
        self,
        options: OptionsObject,
        plan: Sequence[IndexPlan],
        public_problem: Problem | None,
        *,
        only: Container[OutputRef] | None = None,
    ) -> tuple[Applied, Problem | None]:
        """Write the outputs, or some `only`; the problem is of one that could not be rendered."""
        outputs, unrendered = desired_outputs(
            options, plan, self._env.digester, public_blocked=public_problem is not None
        )
        if only is not None:
            outputs = [output for output in outputs if output.ref in only]
        applied = await self._writer.apply(options, outputs)
        if applied.written:
            self._state.set_published(options.ref, plan)
        if applied.problem is None and unrendered is None:
            applied = await self._writer.prune(options, applied)
        return applied, unrendered

    async def _without_indexes(
        self, options: OptionsObject, public_problem: Problem | None
    ) -> Result:
        """Nothing is selected: a file with the public index alone is never written.

        Existing outputs stay until the first of their tokens must be withdrawn.
        """
        ref, now, margins = options.ref, self._env.clock(), self._env.margins
        existing = {output.ref for output in self._cache.outputs_of(ref)}
        published = self._state.published[ref] if existing else {}
        withdraw_at = first_withdrawal(published, margins)
        applied, unrendered = Applied(), None
        if withdraw_at is not None and withdraw_at <= now:
            vanished = plan_vanished(ref.namespace, published, margins, now)
            applied, unrendered = await self._apply(
                options, vanished, public_problem, only=existing
            )
            withdraw_at = None
        self._state.set_names(ref, ())
        problem = _first(
            applied.problem, unrendered, no_indexes(options, outputs_stay=bool(existing))
        )
        return Result(
            status=self._status(options, OptionsOutcome((), (), problem)),
            plan=(),
            requeue_after=withdraw_at - now if withdraw_at is not None else applied.recheck_after,
            retry=applied.needs_retry,
            retry_after=applied.retry_after,
            # A failed withdrawal is reported at once: the token is still published.
            quiet=False,
        )

    def _unplanned(self, options: OptionsObject, problem: Problem) -> Status | None:
        return self._status(options, OptionsOutcome(None, (), problem))

    def _status(self, options: OptionsObject, outcome: OptionsOutcome) -> Status | None:
        """The status, or None if the object changed meanwhile: its watch event follows."""
        latest = self._cache.options.get(options.ref)
        if latest is None or not latest.is_generation(options.uid, options.generation):
            return None
        return options_status(latest, outcome, margins=self._env.margins, now=self._env.clock())

    def _next_recheck(self, plan: Sequence[IndexPlan], applied: Applied) -> float | None:
        """Seconds until time alone changes an entry or an output, if it ever does."""
        times = [index.recheck_at for index in plan if index.recheck_at is not None]
        waits = [min(times) - self._env.clock()] if times else []
        if applied.recheck_after is not None:
            waits.append(applied.recheck_after)
        return max(_SHORTEST_REQUEUE, min(waits)) if waits else None


def _first(*problems: Problem | None) -> Problem | None:
    return next((problem for problem in problems if problem is not None), None)
