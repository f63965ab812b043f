"""The reconcile of an IndexOptions: resolve, require tokens, plan, apply, report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

from artifact_index.reconcile.apply.applied import Applied
from artifact_index.reconcile.apply.last_good import LastGood
from artifact_index.reconcile.apply.planning import Planner
from artifact_index.reconcile.apply.rendering import rendered_outputs
from artifact_index.reconcile.apply.writer import OutputWriter
from artifact_index.reconcile.cache.cache import Cache, options_key
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import ObjectRef, OptionsObject, OutputObject
from artifact_index.reconcile.cache.status_parsing import decoded_status
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import first_expiry
from artifact_index.reconcile.plan.last_good import (
    plans_as_published,
    standing_in,
    undeclared,
    with_outputs,
)
from artifact_index.reconcile.resolve.checks import invalid_spec, public_index_problem
from artifact_index.reconcile.resolve.clouds import Clouds
from artifact_index.reconcile.resolve.memo import PLANS
from artifact_index.reconcile.resolve.requirements import requirements
from artifact_index.reconcile.resolve.resolution import needs_of
from artifact_index.reconcile.resolve.resolver import Resolver
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
from artifact_index.runtime import Turns, beside_the_loop
from artifact_index.sources.policy import Problem

Outcome = TypeVar("Outcome")
_SHORTEST_REQUEUE: Final = 0.1
"""Seconds: what is due already must not make the reconcile spin."""


@dataclass(slots=True, eq=False)
class OptionsReconciler:
    """Brings the outputs of an IndexOptions to what its spec asks for."""

    _cache: Cache
    _resolver: Resolver
    _clouds: Clouds
    _state: State
    _writer: OutputWriter
    _env: Env
    _planner: Planner = field(init=False)

    def __post_init__(self) -> None:
        self._planner = Planner(self._env)

    async def reconcile(self, ref: ObjectRef) -> Result:
        """Reconcile one. Raises ApiError: a 403 only if the operator may not read the object."""
        options = self._cache.options.get(ref)
        if options is None or await self._writer.owner_is_gone(options):
            return self._forget(ref, options)
        owned = self._writer.owned(options)
        aligned = await self._writer.align_owners(options, owned)
        result = await self._reconcile(options, owned)
        if aligned.problem is not None:
            result = self._not_aligned(options, result, aligned, aligned.problem)
        before = {output.ref for output in owned}
        after = {output.ref for output in self._writer.owned(options)}
        if before != after:
            # No watch event follows our own write, but an index may read this Secret as its source.
            concerned = self._cache.users_of_outputs(before ^ after)
            if before - after:
                concerned.add(options_key(ref))  # the others may need fewer logins
            result = replace(result, enqueue={*result.enqueue, *concerned})
        if (recheck_after := self._writer.recheck_after(options)) is not None:
            recheck_after = max(_SHORTEST_REQUEUE, recheck_after)
            requeue_after = min(recheck_after, result.requeue_after or recheck_after)
            result = replace(result, requeue_after=requeue_after)
        return result

    async def _reconcile(self, options: OptionsObject, owned: Sequence[OutputObject]) -> Result:
        ref = options.ref
        if options.suspended:
            self._clouds.release(ref)
            return Result(status=suspended_options_status(options, self._env.clock()))
        if options.problem is not None:
            return await self._unreadable(options, invalid_spec(options.problem), owned)

        # 1. Resolve: spec, policy, Secret and ServiceAccount give a login or the first problem.
        # An output that has left the spec and is still there needs its logins, too.
        wide = with_outputs(options, undeclared(options, owned))
        needs, selected = needs_of(wide, self._env), self._cache.selected(options)
        resolved, turns = [], Turns()
        for index in selected:
            resolved.append(await self._resolver.resolve(index, needs))
            await turns.leave()

        # 2. Tokens: say what is required, and read what there is. No cloud is awaited.
        self._clouds.require(ref, requirements(resolved))
        indexes = []
        for resolution in resolved:
            indexes.append(self._resolver.with_token(resolution, ref.namespace))
            await turns.leave()
        if (deadline := self._resolver.first_token_deadline(indexes)) is not None:
            # Publish nothing half done; `tokens_changed` ends the wait, or this deadline.
            self._state.waiting.add(ref)
            return Result(requeue_after=deadline - self._env.clock())
        self._state.waiting.discard(ref)
        public_problem = public_index_problem(options.spec, needs.policy) if options.spec else None
        if not indexes:
            return await self._without_indexes(options, public_problem, owned)

        try:
            # 3. Plan names, entries, fallbacks and blocked entries.
            plan = await self._planner.plan(wide, indexes, *self._state.before(ref))

            # 4. Apply: render each output; create, patch or leave it; prune once all stand.
            applied = await self._apply(options, plan, public_problem)
        except Exception as error:
            plan = await self._planner.plan_without_failures(
                wide, indexes, *self._state.before(ref), error
            )
            applied = await self._apply(options, plan, public_problem)
        self._state.set_names(ref, plan)
        kept = self._last_good(options, public_problem)
        refs = [output.ref for output in applied.written]
        self._state.set_blocked(ref, refs, plan, all_written=applied.problem is None)
        if (cause := applied.problem) is not None:
            await self._keep_last_good(options, plan, applied, kept)
            published = self._state.published[ref]
            if not applied.written and not kept.written:
                published = standing_in(published, self._writer.owned(options))
            told = partial(plans_as_published, plan, published, options, cause, self._env)
            plan = await _for_many(plan, told)
        await turns.leave()
        written = (*applied.written, *kept.written)

        # 5. Report: the first problem of this list decides Ready.
        problem = _first(
            kept.explained(cause) if cause else None,  # an output could not be rendered or written
            public_problem,  # policy forbids the public index
            indexes_problem(plan),  # builds stop at these indexes
            format_problem(written),  # a format cannot hold a login
        )
        failed = applied.error or kept.error
        status = partial(self._status, options, OptionsOutcome(plan, written, problem))
        return Result(
            status=await _for_many(plan, status),
            # While a namesake's outputs are being deleted, the indexes keep their last status.
            plan=None if cause is not None and cause.reason.quiet else plan,
            requeue_after=self._next_recheck(plan, kept),
            retry=applied.needs_retry or kept.error is not None,
            retry_after=(failed.retry_after if failed else None) or 0.0,
            quiet=failed is not None,
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

    def forget(self, ref: ObjectRef) -> None:
        """Forget a deleted IndexOptions while nothing is required of the clouds, in a standby."""
        self._state.forget_options(ref)

    def _forget(self, ref: ObjectRef, options: OptionsObject | None) -> Result:
        """Drop everything about a deleted IndexOptions; `options` if the cache still has it."""
        affected = self._cache.drop_options(ref, options.uid) if options is not None else ()
        self._clouds.release(ref)
        self._state.forget_options(ref)
        return Result(enqueue=affected)

    async def _apply(
        self, options: OptionsObject, plan: Sequence[IndexPlan], public_problem: Problem | None
    ) -> Applied:
        """Write the outputs; the problem may also be of one that could not be rendered."""
        outputs, unrendered = await rendered_outputs(
            options,
            plan,
            self._env.digester,
            public_blocked=public_problem is not None,
            exists=lambda ref: self._cache.outputs.get(ref) is not None,
        )
        applied = await self._writer.apply(options, outputs)
        if applied.written:
            self._state.set_published(options.ref, plan)
        if applied.problem is None and unrendered is None:
            return await self._writer.prune(options, applied)
        return replace(applied, problem=applied.problem or unrendered)

    def _last_good(self, options: OptionsObject, public_problem: Problem | None) -> LastGood:
        published, blocked = self._state.published[options.ref], public_problem is not None
        cache, namespace = self._cache, options.ref.namespace
        refused = partial(cache.scope.refused, cache.indexes, namespace)
        return LastGood(self._writer, self._env, options, published, blocked, refused)

    async def _keep_last_good(
        self, options: OptionsObject, plan: Sequence[IndexPlan], applied: Applied, kept: LastGood
    ) -> None:
        """Keep the tokens fresh in the outputs of this IndexOptions that were not written."""
        ref, written = options.ref, {output.ref for output in applied.written}
        unwritten = [each for each in self._writer.owned(options) if each.ref not in written]
        await kept.keep(unwritten, plan, self._state.blocked[ref], applied.failed)
        if kept.plans and not written:
            self._state.set_published(ref, [*kept.plans.values()])

    async def _withdraw(
        self,
        options: OptionsObject,
        public_problem: Problem | None,
        owned: Sequence[OutputObject],
    ) -> LastGood:
        """Withdraw every token that is due from outputs into which no plan goes."""
        kept = self._last_good(options, public_problem)
        await kept.withdraw(owned, self._state.blocked[options.ref])
        if kept.plans:
            self._state.set_published(options.ref, [*kept.plans.values()])
        return kept

    async def _without_indexes(
        self,
        options: OptionsObject,
        public_problem: Problem | None,
        owned: Sequence[OutputObject],
    ) -> Result:
        """Nothing is selected: a file with the public index alone is never written.

        Existing outputs stay until the first of their tokens must be withdrawn.
        """
        kept = await self._withdraw(options, public_problem, owned)
        if kept.written and kept.problem is None:
            applied = await self._writer.prune(options, Applied())
            kept.problem, kept.error = applied.problem, applied.error
        self._state.set_names(options.ref, ())
        labels = self._cache.labels_in(options.ref.namespace)
        empty = no_indexes(options, outputs_stay=bool(owned), labels=labels)
        problem = _first(kept.problem, empty)
        until = first_expiry(self._state.published[options.ref]) if owned else None
        status = self._status(options, OptionsOutcome((), (), problem, kept_until=until))
        return self._withdrawn(kept, status, plan=())

    async def _unreadable(
        self, options: OptionsObject, problem: Problem, owned: Sequence[OutputObject]
    ) -> Result:
        """The spec cannot be read: outputs stay until their tokens must be withdrawn."""
        kept = await self._withdraw(options, problem, owned)
        explained = kept.explained(kept.problem or problem)
        return self._withdrawn(kept, self._unplanned(options, explained))

    def _withdrawn(
        self, kept: LastGood, status: Status | None, plan: Sequence[IndexPlan] | None = None
    ) -> Result:
        """The result of a reconcile that did nothing but withdraw tokens.

        It is not quiet: after a failed withdrawal the token is still published.
        """
        return Result(
            status=status,
            plan=plan,
            requeue_after=self._next_recheck((), kept),
            retry=kept.error is not None,
            retry_after=(kept.error.retry_after if kept.error else None) or 0.0,
        )

    def _not_aligned(
        self, options: OptionsObject, result: Result, aligned: Applied, problem: Problem
    ) -> Result:
        """The spec is not observed while the owner references do not follow `deletionPolicy`."""
        status = self._unplanned(options, problem)
        if status is not None:
            previous = decoded_status(options.status)
            status["observedGeneration"] = previous.get("observedGeneration", -1)
        retry_after = max(result.retry_after, aligned.retry_after)
        return replace(result, status=status, retry=True, retry_after=retry_after, quiet=True)

    def _unplanned(self, options: OptionsObject, problem: Problem) -> Status | None:
        return self._status(options, OptionsOutcome(None, (), problem))

    def _status(self, options: OptionsObject, outcome: OptionsOutcome) -> Status | None:
        """The status, or None if the object changed meanwhile: its watch event follows."""
        latest = self._cache.options.get(options.ref)
        if latest is None or not latest.is_generation(options.uid, options.generation):
            return None
        return options_status(latest, outcome, margins=self._env.margins, now=self._env.clock())

    def _next_recheck(self, plan: Sequence[IndexPlan], kept: LastGood) -> float | None:
        """Seconds until time alone changes an entry, if it ever does."""
        times = [index.recheck_at for index in plan if index.recheck_at is not None]
        if kept.withdraw_at is not None:
            times.append(kept.withdraw_at)
        return max(_SHORTEST_REQUEUE, min(times) - self._env.clock()) if times else None


async def _for_many(plan: Sequence[IndexPlan], work: Callable[[], Outcome]) -> Outcome:
    """Compute what looks at each plan; for many of them without holding the event loop."""
    return await beside_the_loop(work) if len(plan) > PLANS else work()


def _first(*problems: Problem | None) -> Problem | None:
    return next((problem for problem in problems if problem is not None), None)
