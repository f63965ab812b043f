"""Which indexes of cluster scope a namespace may get. Pure."""

import operator
from collections.abc import Sequence
from typing import TypeAlias

from artifact_index.api.cluster.artifact_index import NamespaceConsent
from artifact_index.reconcile.cache.objects import IndexObject
from artifact_index.reconcile.cache.scope import NamespaceObject

IndexSet: TypeAlias = frozenset[str]
"""The UIDs of the indexes that a namespace gets; namespaces with the same set get the same."""


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
