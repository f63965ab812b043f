"""One pass over one object: gather, place, plan, apply, summarise."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Container, Sequence

from artifact_index.api.reasons import Reason
from artifact_index.credentials.aws.endpoints import Endpoints
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.credentials.tokens.manager import TokenManager
from artifact_index.instrumentation import UNMEASURED, Meter, PassResult
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.apply.writer import Applied, OutputWriter, owner_unknown
from artifact_index.reconcile.cache.cache import Cache, Key, index_key, options_key, status_key
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import ObjectRef, OptionsObject, OutputRef, status_bytes
from artifact_index.reconcile.plan.entries import IndexPlan, plan_indexes, plan_vanished
from artifact_index.reconcile.plan.fallback import first_withdrawal
from artifact_index.reconcile.plan.outputs import desired_outputs
from artifact_index.reconcile.queue.workqueue import DEBOUNCE, WorkQueue
from artifact_index.reconcile.resolve.checks import Problem, invalid_spec
from artifact_index.reconcile.resolve.gather import Gathered, Gatherer
from artifact_index.reconcile.state.state import State
from artifact_index.reconcile.status.conditions import Status
from artifact_index.reconcile.status.index_status import index_status, unselected_status
from artifact_index.reconcile.status.options_status import (
    OptionsOutcome,
    no_indexes,
    options_status,
    suspended_options_status,
)
from artifact_index.reconcile.status.writer import StatusWriter

_QUIET_FAILURES = 2
"""Failed passes in a row that are tried again before the status speaks of them."""

logger = logging.getLogger(__name__)


class Reconciler:
    """Brings one object at a time to what its spec asks for."""

    def __init__(
        self,
        *,
        cache: Cache,
        queue: WorkQueue,
        gatherer: Gatherer,
        output_writer: OutputWriter,
        status_writer: StatusWriter,
        tokens: TokenManager,
        endpoints: Endpoints,
        state: State,
        digester: Digester,
        margins: Margins,
        now: Callable[[], float],
        meter: Meter = UNMEASURED,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._gatherer = gatherer
        self._output_writer = output_writer
        self._status_writer = status_writer
        self._tokens = tokens
        self._endpoints = endpoints
        self._state = state
        self._digester = digester
        self._margins = margins
        self._now = now
        self._meter = meter
        self._told: dict[ObjectRef, tuple[OptionsObject, Status]] = {}

    async def work(self) -> None:
        """One worker: take the most urgent object, again and again."""
        while True:
            key = await self._queue.get()
            try:
                await self.reconcile(key)
            finally:
                self._queue.done(key)
            # A pass that writes nothing never waits: a thousand in a row would hold the loop.
            await asyncio.sleep(0)

    async def reconcile(self, key: Key) -> None:
        """One pass over an object. Whatever fails is logged and tried again later."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        result = await self._pass(key)
        self._meter.reconciled(kind=key.kind, result=result, seconds=clock() - begun)

    async def _pass(self, key: Key) -> PassResult:
        failures = self._queue.failures(key)
        try:
            if key.kind == "IndexOptions":
                await self._reconcile_options(key)
            elif key.kind == "IndexOptionsStatus":
                await self._record_status(key)
            else:
                await self._reconcile_index(key)
            if self._queue.failures(key) > failures:
                return "retry"
            self._queue.forget_failures(key)
            return "ok"
        except ApiError as error:
            delay = self._queue.retry(key, error.retry_after or 0.0)
            logger.warning("%s %s/%s: %s; trying again in %.1f s", key.kind, *key.ref, error, delay)
            return "api_error"
        except Exception:
            # The outermost boundary of a pass: one bad object must not stop the others.
            incident = secrets.token_hex(4)
            delay = self._queue.retry(key)
            logger.exception(
                "%s %s/%s: internal error %s; trying again in %.1f s",
                key.kind, *key.ref, incident, delay,
            )  # fmt: skip
            self._record_internal_error(key, incident)
            return "internal_error"

    async def _reconcile_options(self, key: Key) -> None:
        record = self._cache.options.get(key.ref)
        if record is None or not await self._is_there(key, record):
            self._forget(key, record)
            return
        if record.spec is not None and record.spec.suspend:
            self._tokens.release(key.ref)
            self._endpoints.release(key.ref)
            self._tell(record, suspended_options_status(record, self._now()))
            return
        if record.problem is not None:
            self._finish(record, OptionsOutcome(None, (), invalid_spec(record.problem)))
            return
        gathered = await self._gatherer.gather(record)
        if gathered.waiting_until is not None:
            # The token manager reports when all answers are there; one may never come.
            self._state.waiting.add(key.ref)
            self._queue.add(key, gathered.waiting_until - self._now())
            return
        self._state.waiting.discard(key.ref)
        if not gathered.views:
            await self._without_indexes(key, record, gathered.problem)
            return
        placed = self._place(record, gathered)
        applied = await self._write(record, placed, gathered.problem)
        await self._output_writer.remove_undeclared(record, applied)
        applied.problem = applied.problem or gathered.problem
        self._state.set_names(key.ref, placed)
        if applied.error is not None and self._queue.failures(key) < _QUIET_FAILURES:
            # A hiccup of the API server: two more status writes would not help it.
            self._come_back(key, placed, applied)
            return
        self._finish(record, OptionsOutcome(placed, applied.written, applied.problem))
        self._tell_indexes(key, placed)
        self._come_back(key, placed, applied)

    async def _is_there(self, key: Key, record: OptionsObject) -> bool:
        try:
            return await self._output_writer.owner_is_there(record)
        except ApiError as error:
            if error.forbidden and self._queue.failures(key) >= _QUIET_FAILURES:
                problem = owner_unknown(error.message)
                self._finish(record, OptionsOutcome(None, (), problem))
            raise

    def _forget(self, key: Key, record: OptionsObject | None) -> None:
        """The IndexOptions is gone, whether or not that has been reported."""
        if record is not None:
            for other in self._cache.drop_options(key.ref, record.uid):
                self._queue.add(other, 0)
        self._tokens.release(key.ref)
        self._endpoints.release(key.ref)
        self._state.forget_options(key.ref)
        self._told.pop(key.ref, None)

    def _place(self, record: OptionsObject, gathered: Gathered) -> list[IndexPlan]:
        public = record.spec.public_index if record.spec else None
        return plan_indexes(
            gathered.views,
            published=self._state.published[record.ref],
            assigned=self._state.names_of(record.ref),
            public_name=public.name if public and public.enabled else None,
            with_credentials=gathered.with_credentials,
            margins=self._margins,
            now=self._now(),
        )

    async def _write(
        self,
        record: OptionsObject,
        placed: list[IndexPlan],
        public_problem: Problem | None,
        *,
        only: Container[OutputRef] | None = None,
    ) -> Applied:
        blocked = public_problem is not None
        outputs, problem = desired_outputs(record, placed, self._digester, public_blocked=blocked)
        if only is not None:
            outputs = [output for output in outputs if output.ref in only]
        applied = await self._output_writer.apply(record, outputs)
        if applied.written:
            self._state.set_published(record.ref, placed)
        applied.problem = applied.problem or problem
        return applied

    async def _without_indexes(
        self, key: Key, record: OptionsObject, public_problem: Problem | None
    ) -> None:
        """Nothing selected: a file with the public index alone is never written.

        An output that is there stays, until the tokens in it have to be withdrawn.
        """
        outputs = self._cache.outputs_of(record.ref)
        served = self._state.published[record.ref] if outputs else {}
        withdraw_at = first_withdrawal(served, self._margins)
        applied = Applied()
        if withdraw_at is not None and withdraw_at <= self._now():
            vanished = plan_vanished(record.ref.namespace, served, self._margins, self._now())
            there = {output.ref for output in outputs}
            applied = await self._write(record, vanished, public_problem, only=there)
            await self._output_writer.remove_undeclared(record, applied)
        elif withdraw_at is not None:
            self._queue.add(key, withdraw_at - self._now())
        self._state.set_names(key.ref, ())
        problem = applied.problem or no_indexes(record, outputs_stay=bool(outputs))
        self._finish(record, OptionsOutcome((), (), problem))
        self._tell_indexes(key, ())
        self._come_back(key, (), applied)

    def _tell_indexes(self, key: Key, placed: Sequence[IndexPlan]) -> None:
        """The indexes whose place has changed say so in their statuses."""
        for ref in self._state.set_plans(key.ref, placed):
            self._queue.add(index_key(ref), 0)

    def _finish(self, record: OptionsObject, outcome: OptionsOutcome) -> None:
        # Meanwhile the object may have been deleted, or changed: then its own event comes.
        latest, now = self._cache.options.get(record.ref), self._now()
        if latest is not None and latest.is_generation(record.uid, record.generation):
            self._tell(latest, options_status(latest, outcome, margins=self._margins, now=now))

    def _tell(self, record: OptionsObject, status: Status) -> None:
        """The status of an IndexOptions is written after the outputs of those that wait."""
        self._told.pop(record.ref, None)
        if status_bytes(status) != record.status:
            self._told[record.ref] = record, status
            self._queue.add(status_key(record.ref), 0)

    async def _record_status(self, key: Key) -> None:
        told, latest = self._told.get(key.ref), self._cache.options.get(key.ref)
        if told is None:
            return
        record, status = told
        if latest is not None and latest.is_generation(record.uid, record.generation):
            await self._status_writer.record_options(latest, status, self._now())
        if self._told.get(key.ref) is told:
            del self._told[key.ref]

    def _come_back(self, key: Key, placed: Sequence[IndexPlan], applied: Applied) -> None:
        if applied.error is not None:
            self._queue.retry(key, applied.error.retry_after or 0.0)
            return
        if applied.problem is not None and applied.problem.reason.unwatched:
            # No watch shows an object that is not ours: it is looked at again, soon at first.
            self._queue.retry(key)
        times = [one.recheck_at for one in placed if one.recheck_at is not None]
        if times:
            self._queue.add(key, max(0.1, min(times) - self._now()))

    async def _reconcile_index(self, key: Key) -> None:
        record = self._cache.indexes.get(key.ref)
        if record is None:
            self._state.forget_index(key.ref)
            return
        consumers = self._cache.consumers(record)
        if not consumers:
            self._state.forget_index(key.ref, record.uid)
            status = unselected_status(record, self._gatherer.spec_problem(record), self._now())
        elif any(self._queue.is_busy(options_key(one.ref)) for one in consumers):
            # Each of them may change what the status says: it is written once, when all are done.
            self._queue.add(key, DEBOUNCE)
            return
        else:
            placed = self._state.plan_of(record, [one.ref for one in consumers])
            if placed is None:
                # The IndexOptions has not been planned with this spec; its pass asks again.
                return
            skew = self._margins.clock_skew
            status = index_status(record, placed, self._now(), skew=skew)
        await self._status_writer.record_index(record, status, self._now())
        if (written := self._cache.indexes.get(key.ref)) is not None:
            self._state.keep_record(written, (one.ref for one in consumers))

    def _record_internal_error(self, key: Key, incident: str) -> None:
        if key.kind != "IndexOptions" or (record := self._cache.options.get(key.ref)) is None:
            return
        message = f"internal error {incident}; the operator's log has the details"
        outcome = OptionsOutcome(None, (), Problem(Reason.INTERNAL_ERROR, message))
        try:
            self._finish(record, outcome)
        except Exception:
            # What broke the pass may break its status, too; the worker goes on.
            logger.exception("%s %s/%s: %s cannot be recorded", key.kind, *key.ref, incident)
