"""Takes keys from the queue, has them reconciled, and acts on the results."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from artifact_index.api.timestamps import format_time
from artifact_index.instrumentation import PassResult
from artifact_index.kube.errors import ApiError, NotLeading
from artifact_index.logs import log_event, log_exception
from artifact_index.reconcile.apply.applied import owner_unknown
from artifact_index.reconcile.cache.cache import Cache, Key, index_key, options_key
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import ObjectRef, OptionsObject, status_bytes
from artifact_index.reconcile.cluster.options import ClusterOptionsReconciler
from artifact_index.reconcile.cluster.outputs import ClusterOutputsReconciler
from artifact_index.reconcile.index import IndexReconciler
from artifact_index.reconcile.options import OptionsReconciler
from artifact_index.reconcile.queue.repairs import Repairs
from artifact_index.reconcile.queue.workqueue import DEBOUNCE, WorkQueue
from artifact_index.reconcile.result import Result
from artifact_index.reconcile.status.conditions import Status
from artifact_index.reconcile.status.second import keeping_second, with_second
from artifact_index.reconcile.status.writer import StatusWriter
from artifact_index.runtime import Turns
from artifact_index.sources.policy import Problem, internal_problem

_QUIET_FAILURES: Final = 2
"""Failures in a row that are retried before the status reports them."""

_MORE_TOKENS: Final = 0.25
"""Seconds for which the first tokens of one IndexOptions are collected into one reconcile."""

_GATHERED: Final = 1.0
"""Seconds for which what changes in one namespace after another is collected into one status."""

_MORE_CONSUMERS: Final = 0.05
"""Seconds for which IndexOptions that end are collected into one look by an index of them all."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Reconcilers:
    """What reconciles each kind of key."""

    options: OptionsReconciler
    index: IndexReconciler
    cluster_options: ClusterOptionsReconciler
    cluster_outputs: ClusterOutputsReconciler


@dataclass(slots=True, eq=False)
class Controller:
    """Runs the reconcilers: the only part that knows both them and the queue.

    It retries with back-off, withholds what a quiet result says of first failures, writes the
    status of an IndexOptions once no output waits, enqueues the indexes of a changed plan, and
    measures each reconcile.
    """

    _cache: Cache
    queue: WorkQueue
    _reconcilers: Reconcilers
    _status_writer: StatusWriter
    _env: Env
    _pending: dict[ObjectRef, tuple[OptionsObject, Status]] = field(
        default_factory=dict, init=False
    )
    """The statuses that wait to be written, each with the object that it was made for."""
    _after: dict[Key, set[Key]] = field(default_factory=dict, init=False)
    """The objects that wait for the end of another one's reconcile, by that one."""
    _edits: Repairs[Key] = field(default_factory=Repairs, init=False)
    """The objects whose status somebody else has changed lately."""
    stands_by: bool = field(default=False, init=False)
    """Whether nothing is enqueued: who leads next enqueues everything that there is by then."""

    def enqueue(self, keys: Iterable[Key], delay: float = 0.0) -> None:
        """Have these keys reconciled after `delay` seconds."""
        for key in keys:
            if self.stands_by:
                self._forget_deleted(key)
            else:
                self.queue.add_after(key, delay)

    def status_edited(self, keys: Iterable[Key]) -> None:
        """Have a status put right that somebody else has changed; the more often, the later."""
        now = asyncio.get_running_loop().time()
        for key in () if self.stands_by else keys:
            edit = self._edits.count(key)
            self.queue.add_after(key, max(DEBOUNCE, edit.next_at - now))

    def tokens_changed(self, consumers: Iterable[Any]) -> None:
        """Have the IndexOptions reconciled whose tokens changed, once for a burst of first tokens.

        The last token that an IndexOptions awaits has it reconciled at once. An earlier one waits
        a moment for more of them, or for the last one if nothing can be published before.
        """
        ref: ObjectRef
        for ref in consumers:
            if self.stands_by or self._cache.options.get(ref) is None:
                continue
            more_to_come = self._reconcilers.options.awaits_tokens(ref)
            if more_to_come and self._reconcilers.options.only_waited(ref):
                continue
            self.queue.add_after(options_key(ref), _MORE_TOKENS if more_to_come else 0)

    def stand_by(self) -> None:
        """Forget the statuses that wait to be written, and what waits for a reconcile to end.

        Until `stands_by` is reset nothing is enqueued, and what is deleted is forgotten at once.
        """
        self.stands_by = True
        self._pending.clear()
        self._after.clear()

    async def run_worker(self) -> None:
        """Reconcile the first key by priority, for ever."""
        while True:
            key = await self.queue.get()
            try:
                await self.reconcile(key)
            finally:
                self.queue.done(key)
            # A reconcile that writes nothing never yields: a thousand would block the event loop.
            await asyncio.sleep(0)

    async def reconcile(self, key: Key) -> None:
        """Reconcile one key and act on the result. Failures are logged and retried."""
        clock = asyncio.get_running_loop().time
        started_at = clock()
        result = await self._try(key)
        self.enqueue(self._after.pop(key, ()), _MORE_CONSUMERS)
        self._env.meter.reconciled(kind=key.shown_kind, result=result, seconds=clock() - started_at)

    async def _try(self, key: Key) -> PassResult:
        try:
            return await self._act_on(key, await self._reconcile(key))
        except NotLeading:
            # The workers are about to be ended; the next leader works on everything.
            self.queue.add_rate_limited(key)
            return "api_error"
        except ApiError as error:
            if error.forbidden and self.queue.num_requeues(key) >= _QUIET_FAILURES:
                self._report(key, owner_unknown(error.message))
            delay = self.queue.add_rate_limited(key, error.retry_after or 0.0)
            next_try = format_time(self._env.clock() + delay)
            log_event(
                logger, logging.WARNING, "Retried", f"{error}; trying again",
                namespace=key.ref.namespace, kind=key.object_kind,
                name=key.ref.name, nextTry=next_try,
            )  # fmt: skip
            return "api_error"
        except Exception as error:
            # The outermost boundary of a reconcile: one bad object must not stop the others.
            delay = self.queue.add_rate_limited(key)
            message = "%s %s/%s is tried again in %.1f s"
            incident = log_exception(logger, error, message, key.shown_kind, *key.ref, delay)
            self._report(key, internal_problem(incident))
            return "internal_error"

    async def _reconcile(self, key: Key) -> Result:
        if key.kind == "ClusterOutputs":
            return await self._reconcilers.cluster_outputs.reconcile(key.ref)
        first = self._cache.writers.rival_in(key.ref.namespace)
        if first is not None and key.kind != "IndexOptionsStatus":
            return self._beside(key)
        if key.kind == "IndexOptions" and not key.ref.namespace:
            return await self._reconcilers.cluster_options.reconcile(key.ref)
        if key.kind == "IndexOptions":
            return await self._reconcilers.options.reconcile(key.ref)
        if key.kind == "ArtifactIndex":
            return await self._reconcilers.index.reconcile(key.ref)
        return await self._write_pending(key.ref)

    def _beside(self, key: Key) -> Result:
        """Stand still where another installation was first, and say so on its IndexOptions."""
        options = self._cache.options.get(key.ref) if key.kind == "IndexOptions" else None
        return Result(status=None if options is None else self._beside_others({}, options))

    async def _act_on(self, key: Key, result: Result) -> PassResult:
        self.enqueue(result.enqueue)
        self.enqueue(result.later, _GATHERED)
        if not (result.quiet and self.queue.num_requeues(key) < _QUIET_FAILURES):
            if result.status is not None:
                self._set_pending(key.ref, result.status)
            if result.plan is not None:
                turns = Turns()
                for index in self._reconcilers.options.commit(key.ref, result.plan):
                    self.enqueue((index_key(index),))
                    await turns.leave()
        if result.after is not None:
            self._after.setdefault(result.after, set()).add(key)
        if result.requeue_after is not None:
            self.queue.add_after(key, result.requeue_after)
        if result.retry:
            self.queue.add_rate_limited(key, result.retry_after)
            return "retry"
        self.queue.forget(key)
        return "ok"

    def _set_pending(self, ref: ObjectRef, status: Status) -> None:
        self._pending.pop(ref, None)
        options = self._cache.options.get(ref)
        if options is None:
            return
        if status_bytes(self._beside_others(status, options)) != options.status:
            self._pending[ref] = options, status
            # The queue hands it out after every IndexOptions that is due.
            self.queue.add_after(Key("IndexOptionsStatus", ref), 0)

    async def _write_pending(self, ref: ObjectRef) -> Result:
        if not ref.namespace and self.queue.is_busy(options_key(ref)):
            # At the end of a long wave: what was to be told of its middle is replaced.
            return Result(after=options_key(ref))
        pending, latest = self._pending.get(ref), self._cache.options.get(ref)
        if pending is not None:
            options, status = pending
            if latest is not None and latest.is_generation(options.uid, options.generation):
                # Another installation may have written since the reconcile.
                status = self._beside_others(status, latest)
                await self._status_writer.write_options_status(latest, status)
            if self._pending.get(ref) is pending:
                del self._pending[ref]
        return Result()

    def _beside_others(self, status: Status, options: OptionsObject) -> Status:
        """Our `status` beside what another installation says in that of `options`."""
        own, now = self._cache.writers.own, self._env.clock()
        first = self._cache.writers.rival_in(options.ref.namespace)
        if first is not None:
            return with_second(options, own=own, first=first, now=now)
        return keeping_second(status, options, own=own, now=now)

    def _forget_deleted(self, key: Key) -> None:
        if key.kind == "IndexOptions" and self._cache.options.get(key.ref) is None:
            self._reconcilers.options.forget(key.ref)
        elif key.kind == "ArtifactIndex" and self._cache.indexes.get(key.ref) is None:
            self._reconcilers.index.forget(key.ref)

    def _report(self, key: Key, problem: Problem) -> None:
        """Have the status of an IndexOptions written whose reconcile raised."""
        if key.kind == "ClusterOutputs":
            counted = self._reconcilers.cluster_outputs.failed(key.ref, problem)
            self.enqueue(counted.enqueue)
            self.enqueue(counted.later, _GATHERED)
        if key.kind != "IndexOptions":
            return
        try:
            of_cluster = self._reconcilers.cluster_options
            reconciler = self._reconcilers.options if key.ref.namespace else of_cluster
            status = reconciler.unplanned_status(key.ref, problem)
            if status is not None:
                self._set_pending(key.ref, status)
        except Exception as error:
            # What broke the reconcile may break its status, too; the worker goes on.
            message = "%s of IndexOptions %s/%s is not reported"
            log_exception(logger, error, message, problem.reason, *key.ref)
