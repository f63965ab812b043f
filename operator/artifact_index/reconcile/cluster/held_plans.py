"""Which plans of a ClusterIndexOptions some output holds: the statuses of its indexes follow them.

Pure. As `plans_as_published` does it for an IndexOptions, but from the contents of all namespaces.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from artifact_index.api.reasons import Reason
from artifact_index.reconcile.cache.consents import IndexSet
from artifact_index.reconcile.cache.env import Env
from artifact_index.reconcile.cache.objects import OptionsObject
from artifact_index.reconcile.plan.entries import IndexPlan
from artifact_index.reconcile.plan.fallback import Published
from artifact_index.reconcile.plan.last_good import is_published, plans_as_published
from artifact_index.reconcile.state.fan_out import FanOut
from artifact_index.sources.policy import Problem


def held_plans(
    plans: Sequence[IndexPlan],
    options: OptionsObject,
    fan_out: FanOut,
    *,
    sets: Mapping[str, IndexSet],
    contents: Iterable[str],
    env: Env,
) -> list[IndexPlan | None]:
    """The plans as far as some output holds them; None while that is yet to be seen.

    `sets` are what the namespaces get, `contents` the digests of the outputs. That an index is in
    none of them is said once its wave is over, and why by the first namespace that is not written.
    """
    held: defaultdict[str, list[Published]] = defaultdict(list)
    for digest in sorted({*contents, *_contested(fan_out)}):
        for uid, entry in fan_out.held.get(digest, {}).items():
            held[uid].append(entry)
    causes = [] if fan_out.unsettled else [*_causes(options, fan_out, sets)]
    found: list[IndexPlan | None] = []
    for plan in plans:
        uid, told = plan.selected.uid, [plan]
        if not is_published(plan, entries := held[uid]):
            newest = {uid: max(entries, key=lambda each: each.issued_at)} if entries else {}
            causing = ((view, why) for indexes, view, why in causes if uid in indexes)
            cause = next(causing, None)
            told = plans_as_published(told, newest, *cause, env) if cause is not None else []
        found.append(told[0] if told else None)
    return found


def _contested(fan_out: FanOut) -> Iterator[str]:
    """The contents that somebody else undoes again and again: they count as written."""
    for failure in fan_out.failing.values():
        if failure.problem.reason is Reason.OUTPUT_CONTESTED:
            yield from failure.content or ()


def _causes(
    options: OptionsObject, fan_out: FanOut, sets: Mapping[str, IndexSet]
) -> Iterator[tuple[IndexSet, OptionsObject, Problem]]:
    """Why indexes are in no output: they cannot be rendered, or a namespace cannot be written."""
    for indexes, rendered in fan_out.rendered.items():
        if rendered.problem is not None:
            yield indexes, options, rendered.problem
    names = sorted(fan_out.failing, reverse=True)
    first = {sets.get(name, frozenset()): name for name in names}
    for indexes, name in sorted(first.items(), key=lambda item: item[1]):
        yield indexes, options.within(name), fan_out.failing[name].problem
