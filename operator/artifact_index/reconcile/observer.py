"""From objects as the API server shows them to the store, and on to the queue."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT, ROLE_SOURCE
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.digests import Digester
from artifact_index.reconcile.queue import DEBOUNCE
from artifact_index.reconcile.records import (
    ObjectRef,
    OutputRef,
    custom_record,
    output_record,
    source_record,
)
from artifact_index.reconcile.sources import Sources
from artifact_index.reconcile.store import Key, Store

Body = Mapping[str, Any]


class Observer:
    """Takes in every observed object; `enqueue` gets the keys that a change concerns.

    An object with a deletionTimestamp is as good as gone: nothing is written for it any more.
    """

    def __init__(
        self,
        *,
        store: Store,
        sources: Sources,
        digester: Digester,
        enqueue: Callable[[Iterable[Key], float], None],
    ) -> None:
        self._store = store
        self._sources = sources
        self._digester = digester
        self._enqueue = enqueue

    def artifact_index(self, event: str | None, body: Body) -> None:
        """An ArtifactIndex was seen; `event` is the watch's, None for a listed one."""
        ref, uid, version = _identity(body)
        if _is_gone(event, body):
            keys = self._store.drop_index(ref, uid, version)
        else:
            known = self._store.indexes.get(ref)
            keys = self._store.put_index(custom_record(ArtifactIndexSpec, body, known))
        self._enqueue(keys, DEBOUNCE)

    def index_options(self, event: str | None, body: Body) -> None:
        """An IndexOptions was seen."""
        ref, uid, version = _identity(body)
        if _is_gone(event, body):
            keys = self._store.drop_options(ref, uid, version) | {Key("IndexOptions", ref)}
        else:
            known = self._store.options.get(ref)
            keys = self._store.put_options(custom_record(IndexOptionsSpec, body, known))
        self._enqueue(keys, DEBOUNCE)

    def secret(self, event: str | None, body: Body) -> None:
        """A labelled Secret was seen: a source or an output, and it may change from one to other.

        One that leaves the label arrives as deleted: whoever uses it then reads it by name.
        """
        ref, uid, version = _identity(body)
        role = None if _is_gone(event, body) else _role(body)
        keys: set[Key] = set()
        if role == ROLE_SOURCE:
            self._sources.forget(ref)
            keys |= self._store.put_source(ref, source_record(body))
        else:
            self._sources.forget(ref)
            keys |= self._store.drop_source(ref, uid, version)
        if role == ROLE_OUTPUT:
            keys |= self._store.put_output(output_record("Secret", body, self._digester))
        else:
            keys |= self._store.drop_output(OutputRef("Secret", *ref), uid, version)
        self._enqueue(keys, DEBOUNCE)

    def config_map(self, event: str | None, body: Body) -> None:
        """A labelled ConfigMap was seen: an output."""
        ref, uid, version = _identity(body)
        if _is_gone(event, body):
            keys = self._store.drop_output(OutputRef("ConfigMap", *ref), uid, version)
        else:
            keys = self._store.put_output(output_record("ConfigMap", body, self._digester))
        self._enqueue(keys, DEBOUNCE)


def _identity(body: Body) -> tuple[ObjectRef, str, int]:
    metadata = body["metadata"]
    ref = ObjectRef(metadata["namespace"], metadata["name"])
    return ref, metadata["uid"], int(metadata["resourceVersion"])


def _is_gone(event: str | None, body: Body) -> bool:
    return event == "DELETED" or bool(body["metadata"].get("deletionTimestamp"))


def _role(body: Body) -> str | None:
    role: str | None = (body["metadata"].get("labels") or {}).get(ROLE_LABEL)
    return role
