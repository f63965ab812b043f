"""What the controllers of kube-controller-manager do when something is deleted."""

import asyncio
from collections import defaultdict
from typing import Any

from support.emulator.store import Change, Record, Store


class GarbageCollector:
    """Deletes objects whose owners are all gone, and the content of deleted namespaces.

    As in a cluster that happens in the background, a moment after the deletion; where no event
    loop runs, at once. An object created with the uid of an owner that does not exist goes too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dependents: defaultdict[str, set[str]] = defaultdict(set)
        store.listeners.append(self._observe)

    def _observe(self, change: Change) -> None:
        uid = change.record.metadata["uid"]
        for owner in _owners(change.record):
            self._dependents[owner["uid"]].add(uid)
        if change.type == "DELETED":
            namespace = change.record.metadata["name"] if change.kind.plural == "namespaces" else ""
            self._soon(self._dependents.pop(uid, set()), namespace)
        elif change.type == "ADDED" and _owners(change.record):
            self._soon({uid}, "")

    def _soon(self, uids: set[str], namespace: str) -> None:
        if not uids and not namespace:
            return
        try:
            asyncio.get_running_loop().call_soon(self._collect, uids, namespace)
        except RuntimeError:
            self._collect(uids, namespace)

    def _collect(self, uids: set[str], namespace: str) -> None:
        for uid in uids:
            found = self._store.by_uid(uid)
            if found and not any(self._exists(found[1], owner) for owner in _owners(found[1])):
                self._store.delete(found[0], *found[1].key)
        if namespace:
            for kind, record in self._store.everything_in(namespace):
                if self._store.find(kind, *record.key):
                    self._store.delete(kind, *record.key)

    def _exists(self, dependent: Record, owner: dict[str, Any]) -> bool:
        found = self._store.by_uid(owner["uid"])
        if found is None:
            return False
        kind, record = found
        return (
            kind.kind == owner["kind"]
            and record.metadata["name"] == owner["name"]
            and record.metadata.get("namespace") in (None, dependent.metadata.get("namespace"))
        )


def _owners(record: Record) -> list[dict[str, Any]]:
    owners: list[dict[str, Any]] = record.metadata.get("ownerReferences") or []
    return owners
