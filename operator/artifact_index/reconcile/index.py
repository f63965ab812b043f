"""The reconcile of an ArtifactIndex: its status, from the plans of the IndexOptions around it."""

from collections.abc import Callable
from dataclasses import dataclass

from artifact_index.reconcile.cache.cache import Cache, Key, options_key
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import ObjectRef
from artifact_index.reconcile.resolve.resolver import Resolver
from artifact_index.reconcile.result import Result
from artifact_index.reconcile.state.state import State
from artifact_index.reconcile.status.index_status import index_status, unselected_status
from artifact_index.reconcile.status.writer import StatusWriter


@dataclass(frozen=True, slots=True, eq=False)
class IndexReconciler:
    """Writes the status of an ArtifactIndex; `is_busy` tells of a key that is being reconciled."""

    _cache: Cache
    _resolver: Resolver
    _state: State
    _writer: StatusWriter
    _is_busy: Callable[[Key], bool]
    _env: Env

    def forget(self, ref: ObjectRef) -> None:
        """Forget a deleted ArtifactIndex."""
        self._resolver.forget(ref)
        self._writer.forget_index(ref)

    async def reconcile(self, ref: ObjectRef) -> Result:
        """Write the status of one ArtifactIndex if it differs. Raises ApiError."""
        index = self._cache.indexes.get(ref)
        if index is None:
            self.forget(ref)
            return Result()
        consumers = [
            options.ref
            for options in self._cache.consumers(index)
            if self._state.serves(options.ref, ref)
        ]
        if not consumers:
            self._resolver.forget(ref)
            problem = self._resolver.spec_problem(index)
            asleep = self._cache.consumers(index, suspended=True)
            suspended = min(asleep, key=lambda options: options.ref, default=None)
            status = unselected_status(index, problem, self._env.clock(), suspended=suspended)
        elif (busy := next(filter(self._is_busy, map(options_key, consumers)), None)) is not None:
            # Each of them may change this status: write it once, when all are done.
            return Result(after=busy)
        else:
            plan = self._state.plan_of(index, consumers)
            if plan is None:
                # Some consumer has not planned this spec yet; its reconcile enqueues the index.
                return Result()
            skew = self._env.margins.clock_skew
            status = index_status(index, plan, self._env.clock(), skew=skew)
        await self._writer.write_index_status(index, status)
        return Result()
