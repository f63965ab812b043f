"""Which namespaces get which indexes of cluster scope. Pure."""

import operator
from collections import defaultdict
from collections.abc import Sequence

from artifact_index.api.cluster.artifact_index import NamespaceConsent
from artifact_index.reconcile.cache.objects import IndexObject, OptionsObject
from artifact_index.reconcile.cache.scope import ClusterScope, NamespaceObject
from artifact_index.reconcile.state.fan_out import IndexSet
from artifact_index.runtime import Turns


class Consents:
    """The consents of some indexes: usually all have the same, which is then asked once."""

    def __init__(self, indexes: Sequence[IndexObject]) -> None:
        self._indexes = tuple(indexes)
        self._consents: list[tuple[NamespaceConsent, set[str]]] = []
        for index in indexes:
            if (consent := index.consent) is None:
                continue
            for known, uids in self._consents:
                if known == consent:
                    uids.add(index.uid)
                    break
            else:
                self._consents.append((consent, {index.uid}))

    def are_of(self, indexes: Sequence[IndexObject]) -> bool:
        """Whether these are the very indexes, none of which has changed."""
        known = self._indexes
        return len(known) == len(indexes) and all(map(operator.is_, known, indexes))

    def given_to(self, namespace: NamespaceObject) -> IndexSet:
        """The indexes that may be served in a namespace."""
        given = [
            uids
            for consent, uids in self._consents
            if consent.includes(namespace.name, namespace.labels)
        ]
        return frozenset().union(*given)


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
