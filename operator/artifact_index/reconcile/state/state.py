"""The controller's own state, which no API object stores."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from artifact_index.api.reasons import Reason
from artifact_index.credentials.tokens.freshness import Margins
from artifact_index.reconcile.cache.cache import Key
from artifact_index.reconcile.cache.objects import IndexObject, ObjectRef, OutputRef
from artifact_index.reconcile.plan.blocked import Blocked
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import Published, first_withdrawal
from artifact_index.reconcile.plan.last_good import blocked_by
from artifact_index.reconcile.state.fan_out import FanOut


@dataclass(slots=True)
class State:
    """Controller state that is not stored in any API object; `restore` rebuilds it after a start.

    By IndexOptions: `names` are the assigned names and `published` the entries that its outputs
    hold, both by UID of the index; `plans` are the latest plans of its indexes.
    """

    names: dict[ObjectRef, dict[str, str]] = field(default_factory=dict)
    published: defaultdict[ObjectRef, dict[str, Published]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    plans: dict[ObjectRef, dict[ObjectRef, IndexPlan]] = field(default_factory=dict)

    fan_outs: defaultdict[ObjectRef, FanOut] = field(default_factory=lambda: defaultdict(FanOut))
    """What each ClusterIndexOptions writes into its namespaces."""

    blocked: defaultdict[ObjectRef, dict[OutputRef, Blocked]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """The entries at which each output of an IndexOptions stops builds."""

    # The controller's own: IndexOptions that wait for the first tokens of a cloud.
    waiting: set[ObjectRef] = field(default_factory=set)

    def before(self, options: ObjectRef) -> tuple[Mapping[str, Published], Mapping[str, str]]:
        """What the outputs of an IndexOptions hold: entries, and the names of indexes, by UID."""
        return self.published[options], self.names.get(options, {})

    def set_names(self, options: ObjectRef, plans: Sequence[IndexPlan]) -> None:
        """Take over the names of a reconcile, whether or not its outputs could be written."""
        if plans:
            self.names[options] = {
                plan.selected.uid: plan.name for plan in plans if plan.name is not None
            }
        else:
            # The outputs stay, and pods use the names in them: these are assigned still.
            self.names[options] = published_names(self.published.get(options, {}))

    def set_published(self, options: ObjectRef, plans: Sequence[IndexPlan]) -> None:
        """Take over what the outputs hold after a write."""
        self.published[options] = {
            plan.selected.uid: plan.published for plan in plans if plan.published is not None
        }

    def set_blocked(
        self,
        options: ObjectRef,
        outputs: Iterable[OutputRef],
        plans: Sequence[IndexPlan],
        *,
        all_written: bool,
    ) -> None:
        """Take over what these outputs block after a write; unless `all_written`, others stand."""
        blocked = blocked_by(plans)
        if all_written:
            self.blocked.pop(options, None)
        if blocked or options in self.blocked:
            self.blocked[options] |= dict.fromkeys(outputs, blocked)

    def set_plans(self, options: ObjectRef, plans: Sequence[IndexPlan]) -> set[ObjectRef]:
        """Take over the plans of a reconcile; returns every index whose plan has changed."""
        before = self.plans.pop(options, {})
        now = {plan.selected.ref: plan for plan in plans}
        if now:
            self.plans[options] = now
        return {ref for ref in before.keys() | now.keys() if before.get(ref) != now.get(ref)}

    def plan_of(self, index: IndexObject, consumers: Sequence[ObjectRef]) -> IndexPlan | None:
        """The plan that an index's status describes: the first that is not ready, else the first.

        An IndexOptions that could not be written counts only if no other one holds the index. None
        until every consumer has been planned with this spec. Of several consumers, the one
        with the longest builds decides when the token is refreshed.

        Of an index of cluster scope no tenant's IndexOptions decides anything else, as long as
        another one has it in its outputs, nor whether it is ready while a ClusterIndexOptions has.
        """
        by_consumer = (self.plans.get(options, {}) for options in sorted(consumers))
        plans = [by_ref[index.ref] for by_ref in by_consumer if index.ref in by_ref]
        current = (plan.selected.is_generation(index.uid, index.generation) for plan in plans)
        if len(plans) < len(consumers) or not all(current):
            return None
        if len(plans) == 1:
            return plans[0]
        refreshes = [plan.refresh_at for plan in plans if plan.refresh_at is not None]
        if index.cluster:
            of_platform = plans[: sum(not options.namespace for options in consumers)]
            held = [plan for plan in of_platform if not _is_not_written(plan)]
            plans = held or [plan for plan in plans if plan.ready] or of_platform or plans
        written = [plan for plan in plans if not _is_not_written(plan)] or plans
        chosen = next((plan for plan in written if not plan.ready), written[0])
        shortfalls = [plan.shortfall for plan in plans if plan.shortfall is not None]
        return replace(
            chosen,
            refresh_at=min(refreshes, default=None),
            shortfall=min(shortfalls, default=None),
            fresh_as_of=min(plan.fresh_as_of for plan in plans),
            refused_as_of=max(plan.refused_as_of for plan in plans),
        )

    def serves(self, options: ObjectRef, index: ObjectRef) -> bool:
        """Whether an IndexOptions that selects an index has it in a file, as far as is known."""
        fan_out = self.fan_outs.get(options)
        return fan_out is None or index not in fan_out.unserved

    def priority_of(self, key: Key, margins: Margins) -> float:
        """The queue's order: the IndexOptions whose published token must be withdrawn first.

        In POSIX seconds, infinite if nothing has to be withdrawn.
        """
        if key.kind == "ClusterOutputs":
            fan_out = self.fan_outs.get(ObjectRef("", key.ref.name))
            return 0.0 if fan_out is None else fan_out.priority_of(key.ref.namespace)
        if key.kind != "IndexOptions":
            return 0.0
        withdraw_at = first_withdrawal(self.published.get(key.ref, {}), margins)
        return float("inf") if withdraw_at is None else withdraw_at

    def stand_by(self) -> None:
        """Forget what only the last reconciles have found: another process goes on with them."""
        for fan_out in self.fan_outs.values():
            fan_out.stand_by()
        self.plans.clear()
        self.waiting.clear()

    def forget_options(self, options: ObjectRef) -> None:
        """Forget a deleted IndexOptions."""
        self.fan_outs.pop(options, None)
        self.plans.pop(options, None)
        self.published.pop(options, None)
        self.names.pop(options, None)
        self.blocked.pop(options, None)
        self.waiting.discard(options)


def _is_not_written(plan: IndexPlan) -> bool:
    return plan.problem is not None and plan.problem.reason == Reason.NOT_WRITTEN


def published_names(published: Mapping[str, Published]) -> dict[str, str]:
    """The names in outputs that hold these entries, by UID of the index."""
    return {uid: entry.entry.name for uid, entry in published.items()}
