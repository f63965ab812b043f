"""From objects as the API server shows them to the store, and on to the queue."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT, ROLE_SOURCE
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.cache.cache import Key, Store
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    OutputRef,
    custom_record,
    identity_of,
    output_record,
    source_record,
)
from artifact_index.reconcile.cache.source_cache import Sources
from artifact_index.reconcile.queue.workqueue import DEBOUNCE

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
        ref, uid, version = identity_of(body)
        if _is_gone(event, body):
            self._enqueue(self._store.drop_index(ref, uid, version), DEBOUNCE)
        elif self._store.indexes.is_news(ref, version):
            known = self._store.indexes.get(ref)
            keys = self._store.put_index(custom_record(ArtifactIndexSpec, body, known))
            self._enqueue(keys, DEBOUNCE)

    def index_options(self, event: str | None, body: Body) -> None:
        """An IndexOptions was seen."""
        ref, uid, version = identity_of(body)
        if _is_gone(event, body):
            keys = self._store.drop_options(ref, uid, version) | {Key("IndexOptions", ref)}
            self._enqueue(keys, DEBOUNCE)
        elif self._store.options.is_news(ref, version):
            known = self._store.options.get(ref)
            keys = self._store.put_options(custom_record(IndexOptionsSpec, body, known))
            self._enqueue(keys, DEBOUNCE)

    def secret(self, event: str | None, body: Body) -> None:
        """A labelled Secret was seen: a source or an output, and it may change from one to other.

        One that leaves the label arrives as deleted: whoever uses it then reads it by name.
        """
        ref, uid, version = identity_of(body)
        role = None if _is_gone(event, body) else _role(body)
        output = OutputRef("Secret", *ref)
        keys: set[Key] = set()
        self._sources.forget(ref)
        if role != ROLE_SOURCE:
            keys |= self._store.drop_source(ref, uid, version)
        elif self._store.sources.is_news(ref, version):
            keys |= self._store.put_source(ref, source_record(body))
        if role != ROLE_OUTPUT:
            keys |= self._store.drop_output(output, uid, version)
        elif self._store.outputs.is_news(output, version):
            keys |= self._store.put_output(output_record("Secret", body, self._digester))
        self._enqueue(keys, DEBOUNCE)

    def config_map(self, event: str | None, body: Body) -> None:
        """A labelled ConfigMap was seen: an output."""
        ref, uid, version = identity_of(body)
        output = OutputRef("ConfigMap", *ref)
        if _is_gone(event, body):
            self._enqueue(self._store.drop_output(output, uid, version), DEBOUNCE)
        elif self._store.outputs.is_news(output, version):
            keys = self._store.put_output(output_record("ConfigMap", body, self._digester))
            self._enqueue(keys, DEBOUNCE)


def _is_gone(event: str | None, body: Body) -> bool:
    return event == "DELETED" or bool(body["metadata"].get("deletionTimestamp"))


def _role(body: Body) -> str | None:
    role: str | None = (body["metadata"].get("labels") or {}).get(ROLE_LABEL)
    return role
