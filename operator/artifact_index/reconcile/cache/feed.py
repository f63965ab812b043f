"""From objects as the API server shows them to the store, and on to the queue."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT, ROLE_SOURCE
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.reconcile.cache.cache import Cache, Key
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import (
    OutputRef,
    parse_custom_object,
    parse_output,
    parse_source_secret,
    ref_uid_version,
)
from artifact_index.reconcile.cache.source_cache import SourceCache
from artifact_index.reconcile.queue.workqueue import DEBOUNCE

Body = Mapping[str, Any]


class Feed:
    """Takes in every observed object; `enqueue` gets the keys that a change concerns.

    An object with a deletionTimestamp is as good as gone: nothing is written for it any more.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        sources: SourceCache,
        digester: Digester,
        enqueue: Callable[[Iterable[Key], float], None],
    ) -> None:
        self._cache = cache
        self._sources = sources
        self._digester = digester
        self._enqueue = enqueue

    def artifact_index(self, event: str | None, body: Body) -> None:
        """An ArtifactIndex was seen; `event` is the watch's, None for a listed one."""
        ref, uid, version = ref_uid_version(body)
        if _is_gone(event, body):
            self._enqueue(self._cache.drop_index(ref, uid, version), DEBOUNCE)
        elif self._cache.indexes.is_newer(ref, version):
            known = self._cache.indexes.get(ref)
            keys = self._cache.put_index(parse_custom_object(ArtifactIndexSpec, body, known))
            self._enqueue(keys, DEBOUNCE)

    def index_options(self, event: str | None, body: Body) -> None:
        """An IndexOptions was seen."""
        ref, uid, version = ref_uid_version(body)
        if _is_gone(event, body):
            keys = self._cache.drop_options(ref, uid, version) | {Key("IndexOptions", ref)}
            self._enqueue(keys, DEBOUNCE)
        elif self._cache.options.is_newer(ref, version):
            known = self._cache.options.get(ref)
            keys = self._cache.put_options(parse_custom_object(IndexOptionsSpec, body, known))
            self._enqueue(keys, DEBOUNCE)

    def secret(self, event: str | None, body: Body) -> None:
        """A labelled Secret was seen: a source or an output, and it may change from one to other.

        One that leaves the label arrives as deleted: whoever uses it then reads it by name.
        """
        ref, uid, version = ref_uid_version(body)
        role = None if _is_gone(event, body) else _role(body)
        output = OutputRef("Secret", *ref)
        keys: set[Key] = set()
        self._sources.forget(ref)
        if role != ROLE_SOURCE:
            keys |= self._cache.drop_source(ref, uid, version)
        elif self._cache.sources.is_newer(ref, version):
            keys |= self._cache.put_source(ref, parse_source_secret(body))
        if role != ROLE_OUTPUT:
            keys |= self._cache.drop_output(output, uid, version)
        elif self._cache.outputs.is_newer(output, version):
            keys |= self._cache.put_output(parse_output("Secret", body, self._digester))
        self._enqueue(keys, DEBOUNCE)

    def config_map(self, event: str | None, body: Body) -> None:
        """A labelled ConfigMap was seen: an output."""
        ref, uid, version = ref_uid_version(body)
        output = OutputRef("ConfigMap", *ref)
        if _is_gone(event, body):
            self._enqueue(self._cache.drop_output(output, uid, version), DEBOUNCE)
        elif self._cache.outputs.is_newer(output, version):
            keys = self._cache.put_output(parse_output("ConfigMap", body, self._digester))
            self._enqueue(keys, DEBOUNCE)


def _is_gone(event: str | None, body: Body) -> bool:
    return event == "DELETED" or bool(body["metadata"].get("deletionTimestamp"))


def _role(body: Body) -> str | None:
    role: str | None = (body["metadata"].get("labels") or {}).get(ROLE_LABEL)
    return role
