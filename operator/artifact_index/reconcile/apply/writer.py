"""Writes the outputs of one IndexOptions, and prunes those that its spec no longer names."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from artifact_index.api.reasons import Reason
from artifact_index.kube.errors import UNREACHABLE, ApiError
from artifact_index.kube.port import KubePort, Object
from artifact_index.kube.resources import CONFIG_MAPS, SECRETS, Resource
from artifact_index.logs import log_event
from artifact_index.reconcile.apply.applied import Applied, adopted_message, write_failed
from artifact_index.reconcile.apply.contests import Contests, find_culprit
from artifact_index.reconcile.apply.owners import exists
from artifact_index.reconcile.apply.versions import Patch, at_version, signed, write_current
from artifact_index.reconcile.cache.cache import Cache, Key, options_key, outputs_key
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    MOST_KEYS,
    OPAQUE,
    OptionsObject,
    OutputObject,
    OutputRef,
    declared_outputs,
    parse_output,
)
from artifact_index.reconcile.plan.outputs import (
    DesiredOutput,
    owner_reference,
    ownership_patch,
    release_patch,
)
from artifact_index.reconcile.plan.ownership import belongs_to, is_adoption, ownership_problem
from artifact_index.reconcile.queue.write_limiter import OUTPUT, WriteLimiter
from artifact_index.sources.policy import Problem

RESOURCES: dict[str, Resource] = {"Secret": SECRETS, "ConfigMap": CONFIG_MAPS}

_ADOPTED: Final = "Adopted"

_REMOVED: Final = "removed"
_OWNER: Final = "owner"
"""What is written instead of a content with a digest."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class OutputWriter:
    """Creates, patches or leaves outputs; reads only what the cache cannot know."""

    _api: KubePort
    _cache: Cache
    _limiter: WriteLimiter
    _priority: Callable[[Key], float]
    _digester: Digester
    _announce: Callable[[OptionsObject, str, str], Awaitable[None]]
    _contests: Contests = field(default_factory=Contests, init=False)
    _owner_contests: Contests = field(default_factory=Contests, init=False)
    """Of content and whole outputs; of owner references alone."""
    _unanswered: set[OutputRef] = field(default_factory=set, init=False)
    """The outputs whose last write had no answer: it may have been done all the same."""

    async def owner_is_gone(self, options: OptionsObject) -> bool:
        """True if an IndexOptions that lost an output no longer exists. Raises ApiError.

        The garbage collector deletes an output when its owner is deleted, perhaps before the watch
        reports the owner's deletion. Whatever was written then would be deleted again.
        """
        return self._cache.lost_output(options) and not await exists(self._api, options)

    async def apply(self, options: OptionsObject, outputs: Sequence[DesiredOutput]) -> Applied:
        """Write each output that differs from the desired one. Failures do not stop the others."""
        written: list[DesiredOutput] = []
        problems: list[Problem] = []
        errors: list[ApiError] = []
        failed: dict[OutputRef, str | None] = {}
        for output in outputs:
            try:
                problem = await self._apply(options, output)
            except ApiError as error:
                errors.append(error)
                problem = write_failed(output.ref, error)
                if error.status == UNREACHABLE and error.sent:
                    self._unanswered.add(output.ref)
                # A server that comes back refuses everybody until it has read its permissions.
                known = (error.forbidden or error.invalid) and output.ref not in self._unanswered
                failed[output.ref] = output.digest if known else None
            if problem is not None:
                problems.append(problem)
            if problem is None or problem.reason is Reason.OUTPUT_CONTESTED:
                written.append(output)
        return Applied(tuple(written), next(iter(problems), None), next(iter(errors), None), failed)

    async def prune(
        self, options: OptionsObject, applied: Applied, *, withdraw: bool = False
    ) -> Applied:
        """Delete the outputs that left the spec, or release them with `deletionPolicy: Retain`.

        Call it only once the others are written, so that pods can move to them. With `withdraw`,
        all of them are deleted. Returns `applied`, with the problem and the error of a deletion
        that failed.
        """
        declared = set(declared_outputs(options)) if not withdraw else ()
        for existing in self._cache.outputs_of(options.owner_ref):
            if existing.ref in declared or not belongs_to(existing, options):
                continue
            try:
                contested = await self._postponed(self._contests, options, existing.ref, _REMOVED)
                if contested is not None:
                    applied = replace(applied, problem=contested)
                    continue
                await self._remove(options, existing, withdraw=withdraw)
                self._contests.wrote(options, existing.ref, _REMOVED)
            except ApiError as error:
                if not (error.not_found or error.conflict or error.invalid):
                    problem = write_failed(existing.ref, error)
                    return replace(applied, problem=problem, error=error)
        return applied

    def owned(self, options: OptionsObject) -> list[OutputObject]:
        """The outputs that belong to exactly this IndexOptions, also those that left its spec."""
        owned = self._cache.outputs_of(options.owner_ref)
        return [each for each in owned if belongs_to(each, options)]

    async def align_owners(self, options: OptionsObject, owned: Iterable[OutputObject]) -> Applied:
        """Have the owner references of its outputs follow `deletionPolicy`; their content stays."""
        applied = Applied()
        retains = owner_reference(options) is None
        for existing in owned:
            if options.spec is None or retains == (existing.controller is None):
                continue
            if not retains and existing.secret_type not in ("", OPAQUE):
                continue  # an older release may have adopted it: it may be let go, not taken
            try:
                contested = await self._postponed(
                    self._owner_contests, options, existing.ref, _OWNER
                )
                if contested is not None:
                    applied = replace(applied, problem=contested)
                    continue
                await self._wait(options)
                await self._send(existing, lambda each: ownership_patch(options, each))
                self._owner_contests.wrote(options, existing.ref, _OWNER)
            except ApiError as error:
                if error.not_found:
                    self._cache.drop_output(existing.ref, existing.uid)
                else:
                    problem = write_failed(existing.ref, error)
                    applied = replace(applied, problem=problem, error=error)
        return applied

    def recheck_after(self, options: OptionsObject) -> float | None:
        """Seconds until a contested output may be repaired, or is not contested any more."""
        both = self._contests, self._owner_contests
        if not any(both):
            return None
        refs = {output.ref for output in self._cache.outputs_of(options.owner_ref)}
        refs.update(declared_outputs(options))
        waits = (contests.recheck_after(refs) for contests in both)
        return min((wait for wait in waits if wait is not None), default=None)

    async def _apply(self, options: OptionsObject, output: DesiredOutput) -> Problem | None:
        existing = self._cache.outputs.get(output.ref)
        if existing is not None and (not existing.labelled or output.ref in self._unanswered):
            # The watch does not deliver objects without our label: the cached copy may be old.
            existing = await self._read(output.ref)
        self._unanswered.discard(output.ref)
        if existing is not None:
            return await self._update(options, output, existing)
        contested = await self._postponed(self._contests, options, output.ref, output.digest)
        if contested is not None:
            return contested
        try:
            await self._create(options, output)
        except ApiError as error:
            if not error.already_exists or (existing := await self._read(output.ref)) is None:
                raise
            return await self._update(options, output, existing)
        return self._wrote(options, output)

    async def _update(
        self, options: OptionsObject, output: DesiredOutput, existing: OutputObject
    ) -> Problem | None:
        living = self._cache.options_uids(options.ref.namespace)
        problem = ownership_problem(existing, options, living)
        if problem is not None:
            return problem
        if output.is_met_by(existing):
            return self._contests.problem(output.ref)
        contested = await self._postponed(self._contests, options, output.ref, output.digest)
        if contested is not None:
            return contested
        if existing.immutable:
            await self._replace(options, output, existing)
        else:
            await self._patch(options, output, existing)
        return self._wrote(options, output)

    async def _postponed(
        self, contests: Contests, options: OptionsObject, ref: OutputRef, content: str
    ) -> Problem | None:
        """The problem of an output that is undone too often to be repaired now."""
        if not contests.is_contested(options, ref, content):
            return None
        if contests.problem(ref, stands=False) is None:
            culprit = await find_culprit(self._api.get(RESOURCES[ref.kind], *ref[1:]))
            logger.warning("%s %s/%s does not stay as it is written: %s", *ref, culprit)
            contests.blame(ref, culprit)
        return None if contests.may_repair(ref) else contests.problem(ref, stands=False)

    def _wrote(self, options: OptionsObject, output: DesiredOutput) -> Problem | None:
        self._contests.wrote(options, output.ref, output.digest)
        return self._contests.problem(output.ref)

    async def _create(self, options: OptionsObject, output: DesiredOutput) -> None:
        kind, namespace, _ = output.ref
        await self._wait(options)
        body = signed(output.creation(), self._cache.writers.signature)
        self._observe(kind, await self._api.create(RESOURCES[kind], namespace, body))

    async def _patch(
        self, options: OptionsObject, output: DesiredOutput, existing: OutputObject
    ) -> None:
        await self._wait(options)
        try:
            signature = self._cache.writers.signature
            observed = await self._send(existing, lambda old: signed(output.patch(old), signature))
        except ApiError as error:
            if error.not_found:
                await self._create(options, output)
                return
            if error.invalid:
                # It is immutable or another object by now, or the API server refuses the content.
                self._cache.drop_output(output.ref, existing.uid)
                await self._read(output.ref)
            raise
        if is_adoption(existing, options):
            message = adopted_message(existing, output, cluster=options.cluster)
            await self._announce(options, _ADOPTED, message)
        if len(existing.keys) == MOST_KEYS and not output.is_met_by(observed):
            # Not all of its keys were known: the next ones go now.
            await self._patch(options, output, observed)

    async def _replace(
        self, options: OptionsObject, output: DesiredOutput, existing: OutputObject
    ) -> None:
        """Create an immutable output of ours anew; pods that mount the old one keep its content."""
        await self._wait(options)
        try:
            await self._delete(existing)
        except ApiError as error:
            if not error.not_found:
                raise
        self._cache.drop_output(output.ref, existing.uid)
        await self._create(options, output)

    async def _read(self, ref: OutputRef) -> OutputObject | None:
        if (output := await self._look(ref)) is not None:
            self._cache.put_output(output)
        return output

    async def _look(self, ref: OutputRef) -> OutputObject | None:
        try:
            body = await self._api.get(RESOURCES[ref.kind], ref.namespace, ref.name)
        except ApiError as error:
            if error.not_found:
                self._cache.drop_output(ref)
                return None
            raise
        return parse_output(ref.kind, body, self._digester)

    async def _remove(
        self, options: OptionsObject, existing: OutputObject, *, withdraw: bool
    ) -> None:
        kind, namespace, name = existing.ref
        await self._wait(options)
        if options.spec and options.spec.deletion_policy == "Retain" and not withdraw:
            await self._send(existing, release_patch)
            done = "released"
        else:
            await self._delete(existing)
            done = "deleted"
        why = "lost its consent" if withdraw else "left spec.outputs"
        log_event(
            logger, logging.INFO, "OutputRemoved", f"{why} and was {done}",
            namespace=namespace, kind=kind, name=name, owner=options.owner,
        )  # fmt: skip
        self._cache.drop_output(existing.ref, existing.uid)

    async def _send(self, existing: OutputObject, patch: Patch) -> OutputObject:
        kind, namespace, name = existing.ref

        async def write(each: OutputObject) -> Object:
            body = at_version(each, patch(each))
            return await self._api.patch(RESOURCES[kind], namespace, name, body)

        return self._observe(kind, await write_current(existing, write, self._look))

    async def _delete(self, existing: OutputObject) -> None:
        kind, namespace, name = existing.ref

        async def write(each: OutputObject) -> None:
            resource, uid, version = RESOURCES[kind], each.uid, each.resource_version
            await self._api.delete(resource, namespace, name, uid=uid, version=version)

        await write_current(existing, write, self._look)

    async def _wait(self, options: OptionsObject) -> None:
        key = outputs_key(*options.ref) if options.cluster else options_key(options.ref)
        priority = self._priority(key)
        await self._limiter.wait(OUTPUT, options.ref.namespace, priority)

    def _observe(self, kind: str, body: dict[str, object]) -> OutputObject:
        output = parse_output(kind, body, self._digester)
        # Nothing is enqueued for our own write. The watch event that follows is not newer.
        self._cache.put_output(output)
        return output
