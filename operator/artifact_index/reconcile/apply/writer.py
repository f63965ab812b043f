"""Writing the outputs of one IndexOptions, and taking away those that it no longer names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from artifact_index.api.reasons import Reason
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import CONFIG_MAPS, INDEX_OPTIONS, SECRETS, Resource
from artifact_index.reconcile.cache.cache import Cache, Key, options_key
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    OptionsObject,
    OutputObject,
    OutputRef,
    declared_outputs,
    parse_output,
)
from artifact_index.reconcile.plan.outputs import RELEASE_PATCH, DesiredOutput
from artifact_index.reconcile.plan.ownership import belongs_to, ownership_problem
from artifact_index.reconcile.queue.write_limiter import WriteLimiter
from artifact_index.sources.policy import Problem

RESOURCES: dict[str, Resource] = {"Secret": SECRETS, "ConfigMap": CONFIG_MAPS}


@dataclass(slots=True)
class Applied:
    """What was written (or stood already), and the first problem met. Errors are to be retried."""

    written: list[DesiredOutput] = field(default_factory=list)
    problem: Problem | None = None
    error: ApiError | None = None


class OutputWriter:
    """Makes outputs as they ought to be: no write where nothing differs, and hardly a read."""

    def __init__(
        self,
        *,
        api: KubePort,
        cache: Cache,
        digester: Digester,
        budget: WriteLimiter,
        priority: Callable[[Key], float],
    ) -> None:
        self._api = api
        self._cache = cache
        self._digester = digester
        self._budget = budget
        self._priority = priority

    async def owner_is_there(self, options: OptionsObject) -> bool:
        """Whether an IndexOptions that lost an output is still there itself. Raises ApiError.

        The garbage collector may have taken the output of an owner whose own deletion has not been
        reported yet, and would take it again each time that it is written.
        """
        if not self._cache.lost_output(options):
            return True
        try:
            body = await self._api.get(INDEX_OPTIONS, *options.ref)
        except ApiError as error:
            if error.not_found:
                return False
            raise
        metadata = body["metadata"]
        return metadata["uid"] == options.uid and not metadata.get("deletionTimestamp")

    async def apply(self, options: OptionsObject, outputs: Sequence[DesiredOutput]) -> Applied:
        """Write every output; one that must not or cannot be written does not stop the others."""
        applied = Applied()
        for output in outputs:
            try:
                problem = await self._apply(options, output)
            except ApiError as error:
                applied.error = applied.error or error
                problem = _write_failed(output.ref, error)
            if problem is None:
                applied.written.append(output)
            applied.problem = applied.problem or problem
        return applied

    async def remove_undeclared(self, options: OptionsObject, applied: Applied) -> None:
        """Delete, or with `Retain` release, the outputs that left the spec.

        Only once the others are written, so that pods have where to go; `applied` says so, and
        takes what goes wrong here.
        """
        if applied.problem is not None:
            return
        declared = set(declared_outputs(options))
        for existing in self._cache.outputs_of(options.ref):
            if existing.ref in declared or not belongs_to(existing, options):
                continue
            try:
                await self._remove(options, existing)
            except ApiError as error:
                if not (error.not_found or error.conflict or error.invalid):
                    applied.error = error
                    applied.problem = _write_failed(existing.ref, error)
                    return

    async def _apply(self, options: OptionsObject, output: DesiredOutput) -> Problem | None:
        existing = self._cache.outputs.get(output.ref)
        if existing is None:
            try:
                return await self._create(options, output)
            except ApiError as error:
                if not error.already_exists:
                    raise
        if existing is None or not existing.labelled:
            # The watch does not show objects without our label, so what is known may be old.
            existing = await self._read(output.ref)
            if existing is None:
                return await self._create(options, output)
        living = self._cache.options_uids(options.ref.namespace)
        problem = ownership_problem(existing, options, living)
        if problem is not None or output.is_met_by(existing):
            return problem
        return await self._patch(options, output, existing)

    async def _create(self, options: OptionsObject, output: DesiredOutput) -> Problem | None:
        resource = RESOURCES[output.ref.kind]
        await self._turn(options)
        body = await self._api.create(resource, output.ref.namespace, output.creation())
        self._observe(output.ref.kind, body)
        return None

    async def _patch(
        self, options: OptionsObject, output: DesiredOutput, existing: OutputObject
    ) -> Problem | None:
        kind, namespace, name = output.ref
        await self._turn(options)
        try:
            body = await self._api.patch(RESOURCES[kind], namespace, name, output.patch(existing))
        except ApiError as error:
            if error.not_found:
                return await self._create(options, output)
            if error.invalid or error.conflict:
                # Another object has the name by now: the next attempt reads it.
                self._cache.drop_output(output.ref, existing.uid)
            raise
        self._observe(kind, body)
        return None

    async def _read(self, ref: OutputRef) -> OutputObject | None:
        try:
            body = await self._api.get(RESOURCES[ref.kind], ref.namespace, ref.name)
        except ApiError as error:
            if error.not_found:
                self._cache.drop_output(ref)
                return None
            raise
        return self._observe(ref.kind, body)

    async def _remove(self, options: OptionsObject, existing: OutputObject) -> None:
        kind, namespace, name = existing.ref
        await self._turn(options)
        if options.spec is not None and options.spec.deletion_policy == "Retain":
            body = {"metadata": {"uid": existing.uid, **RELEASE_PATCH}}
            await self._api.patch(RESOURCES[kind], namespace, name, body)
        else:
            await self._api.delete(RESOURCES[kind], namespace, name, uid=existing.uid)
        self._cache.drop_output(existing.ref, existing.uid)

    async def _turn(self, options: OptionsObject) -> None:
        await self._budget.output(self._priority(options_key(options.ref)))

    def _observe(self, kind: str, body: dict[str, object]) -> OutputObject:
        record = parse_output(kind, body, self._digester)
        # The answer to our own write concerns nobody; its echo on the watch is then no news.
        self._cache.put_output(record)
        return record


def owner_unknown(answer: str) -> Problem:
    """Whether a lost output's owner is there cannot be asked; `answer` is the API server's."""
    return Problem(
        Reason.PERMISSION_MISSING,
        "an output is gone, and is not written again before the operator may look whether its "
        f"IndexOptions is still there: {answer}",
    )


def _write_failed(ref: OutputRef, error: ApiError) -> Problem:
    return Problem(
        Reason.WRITE_FAILED,
        f"{ref.kind} {ref.name!r} could not be written and is tried again: {error}",
    )
