"""Outputs of a ClusterIndexOptions that cannot be written as it asks: no token may expire in them.

As `apply/last_good.py` does it for an IndexOptions, but once for all outputs with one content.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from artifact_index.reconcile.apply.rendering import rendered_outputs
from artifact_index.reconcile.cache.consents import IndexSet
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import OptionsObject, OutputObject, declared_outputs
from artifact_index.reconcile.plan.entries import IndexPlan, plan_vanished
from artifact_index.reconcile.plan.fallback import Published, first_withdrawal
from artifact_index.reconcile.plan.last_good import (
    blocked_by,
    names_without_tokens,
    plans_that_fit,
    with_only,
)
from artifact_index.reconcile.plan.outputs import DesiredOutput
from artifact_index.reconcile.state.fan_out import FanOut, Rendered, published_in

_Found: TypeAlias = tuple[DesiredOutput, Sequence[IndexPlan]]


@dataclass(slots=True, eq=False)
class ClusterLastGood:
    """Finds what replaces the contents into which no plan goes as a whole, for one pass.

    The fields below tell what was found: whether some content `goes_on` with its indexes; the
    `wave` of namespaces with the digest of what each has to get; when the next token must be
    withdrawn, in POSIX seconds.
    """

    _options: OptionsObject
    _fan_out: FanOut
    _public_blocked: bool
    _env: Env
    goes_on: bool = field(default=False, init=False)
    wave: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False)
    withdraw_at: float | None = field(default=None, init=False)

    async def keep(self, staying: Iterable[OutputObject], sets: Mapping[str, IndexSet]) -> None:
        """Keep contents fresh with the indexes that they hold already, or withdraw their tokens.

        `sets` are what the namespaces get. Static logins stay.
        """
        fan_out = self._fan_out
        fan_out.replacing = {}
        alike: defaultdict[tuple[str, IndexSet], list[OutputObject]] = defaultdict(list)
        for output in staying:
            alike[output.digest, sets.get(output.ref.namespace, frozenset())].append(output)
        for (digest, indexes), outputs in alike.items():
            found = await self._replacing(outputs[0], fan_out.rendered.get(indexes))
            if found is not None and (desired := found[0]).digest != digest:
                fan_out.replacing[digest, indexes] = desired
                plans = found[1]
                fan_out.hold(desired.digest, published_in(plans), blocked_by(plans))
                self.wave |= {each.ref.namespace: (desired.digest,) for each in outputs}

    async def _replacing(self, output: OutputObject, rendered: Rendered | None) -> _Found | None:
        held = self._fan_out.held.get(output.digest, {})
        found = await self._fitting(output, rendered, held)
        # What could not be written is not tried once more.
        if rendered is None or found is None or found[0].digest in rendered.content:
            return await self._withdrawn(output, rendered, held)
        self.goes_on = True
        return found

    async def _fitting(
        self, output: OutputObject, rendered: Rendered | None, held: Mapping[str, Published]
    ) -> _Found | None:
        """The output with the indexes that it holds and may; None if they do not fit either."""
        declared = declared_outputs(self._options.within(output.ref.namespace))
        if rendered is None or not held or output.ref not in declared:
            return None
        blocked = self._fan_out.blocked.get(output.digest, {})
        for plans in plans_that_fit(rendered.plans, held, blocked):
            if (found := await self._render(output, plans)) is not None:
                return found
        return None

    async def _withdrawn(
        self, output: OutputObject, rendered: Rendered | None, held: Mapping[str, Published]
    ) -> _Found | None:
        """The output without its tokens, if the first of them is due.

        What was blocked in it stays so.
        """
        margins, now = self._env.margins, self._env.clock()
        withdraw_at = first_withdrawal(held, margins)
        if withdraw_at is None:
            return None
        if withdraw_at > now:
            self.withdraw_at = min(withdraw_at, self.withdraw_at or withdraw_at)
            return None
        plans = rendered.plans if rendered is not None else ()
        names = names_without_tokens(held, self._fan_out.blocked.get(output.digest, {}), plans)
        static = {uid: entry for uid, entry in held.items() if not entry.token}
        vanished = plan_vanished(self._options.ref, names, static, margins, now)
        return await self._render(output, vanished)

    async def _render(self, output: OutputObject, plans: Sequence[IndexPlan]) -> _Found | None:
        options, digester = with_only(self._options, output), self._env.digester
        desired, _ = await rendered_outputs(
            options, plans, digester, public_blocked=self._public_blocked
        )
        return (desired[0], plans) if desired else None
