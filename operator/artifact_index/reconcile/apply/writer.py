"""Writes the outputs of one IndexOptions, and prunes those that its spec no longer names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from artifact_index.api.reasons import Reason
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import CONFIG_MAPS, INDEX_OPTIONS, SECRETS, Resource
from artifact_index.reconcile.cache.cache import Cache, Key, options_key
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    MOST_KEYS,
    OptionsObject,
    OutputObject,
    OutputRef,
    declared_outputs,
    parse_output,
)
from artifact_index.reconcile.plan.outputs import (
    RELEASE_PATCH,
    DesiredOutput,
    owner_reference,
    ownership_patch,
)
from artifact_index.reconcile.plan.ownership import belongs_to, ownership_problem
from artifact_index.reconcile.queue.write_limiter import OUTPUT, WriteLimiter
from artifact_index.sources.policy import Problem

RESOURCES: dict[str, Resource] = {"Secret": SECRETS, "ConfigMap": CONFIG_MAPS}


@dataclass(frozen=True, slots=True)
class Applied:
    """The outputs that now stand as desired, and the first problem of the others.

    `error` is the first error of the API server: it calls for a retry. `failed` are the outputs
    with an error, each with the digest of the content that was refused; None if it was not refused
    but may be accepted at the next try.
    """

    written: tuple[DesiredOutput, ...] = ()
    problem: Problem | None = None
    error: ApiError | None = None
    failed: Mapping[OutputRef, str | None] = field(default_factory=dict)

    @property
    def needs_retry(self) -> bool:
        """True if no watch event will report that the output can be written now."""
        return self.error is not None or bool(self.problem and self.problem.reason.unwatched)

    @property
    def retry_after(self) -> float:
        """The least delay of a retry, in seconds, as the API server asked for it."""
        return (self.error.retry_after if self.error else None) or 0.0


@dataclass(frozen=True, slots=True, eq=False)
class OutputWriter:
    """Creates, patches or leaves outputs; reads only what the cache cannot know."""

    _api: KubePort
    _cache: Cache
    _limiter: WriteLimiter
    _priority: Callable[[Key], float]
    _digester: Digester

    async def owner_is_gone(self, options: OptionsObject) -> bool:
        """True if an IndexOptions that lost an output no longer exists. Raises ApiError.

        The garbage collector deletes an output when its owner is deleted, perhaps before the watch
        reports the owner's deletion. Whatever was written then would be deleted again.
        """
        if not self._cache.lost_output(options):
            return False
        try:
            body = await self._api.get(INDEX_OPTIONS, *options.ref)
        except ApiError as error:
            if error.not_found:
                return True
            raise
        metadata = body["metadata"]
        return metadata["uid"] != options.uid or bool(metadata.get("deletionTimestamp"))

    async def apply(self, options: OptionsObject, outputs: Sequence[DesiredOutput]) -> Applied:
        """Write each output that differs from the desired one. Failures do not stop the others."""
        written: list[DesiredOutput] = []
        problems: list[Problem] = []
        errors: list[ApiError] = []
        failed: dict[OutputRef, str | None] = {}
        for output in outputs:
            try:
                if (problem := await self._apply(options, output)) is not None:
                    problems.append(problem)
                else:
                    written.append(output)
            except ApiError as error:
                errors.append(error)
                problems.append(_write_failed(output.ref, error))
                failed[output.ref] = output.digest if error.forbidden or error.invalid else None
        return Applied(tuple(written), next(iter(problems), None), next(iter(errors), None), failed)

    async def prune(self, options: OptionsObject, applied: Applied) -> Applied:
        """Delete the outputs that left the spec, or release them with `deletionPolicy: Retain`.

        Call it only once the others are written, so that pods can move to them. Returns `applied`,
        with the problem and the error of a deletion that failed.
        """
        declared = set(declared_outputs(options))
        for existing in self._cache.outputs_of(options.ref):
            if existing.ref in declared or not belongs_to(existing, options):
                continue
            try:
                await self._remove(options, existing)
            except ApiError as error:
                if not (error.not_found or error.conflict or error.invalid):
                    problem = _write_failed(existing.ref, error)
                    return replace(applied, problem=problem, error=error)
        return applied

    def owned(self, options: OptionsObject) -> list[OutputObject]:
        """The outputs that belong to exactly this IndexOptions, also those that left its spec."""
        return [each for each in self._cache.outputs_of(options.ref) if belongs_to(each, options)]

    async def align_owners(self, options: OptionsObject, owned: Iterable[OutputObject]) -> Applied:
        """Have the owner references of its outputs follow `deletionPolicy`; their content stays."""
        applied = Applied()
        retains = owner_reference(options) is None
        for existing in owned:
            if options.spec is None or retains == (existing.controller is None):
                continue
            kind, namespace, name = existing.ref
            await self._wait(options)
            patch = ownership_patch(options, existing)
            try:
                self._observe(kind, await self._api.patch(RESOURCES[kind], namespace, name, patch))
            except ApiError as error:
                if error.not_found:
                    self._cache.drop_output(existing.ref, existing.uid)
                else:
                    problem = _write_failed(existing.ref, error)
                    applied = replace(applied, problem=problem, error=error)
        return applied

    async def _apply(self, options: OptionsObject, output: DesiredOutput) -> Problem | None:
        existing = self._cache.outputs.get(output.ref)
        if existing is None:
            try:
                return await self._create(options, output)
            except ApiError as error:
                if not error.already_exists:
                    raise
        if existing is None or not existing.labelled:
            # The watch does not deliver objects without our label: the cached copy may be old.
            existing = await self._read(output.ref)
            if existing is None:
                return await self._create(options, output)
        living = self._cache.options_uids(options.ref.namespace)
        problem = ownership_problem(existing, options, living)
        if problem is not None or output.is_met_by(existing):
            return problem
        return await self._patch(options, output, existing)

    async def _create(self, options: OptionsObject, output: DesiredOutput) -> Problem | None:
        kind, namespace, _ = output.ref
        await self._wait(options)
        body = await self._api.create(RESOURCES[kind], namespace, output.creation())
        self._observe(kind, body)
        return None

    async def _patch(
        self, options: OptionsObject, output: DesiredOutput, existing: OutputObject
    ) -> Problem | None:
        kind, namespace, name = output.ref
        await self._wait(options)
        try:
            body = await self._api.patch(RESOURCES[kind], namespace, name, output.patch(existing))
        except ApiError as error:
            if error.not_found:
                return await self._create(options, output)
            if error.invalid or error.conflict:
                # Another object may have the name by now, or the API server refuses the content.
                self._cache.drop_output(output.ref, existing.uid)
                await self._read(output.ref)
            raise
        observed = self._observe(kind, body)
        if len(existing.keys) == MOST_KEYS and not output.is_met_by(observed):
            # Not all of its keys were known: the next ones go now.
            return await self._patch(options, output, observed)
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
        await self._wait(options)
        if options.spec is not None and options.spec.deletion_policy == "Retain":
            body = {"metadata": {"uid": existing.uid, **RELEASE_PATCH}}
            await self._api.patch(RESOURCES[kind], namespace, name, body)
        else:
            await self._api.delete(RESOURCES[kind], namespace, name, uid=existing.uid)
        self._cache.drop_output(existing.ref, existing.uid)

    async def _wait(self, options: OptionsObject) -> None:
        await self._limiter.wait(OUTPUT, self._priority(options_key(options.ref)))

    def _observe(self, kind: str, body: dict[str, object]) -> OutputObject:
        output = parse_output(kind, body, self._digester)
        # Nothing is enqueued for our own write. The watch event that follows is not newer.
        self._cache.put_output(output)
        return output


def owner_unknown(answer: str) -> Problem:
    """The problem of a lost output whose owner the operator may not read.

    `answer` is the message of the API server.
    """
    return Problem(
        Reason.PERMISSION_MISSING,
        "an output is gone and is not written again, because the operator may not read whether its "
        f"IndexOptions still exists: {answer}",
    )


def _write_failed(ref: OutputRef, error: ApiError) -> Problem:
    return Problem(
        Reason.WRITE_FAILED,
        f"{ref.kind} {ref.name!r} could not be written and is tried again: {error}",
    )
