"""Outputs that cannot be written as their IndexOptions asks: no token may expire in them."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from artifact_index.api.timestamps import format_time
from artifact_index.formats.base import named
from artifact_index.kube.errors import ApiError
from artifact_index.reconcile.apply.rendering import rendered_outputs
from artifact_index.reconcile.apply.writer import OutputWriter
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import OptionsObject, OutputObject, OutputRef
from artifact_index.reconcile.plan.blocked import Blocked
from artifact_index.reconcile.plan.entries import IndexPlan, plan_vanished
from artifact_index.reconcile.plan.fallback import Published, first_withdrawal
from artifact_index.reconcile.plan.last_good import (
    blocked_by,
    held_by,
    names_without_tokens,
    plans_that_fit,
    with_only,
)
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.sources.policy import Problem


@dataclass(slots=True, eq=False)
class LastGood:
    """Keeps the tokens in some outputs of an IndexOptions fresh, or withdraws them; for one pass.

    `published` are the entries that the outputs hold, by UID; `refused` tells those that lost their
    consent, which do not stay. The fields below it tell what became of them: the outputs `written`
    and the `plans` in them, by UID; `effects` on each output, in the words of a condition;
    `withdraw_at`, when the first token in another one must be withdrawn, in POSIX seconds; the
    first problem and the first error.
    """

    _writer: OutputWriter
    _env: Env
    _options: OptionsObject
    _published: Mapping[str, Published]
    _public_blocked: bool
    _refused: Callable[[], Container[str]]
    written: list[DesiredOutput] = field(default_factory=list, init=False)
    plans: dict[str, IndexPlan] = field(default_factory=dict, init=False)
    effects: list[str] = field(default_factory=list, init=False)
    withdraw_at: float | None = field(default=None, init=False)
    problem: Problem | None = field(default=None, init=False)
    error: ApiError | None = field(default=None, init=False)

    async def keep(
        self,
        outputs: Iterable[OutputObject],
        plans: Sequence[IndexPlan],
        blocked: dict[OutputRef, Blocked],
        failed: Mapping[OutputRef, str | None],
    ) -> None:
        """Write outputs with the indexes that they hold already; withdraw where these do not fit.

        An index that is new to an output is left out of it, so that it stops no build. `blocked` is
        what each output blocks; it follows what is written. `failed` are the writes that have just
        failed (`Applied.failed`): a retry of the same follows anyway.
        """
        for output in outputs:
            held = held_by(output, self._published)
            desired, old = await self._fitting(output, plans, held, blocked.get(output.ref, {}))
            if not desired:
                await self._withdraw(output, held, blocked, plans)
            elif output.ref in failed and failed[output.ref] in (None, desired[0].digest):
                self.effects.append(_stays(output, held))
            elif await self._write(desired, old, blocked):
                self.effects.append(_goes_on(output, plans, old))
            else:
                self.effects.append(_stays(output, held))

    async def withdraw(
        self, outputs: Iterable[OutputObject], blocked: dict[OutputRef, Blocked]
    ) -> None:
        """Withdraw every token from the outputs in which one is due or lost its consent."""
        for output in outputs:
            await self._withdraw(output, held_by(output, self._published), blocked)

    def explained(self, problem: Problem) -> Problem:
        """The problem of an IndexOptions, with what becomes of its outputs until it is solved."""
        if not self.effects:
            return problem
        return replace(problem, message=f"{problem.message}. Until then {'; '.join(self.effects)}")

    async def _withdraw(
        self,
        output: OutputObject,
        held: Mapping[str, Published],
        blocked: dict[OutputRef, Blocked],
        plans: Iterable[IndexPlan] = (),
    ) -> None:
        """Withdraw the tokens of one output if the first is due. Static logins stay if they fit.

        A login without consent goes at once. What the output and the `plans` block stays blocked.
        """
        withdraw_at, now = first_withdrawal(held, self._env.margins), self._env.clock()
        refused = self._refused() if held else ()
        revoked = {uid for uid in held if uid in refused}
        if withdraw_at is None and not revoked:
            return
        if withdraw_at is not None and withdraw_at > now and not revoked:
            self.withdraw_at = min(withdraw_at, self.withdraw_at or withdraw_at)
            self.effects.append(_stays(output, held))
            return
        names = names_without_tokens(held, blocked.get(output.ref, {}), plans)
        stay = held.keys() - revoked
        static = {uid: old for uid, old in self._published.items() if uid in stay and not old.token}
        desired, vanished = await self._without_tokens(output, names, static)
        if not desired:
            desired, vanished = await self._without_tokens(output, names, {})
        if desired and await self._write(desired, vanished, blocked):
            self.effects.append(f"the tokens in {_what(output)} are withdrawn")
        else:
            self.effects.append(_stays(output, held))

    async def _without_tokens(
        self, output: OutputObject, names: Mapping[str, str], staying: Mapping[str, Published]
    ) -> tuple[list[DesiredOutput], list[IndexPlan]]:
        margins, now = self._env.margins, self._env.clock()
        plans = plan_vanished(self._options.ref, names, staying, margins, now)
        return await self._render(output, plans), plans

    async def _fitting(
        self,
        output: OutputObject,
        plans: Sequence[IndexPlan],
        held: Container[str],
        blocked: Blocked,
    ) -> tuple[list[DesiredOutput], list[IndexPlan]]:
        """The output with the indexes that it holds, and their plans; empty if they do not fit.

        A file with the public index alone is never written.
        """
        for fitting in plans_that_fit(plans, held, blocked):
            if desired := await self._render(output, fitting):
                return desired, [*fitting]
        return [], []

    async def _render(
        self, output: OutputObject, plans: Sequence[IndexPlan]
    ) -> list[DesiredOutput]:
        """The output with these plans; empty if it cannot hold them."""
        options = with_only(self._options, output)
        desired, _ = await rendered_outputs(
            options,
            plans,
            self._env.digester,
            public_blocked=self._public_blocked,
            exists=lambda _: True,
        )
        return desired

    async def _write(
        self,
        desired: Sequence[DesiredOutput],
        plans: Sequence[IndexPlan],
        blocked: dict[OutputRef, Blocked],
    ) -> bool:
        applied = await self._writer.apply(self._options, desired)
        self.problem, self.error = self.problem or applied.problem, self.error or applied.error
        if applied.written:
            self.written += applied.written
            self.plans |= {plan.selected.uid: plan for plan in plans}
            blocked |= {each.ref: blocked_by(plans) for each in applied.written}
        return bool(applied.written)


def _what(output: OutputObject) -> str:
    return f"{output.ref.kind} {output.ref.name!r}"


def _goes_on(output: OutputObject, plans: Sequence[IndexPlan], old: Sequence[IndexPlan]) -> str:
    kept = {plan.selected.uid for plan in old}
    new = [plan for plan in plans if plan.entry is not None and plan.selected.uid not in kept]
    names = named(sorted(plan.selected.ref.name for plan in new), at_most=3)
    effect = f"{_what(output)} goes on with the indexes that it holds"
    return f"{effect}, without ArtifactIndex {names}" if new else effect


def _stays(output: OutputObject, held: Mapping[str, Published]) -> str:
    effect = f"{_what(output)} stays as it is"
    expiries = [entry.expires_at for entry in held.values() if entry.expires_at is not None]
    if not expiries:
        return effect
    return f"{effect}, and its first token expires at {format_time(min(expiries))}"
