"""Plans the indexes of one IndexOptions, and finds those at which planning or rendering fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from artifact_index.reconcile.apply.rendering import rendered_outputs
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import OptionsObject, declared_outputs
from artifact_index.reconcile.plan.entries import IndexPlan, PlanMemo, plan_indexes
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.plan.isolation import isolate
from artifact_index.reconcile.resolve.memo import PLANS
from artifact_index.reconcile.resolve.token_view import IndexState
from artifact_index.runtime import beside_the_loop


@dataclass(frozen=True, slots=True, eq=False)
class Planner:
    """Plans the indexes of IndexOptions, which share plans through a memo.

    `published` are the entries that the outputs hold, and `assigned` the names given earlier, both
    by UID.
    """

    _env: Env
    _memo: PlanMemo = field(default_factory=lambda: PlanMemo(PLANS), init=False)

    async def plan(
        self,
        options: OptionsObject,
        indexes: Sequence[IndexState],
        published: Mapping[str, Published],
        assigned: Mapping[str, str],
    ) -> list[IndexPlan]:
        """Plan the indexes; a thread plans more of them than the memo holds."""
        is_large = len(indexes) > PLANS
        public = options.spec.public_index if options.spec else None
        plan = partial(
            plan_indexes,
            indexes,
            published=published,
            assigned=assigned,
            public_name=public.name if public and public.enabled else None,
            with_credentials=any(output.kind == "Secret" for output in declared_outputs(options)),
            margins=self._env.margins,
            now=self._env.clock(),
            memo=None if is_large else self._memo,
        )
        return await beside_the_loop(plan) if is_large else plan()

    async def plan_without_failures(
        self,
        options: OptionsObject,
        indexes: Sequence[IndexState],
        published: Mapping[str, Published],
        assigned: Mapping[str, str],
        error: Exception,
    ) -> list[IndexPlan]:
        """Make the error a problem of each index that causes it; raise it if none does alone."""

        async def attempt(some: Sequence[IndexState]) -> None:
            plan = await self.plan(options, some, published, assigned)
            await rendered_outputs(options, plan, self._env.digester)

        isolated, unpublishable = await isolate(indexes, attempt, error, now=self._env.clock())
        usable = {uid: old for uid, old in published.items() if uid not in unpublishable}
        return await self.plan(options, isolated, usable, assigned)
