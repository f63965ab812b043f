"""Which namespaces get which indexes of cluster scope. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from artifact_index.reconcile.cache.consents import Consents, IndexSet
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.scope import ClusterScope
from artifact_index.runtime import Turns


async def namespaces_by_set(
    options: OptionsObject, indexes: Sequence[IndexObject], scope: ClusterScope
) -> dict[IndexSet, list[str]]:
    """The selected namespaces by the indexes that they get; the event loop has its turns."""
    consents, turns = Consents(indexes), Turns()
    found: defaultdict[IndexSet, list[str]] = defaultdict(list)
    for namespace in scope.namespaces.objects():
        if scope.selects(options, namespace):
            found[consents.given_to(namespace)].append(namespace.name)
        await turns.leave()
    return dict(found)
