"""In which namespaces the outputs of a ClusterIndexOptions are not what they have to be."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.consents import IndexSet
from artifact_index.reconcile.cache.objects import OptionsObject, OutputObject
from artifact_index.reconcile.cache.scope import ClusterScope
from artifact_index.reconcile.plan.ownership import belongs_to
from artifact_index.reconcile.state.fan_out import FanOut, Rendered
from artifact_index.runtime import Turns


def outputs_by_namespace(options: OptionsObject, cache: Cache) -> Mapping[str, list[OutputObject]]:
    """The outputs that belong to a ClusterIndexOptions, in whatever namespace."""
    found: defaultdict[str, list[OutputObject]] = defaultdict(list)
    for output in cache.outputs_in_cluster(options):
        if belongs_to(output, options):
            found[output.ref.namespace].append(output)
    return found


async def differing(
    fan_out: FanOut,
    groups: Mapping[IndexSet, Sequence[str]],
    outputs: Mapping[str, Sequence[OutputObject]],
    scope: ClusterScope,
) -> dict[str, tuple[str, ...]]:
    """The namespaces whose outputs differ, each with the digests of what it has to get.

    Those that must not have any outputs get nothing.
    """
    turns, served = Turns(), set[str]()
    pending: dict[str, tuple[str, ...]] = {}
    for indexes, namespaces in groups.items():
        if not indexes:
            continue
        served.update(namespaces)
        rendered = fan_out.rendered[indexes]
        content = rendered.content
        for namespace in namespaces:
            failure = fan_out.failing.get(namespace)
            if failure is not None and failure.is_of(content):
                continue
            if not is_met(rendered, outputs.get(namespace, ())):
                pending[namespace] = content
            elif failure is not None:
                del fan_out.failing[namespace]
            await turns.leave()
    for namespace in fan_out.failing.keys() - served - outputs.keys():
        del fan_out.failing[namespace]
    fan_out.standing = outputs.keys() | (fan_out.standing & fan_out.settled)
    for namespace in outputs.keys() - served:
        failure = fan_out.failing.get(namespace)
        is_tried = failure is not None and failure.is_of(())
        if not is_tried and scope.namespace(namespace) is not None:
            pending[namespace] = ()
    return pending


def staying_outputs(
    fan_out: FanOut,
    groups: Mapping[IndexSet, Sequence[str]],
    outputs: Mapping[str, Sequence[OutputObject]],
    *,
    any_selected: bool,
) -> list[OutputObject]:
    """The outputs that are neither written nor deleted.

    Nothing can be rendered for them, or a namespace could not be written or pruned.
    """
    if not any_selected:
        return [output for each in outputs.values() for output in each]
    content = {digest for each in fan_out.rendered.values() for digest in each.content}
    there = (output for name in fan_out.failing for output in outputs.get(name, ()))
    staying = [output for output in there if output.digest not in content]
    for indexes, each in fan_out.rendered.items():
        if each.problem is not None:
            written = {(output.ref.kind, output.ref.name) for output in each.outputs}
            there = (output for name in groups[indexes] for output in outputs.get(name, ()))
            staying += [out for out in there if (out.ref.kind, out.ref.name) not in written]
    return staying


def is_met(rendered: Rendered, outputs: Sequence[OutputObject]) -> bool:
    """Whether a namespace has these outputs and, where all could be rendered, no other ones."""
    if rendered.problem is None and len(outputs) != len(rendered.outputs):
        return False
    by_name = {(output.ref.kind, output.ref.name): output for output in outputs}
    for desired in rendered.outputs:
        existing = by_name.get((desired.ref.kind, desired.ref.name))
        if existing is None or not desired.is_met_by(existing):
            return False
    return True
