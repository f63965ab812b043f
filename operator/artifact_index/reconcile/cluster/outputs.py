"""The outputs of a ClusterIndexOptions in one namespace: written, repaired or withdrawn."""

from dataclasses import dataclass

from artifact_index.api.reasons import Reason
from artifact_index.reconcile.apply.applied import Applied
from artifact_index.reconcile.apply.writer import OutputWriter
from artifact_index.reconcile.cache.cache import Cache, options_key
from artifact_index.reconcile.cache.consents import Consents, IndexSet
from artifact_index.reconcile.cache.objects import ObjectRef, OptionsObject
from artifact_index.reconcile.cache.scope import NamespaceObject
from artifact_index.reconcile.result import Result
from artifact_index.reconcile.state.fan_out import Failure, FanOut, Rendered
from artifact_index.reconcile.state.state import State
from artifact_index.sources.policy import Problem


@dataclass(frozen=True, slots=True, eq=False)
class ClusterOutputsReconciler:
    """Brings the outputs in one namespace to what its ClusterIndexOptions has rendered."""

    _cache: Cache
    _state: State
    _writer: OutputWriter

    async def reconcile(self, ref: ObjectRef) -> Result:
        """Reconcile one namespace of the ClusterIndexOptions `ref.name`. Raises ApiError.

        A namespace that is gone or being deleted is left alone, and so is everything when the
        ClusterIndexOptions is gone: the garbage collector deletes its outputs.
        """
        namespace, owner = self._cache.scope.namespace(ref.namespace), ObjectRef("", ref.name)
        options = self._cache.options.get(owner)
        if options is None:
            return Result()
        fan_out = self._state.fan_outs[owner]
        view = options.within(ref.namespace, namespace.uid if namespace is not None else "")
        if namespace is None or await self._writer.owner_is_gone(view):
            return _settled(fan_out, owner, ref.namespace, None, stands=False)
        # It may have changed while the API server was asked for it.
        if (latest := self._cache.options.get(owner)) is None:
            return Result()
        if latest is not options:
            view = latest.within(ref.namespace, namespace.uid)
        if (first := self._cache.writers.rival_in(ref.namespace)) is not None:
            failure = Failure(_served_by(first), None)
            return _settled(fan_out, owner, ref.namespace, failure, stands=True)

        applied, rendered = await self._bring(latest, view, namespace)
        if applied is None:
            return Result(enqueue=(options_key(owner),))
        return self._settle(view, fan_out, rendered, applied)

    def failed(self, ref: ObjectRef, problem: Problem) -> Result:
        """Count a namespace whose reconcile raised; it is tried again in any case."""
        owner = ObjectRef("", ref.name)
        if self._cache.options.get(owner) is None:
            return Result()
        fan_out = self._state.fan_outs[owner]
        stands = ref.namespace in fan_out.standing
        return _settled(fan_out, owner, ref.namespace, Failure(problem, None), stands=stands)

    async def _bring(
        self, options: OptionsObject, view: OptionsObject, namespace: NamespaceObject
    ) -> tuple[Applied | None, Rendered | None]:
        """Write, repair or withdraw, and what was to be written where something was.

        Nothing is done, and None returned, until the pass has rendered for this set of indexes.
        """
        applied = await self._writer.align_owners(view, self._writer.owned(view))
        if options.suspended:
            return applied, None
        if options.spec is None:
            return await self._keep_last_good(view, applied), None
        fan_out, selected = self._state.fan_outs[options.ref], self._cache.selected(options)
        if not fan_out.consents.are_of(selected):
            fan_out.consents = Consents(selected)
        indexes = fan_out.consents.given_to(namespace)
        if not self._cache.scope.selects(options, namespace) or (selected and not indexes):
            applied = await self._writer.prune(view, applied, withdraw=True)
            return await self._keep_last_good(view, applied), None
        if not selected:
            return await self._keep_last_good(view, applied), None
        rendered = fan_out.rendered_for(options, indexes)
        if rendered is None:
            return None, None
        applied = await self._writer.apply(view, rendered.within(namespace.name))
        if rendered.problem is None and applied.problem is None:
            applied = await self._writer.prune(view, applied)
        if rendered.problem is not None or applied.problem is not None:
            applied = await self._keep_last_good(view, applied, indexes)
        return applied, rendered

    async def _keep_last_good(
        self, view: OptionsObject, applied: Applied, indexes: IndexSet = frozenset()
    ) -> Applied:
        """Outputs into which not all goes are renewed without it, or lose their tokens in time."""
        replacing_of = self._state.fan_outs[ObjectRef("", view.ref.name)].replacing
        owned = self._writer.owned(view)
        replacing = (replacing_of.get((each.digest, indexes)) for each in owned)
        due = [each.within(view.ref.namespace) for each in replacing if each is not None]
        if not due:
            return applied
        kept = await self._writer.apply(view, due)
        return kept if applied.problem is None else applied

    def _settle(
        self, view: OptionsObject, fan_out: FanOut, rendered: Rendered | None, applied: Applied
    ) -> Result:
        """Take in what became of the namespace, and try again what failed."""
        namespace, owner = view.ref.namespace, ObjectRef("", view.ref.name)
        failure = None
        if applied.problem is not None:
            before = fan_out.failing.get(namespace)
            errors = 0 if applied.error is None else 1 + (before.errors if before else 0)
            if applied.error is not None and applied.error.namespace_ends:
                # The event of its end is late, or this API server has not heard of a new namespace.
                errors = 1  # the status does not count it
            content = rendered.content if rendered is not None else ()
            failure = Failure(applied.problem, content, errors)
        stands = bool(self._writer.owned(view))
        return _settled(
            fan_out, owner, namespace, failure,
            stands=stands,
            retry=applied.needs_retry,
            retry_after=applied.retry_after,
            requeue_after=self._writer.recheck_after(view),
        )  # fmt: skip


def _settled(
    fan_out: FanOut,
    owner: ObjectRef,
    namespace: str,
    failure: Failure | None,
    *,
    stands: bool,
    retry: bool = False,
    retry_after: float = 0.0,
    requeue_after: float | None = None,
) -> Result:
    """The status of the owner follows at once when a wave ends with this, else a little later."""
    was_pending = namespace in fan_out.pending
    changed = fan_out.settle(namespace, failure, stands=stands)
    ends = was_pending and not fan_out.pending
    follows = (options_key(owner),)
    return Result(
        enqueue=follows if ends else (),
        later=follows if changed and not was_pending else (),
        retry=retry,
        retry_after=retry_after,
        requeue_after=requeue_after,
    )


def _served_by(installation: str) -> Problem:
    return Problem(
        Reason.ANOTHER_INSTALLATION,
        f"{installation} writes the outputs in this namespace; let only one of them serve it",
        must_act=True,
    )
