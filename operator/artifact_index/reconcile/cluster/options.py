"""The reconcile of a ClusterIndexOptions: one pass for all of its namespaces.

Resolve, require tokens, plan and render once for each set of indexes; what differs in a namespace
is then written by a reconcile of its own (`outputs.py`), in its turn among all others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from artifact_index.reconcile.apply.planning import Planner
from artifact_index.reconcile.apply.rendering import rendered_outputs
from artifact_index.reconcile.cache.cache import Cache, Key, index_key, outputs_key
from artifact_index.reconcile.cache.consents import IndexSet
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import (
    ObjectRef,
    OptionsObject,
    OutputObject,
)
from artifact_index.reconcile.cluster.differences import (
    differing,
    outputs_by_namespace,
    staying_outputs,
)
from artifact_index.reconcile.cluster.grouping import namespaces_by_set
from artifact_index.reconcile.cluster.held_plans import held_plans
from artifact_index.reconcile.cluster.last_good import ClusterLastGood
from artifact_index.reconcile.cluster.status import ClusterOutcome, cluster_status
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import first_withdrawal
from artifact_index.reconcile.plan.last_good import blocked_by
from artifact_index.reconcile.plan.ownership import belongs_to
from artifact_index.reconcile.resolve.checks import invalid_spec, public_index_problem
from artifact_index.reconcile.resolve.clouds import Clouds
from artifact_index.reconcile.resolve.requirements import requirements
from artifact_index.reconcile.resolve.resolution import needs_of
from artifact_index.reconcile.resolve.resolver import Resolver
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.reconcile.result import Result
from artifact_index.reconcile.state.fan_out import FanOut, Rendered, published_in
from artifact_index.reconcile.state.state import State, published_names
from artifact_index.reconcile.status.conditions import Status
from artifact_index.reconcile.status.options_status import no_indexes, suspended_options_status
from artifact_index.runtime import Turns
from artifact_index.sources.policy import Problem

_SHORTEST_REQUEUE: Final = 0.1
_QUIET: Final = 5.0
"""Seconds for which a wave is not reported: most have ended by then, with one status."""


@dataclass(slots=True, eq=False)
class ClusterOptionsReconciler:
    """Finds what the outputs of a ClusterIndexOptions have to be, and where they are not."""

    _cache: Cache
    _resolver: Resolver
    _clouds: Clouds
    _state: State
    _env: Env
    _planner: Planner = field(init=False)

    def __post_init__(self) -> None:
        self._planner = Planner(self._env)

    async def reconcile(self, ref: ObjectRef) -> Result:
        """Reconcile one. Raises ApiError."""
        options = self._cache.options.get(ref)
        if options is None:
            self._clouds.release(ref)
            self._state.forget_options(ref)
            return Result()
        fan_out = self._state.fan_outs[ref]
        if options.suspended:
            self._clouds.release(ref)
            status = suspended_options_status(options, self._env.clock())
            return Result(status=status, enqueue=self._misowned(options, fan_out))
        selected = self._cache.selected(options)
        groups = await namespaces_by_set(options, selected, self._cache.scope)
        served = frozenset().union(*groups)
        sets = {name: indexes for indexes, names in groups.items() for name in names}
        fan_out.counted = frozenset(sets)

        # 1. Resolve each index that some namespace gets, once for all of them.
        needs, turns = needs_of(options, self._env), Turns()
        resolved = []
        for index in selected:
            if index.uid in served:
                resolved.append(await self._resolver.resolve(index, needs))
                await turns.leave()

        # 2. Tokens: say what is required, and read what there is. No cloud is awaited.
        self._clouds.require(ref, requirements(resolved))
        states = {each.index.uid: self._resolver.with_token(each, "") for each in resolved}
        if (deadline := self._resolver.first_token_deadline([*states.values()])) is not None:
            self._state.waiting.add(ref)
            return Result(requeue_after=deadline - self._env.clock())
        self._state.waiting.discard(ref)

        # 3. Plan and render, once for each set of indexes.
        public_problem = public_index_problem(options.spec, needs.policy) if options.spec else None
        outputs, rendered = outputs_by_namespace(options, self._cache), {}
        for indexes in filter(None, groups):
            there = (output for each in groups[indexes] for output in outputs.get(each, ()))
            members = [states[uid] for uid in sorted(indexes)]
            rendered[indexes] = await self._render(
                options, members, there, blocked=public_problem is not None
            )
            await turns.leave()
        contents = self._keep(options, fan_out, rendered, outputs)

        # 4. Have each namespace written whose outputs are not these.
        plans = _plans_of_all(rendered.values())
        self._state.set_names(ref, plans)
        unserved = frozenset(index.ref for index in selected if index.uid not in served)
        enqueue = [index_key(each) for each in fan_out.unserved ^ unserved]
        fan_out.unserved = unserved
        staying = staying_outputs(fan_out, groups, outputs, any_selected=bool(selected))
        # Of a spec that cannot be read the public index is known by its name alone.
        public_blocked = public_problem is not None or options.spec is None
        last_good = ClusterLastGood(options, fan_out, public_blocked, self._env)
        await last_good.keep(staying, sets)
        if selected:
            last_good.wave |= await differing(fan_out, groups, outputs, self._cache.scope)
        at_once, again = fan_out.begin(last_good.wave, quiet_until=self._env.clock() + _QUIET)
        enqueue += [outputs_key(each, ref.name) for each in at_once]

        # 5. Report: one status for all namespaces, once the wave is over or lasts long.
        plan, plans = self._held(options, plans, sets, contents)
        problem = public_problem
        if not selected:
            labels = self._cache.labels_in("")
            problem = no_indexes(options, outputs_stay=bool(outputs), labels=labels)
            enqueue += self._misowned(options, fan_out)
        return Result(
            status=self._status(
                options, fan_out, plans, problem, groups, goes_on=last_good.goes_on
            ),
            plan=plan,
            enqueue=enqueue,
            later=[outputs_key(each, ref.name) for each in again],
            requeue_after=self._next_recheck(fan_out, plans, last_good.withdraw_at),
        )

    def unplanned_status(self, ref: ObjectRef, problem: Problem) -> Status | None:
        """The status after a reconcile that failed before it had a plan."""
        options = self._cache.options.get(ref)
        if options is None:
            return None
        outcome = ClusterOutcome(None, (), problem)
        return cluster_status(options, outcome, margins=self._env.margins, now=self._env.clock())

    async def _render(
        self,
        options: OptionsObject,
        members: Sequence[IndexState],
        there: Iterable[OutputObject],
        *,
        blocked: bool,
    ) -> Rendered:
        """What namespaces with these indexes get, given the outputs that are `there`."""
        fan_out = self._state.fan_outs[options.ref]
        indexes = frozenset(index.selected.uid for index in members)
        published = fan_out.published(there)
        assigned = self._state.names.get(options.ref, {}) | published_names(published)
        try:
            plans = await self._planner.plan(options, members, published, assigned)
            known = fan_out.rendered_for(options, indexes)
            if known is not None and known.plans == plans and known.blocked is blocked:
                return known
            outputs, problem = await rendered_outputs(
                options, plans, self._env.digester, public_blocked=blocked
            )
        except Exception as error:
            plans = await self._planner.plan_without_failures(
                options, members, published, assigned, error
            )
            outputs, problem = await rendered_outputs(
                options, plans, self._env.digester, public_blocked=blocked
            )
        return Rendered(plans, outputs, problem, blocked)

    def _keep(
        self,
        options: OptionsObject,
        fan_out: FanOut,
        rendered: dict[IndexSet, Rendered],
        outputs: Mapping[str, Sequence[OutputObject]],
    ) -> set[str]:
        """Keep what is rendered, and what the outputs hold before and after it is written.

        Returns the contents that stand now.
        """
        standing = {output.digest for each in outputs.values() for output in each}
        fan_out.forget(fan_out.held.keys() - standing)
        for each in rendered.values():
            published, blocked = published_in(each.plans), blocked_by(each.plans)
            for digest in each.content:
                fan_out.hold(digest, published, blocked)
        if not options.is_generation(fan_out.uid, fan_out.generation):
            fan_out.failing.clear()  # another spec is tried at once
        fan_out.uid, fan_out.generation = options.uid, options.generation
        fan_out.rendered = rendered
        fan_out.settled.clear()
        times = (
            first_withdrawal(fan_out.held[digest], self._env.margins)
            for digest in standing & fan_out.held.keys()
        )
        fan_out.withdraw_at = min((at for at in times if at is not None), default=float("inf"))
        return standing

    def _held(
        self,
        options: OptionsObject,
        plans: Sequence[IndexPlan],
        sets: Mapping[str, IndexSet],
        contents: set[str],
    ) -> tuple[list[IndexPlan], list[IndexPlan]]:
        """The plans for the statuses of the indexes, and for that of the ClusterIndexOptions.

        The status of an index that is yet to come into an output goes on with its earlier plan.
        """
        fan_out, earlier = self._state.fan_outs[options.ref], self._state.plans.get(options.ref, {})
        if fan_out.settled:  # they were written during the pass
            outputs = outputs_by_namespace(options, self._cache)
            contents = {output.digest for each in outputs.values() for output in each}
        found = held_plans(plans, options, fan_out, sets=sets, contents=contents, env=self._env)
        both = [*zip(found, plans, strict=True)]
        told = (held or earlier.get(plan.selected.ref) for held, plan in both)
        return [*filter(None, told)], [held or plan for held, plan in both]

    def _misowned(self, options: OptionsObject, fan_out: FanOut) -> list[Key]:
        """Owner references follow `deletionPolicy` while nothing is written, too."""
        if options.spec is None:
            return []
        retains = options.spec.deletion_policy == "Retain"
        return [
            outputs_key(output.ref.namespace, options.ref.name)
            for output in self._cache.outputs_in_cluster(options)
            if retains is (output.controller is not None) and belongs_to(output, options)
            if not fan_out.is_retried(output.ref.namespace)
        ]

    def _status(
        self,
        options: OptionsObject,
        fan_out: FanOut,
        plans: Sequence[IndexPlan],
        problem: Problem | None,
        groups: Mapping[IndexSet, Sequence[str]],
        *,
        goes_on: bool,
    ) -> Status | None:
        """One status for all namespaces: None while a wave is under way that may soon end."""
        now = self._env.clock()
        if options.problem is not None:
            return self.unplanned_status(options.ref, invalid_spec(options.problem))
        if fan_out.unsettled and now < fan_out.quiet_until:
            return None
        fan_out.quiet_until = now + _QUIET
        failing = {
            namespace: failure.problem
            for namespace, failure in sorted(fan_out.failing.items())
            if failure.counts
        }
        selected = {name for indexes in filter(None, groups) for name in groups[indexes]}
        # An output that is yet to be deleted counts, too; one that cannot be is a failing one.
        unwritten = fan_out.pending | (selected & fan_out.failing.keys())
        outcome = ClusterOutcome(
            plans, [*fan_out.rendered.values()], problem,
            selected=len(selected), written=max(0, len(selected) - len(unwritten)),
            refusing=len(groups.get(frozenset(), ())), failing=failing, goes_on=goes_on,
        )  # fmt: skip
        return cluster_status(options, outcome, margins=self._env.margins, now=now)

    def _next_recheck(
        self, fan_out: FanOut, plans: Sequence[IndexPlan], withdraw_at: float | None
    ) -> float | None:
        """Seconds until time alone changes an entry, or until a long wave is reported."""
        rechecks = (withdraw_at, *(plan.recheck_at for plan in plans))
        times = [at for at in rechecks if at is not None]
        if fan_out.unsettled:
            times.append(fan_out.quiet_until)
        return max(_SHORTEST_REQUEUE, min(times) - self._env.clock()) if times else None


def _plans_of_all(rendered: Iterable[Rendered]) -> list[IndexPlan]:
    """One plan of each index: where sets differ, the first that is not ready."""
    plans: dict[str, IndexPlan] = {}
    for each in rendered:
        for plan in each.plans:
            known = plans.get(plan.selected.uid)
            if known is None or (known.ready and not plan.ready):
                plans[plan.selected.uid] = plan
    return [*plans.values()]
