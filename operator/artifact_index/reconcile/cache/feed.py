"""From the objects that the API server shows to the cache, and on to the queue."""

import logging
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Literal, TypeAlias

from artifact_index.api import constants
from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.cluster.artifact_index import ClusterArtifactIndexSpec
from artifact_index.api.cluster.index_options import ClusterIndexOptionsSpec
from artifact_index.api.constants import ROLE_LABEL, ROLE_OUTPUT, ROLE_SOURCE
from artifact_index.api.index_options import IndexOptionsSpec, OptionsSpec
from artifact_index.kube import resources
from artifact_index.kube.port import Object
from artifact_index.kube.resources import Resource
from artifact_index.logs import log_event, log_exception
from artifact_index.reconcile.cache.cache import Cache, Key, options_key
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.kind_cache import CachedObject, KindCache, Ref
from artifact_index.reconcile.cache.objects import (
    CustomObject,
    IndexObject,
    ObjectRef,
    OptionsObject,
    OutputObject,
    OutputRef,
    parse_custom_object,
    parse_output,
    ref_uid_version,
)
from artifact_index.reconcile.cache.scope import NamespaceObject, parse_namespace
from artifact_index.reconcile.cache.sources.parsing import parse_source_secret
from artifact_index.sources.base import SourceSecret

SECRET_SELECTOR: Final = f"{ROLE_LABEL} in ({ROLE_OUTPUT},{ROLE_SOURCE})"
CONFIG_MAP_SELECTOR: Final = f"{ROLE_LABEL}={ROLE_OUTPUT}"
_KINDS: Final = {each.plural: each.kind for each in resources.OUR_KINDS}

logger = logging.getLogger(__name__)

FedObject: TypeAlias = IndexObject | OptionsObject | OutputObject | SourceSecret | NamespaceObject
OnNew: TypeAlias = Callable[[str, FedObject, Object], Awaitable[None] | None]
"""Gets the plural of an object's kind, and the object as cached and as the API server has it.

Returns what must be awaited before the next object, if anything.
"""


@dataclass(frozen=True, slots=True)
class _Entrance(Generic[Ref, CachedObject]):
    """How the bodies of one kind enter the cache and leave it.

    `put` and `drop` return the keys of the objects that the change concerns. `ref` makes the key of
    `objects`. With `role`, only bodies with that role label belong here: a Secret is an output or a
    source. `holds` is False for what another kind has put into the same `objects`.
    """

    objects: KindCache[Ref, CachedObject]
    parse: Callable[[Object, CachedObject | None], CachedObject]
    put: Callable[[ObjectRef, CachedObject, bool], set[Key]]
    drop: Callable[[Ref, str | None, int], set[Key]]
    ref: Callable[[ObjectRef], Any] = lambda ref: ref
    role: Literal["source", "output"] | None = None
    holds: Callable[[Ref], bool] = lambda _: True


class Feed:
    """Takes every observed object into the cache; `enqueue` gets the keys that an event concerns.

    `kinds` are what is listed and watched, in the order of the listings, each with its label
    selector. Watch events and list items go through the same steps. An object with a
    deletionTimestamp counts as deleted: nothing is written for it any more. `forget_polled`
    invalidates the polled copy of a source Secret: it moves into or out of the watch.
    `status_edited` gets the key of an object of which nothing but the status has changed. Kinds are
    named by their plural.

    `on_new` gets each version of an object that was not cached: from it, a process takes over what
    others have written before it works, and while it stands by.
    """

    def __init__(
        self,
        cache: Cache,
        forget_polled: Callable[[ObjectRef], None],
        digester: Digester,
        enqueue: Callable[[set[Key]], None],
        status_edited: Callable[[set[Key]], None],
    ) -> None:
        self.on_new: OnNew | None = None
        self._enqueue = enqueue
        self._status_edited = status_edited
        self._entrances = _entrances(cache, forget_polled, digester)
        self.kinds = _kinds(in_cluster=cache.scope.served)

    def watched(self, plural: str, event: str | None, body: Object) -> Awaitable[None] | None:
        """Take a watch event; `event` is its type, None for the listing that begins a watch.

        A Secret that loses our label arrives as deleted: its users then read it by name. Returns
        what `on_new` leaves to await.
        """
        address = ref_uid_version(body)
        for entrance in self._entrances[plural]:
            entrance.objects.mark_seen(entrance.ref(address[0]), address[2])
        concerned, new = self._take(plural, body, address, deleted=event == "DELETED")
        self._enqueue(concerned)
        return None if new is None or self.on_new is None else self.on_new(plural, new, body)

    def take_echo(self, plural: str, body: Object) -> bool:
        """Take a watch event that tells nothing new; False if it does, and is for `watched`.

        So it is with the event of a write whose answer has come: the cache has this version of the
        object, or a newer one, in this role alone, and the object counts as seen. A source that a
        write made an output is still cached as a source: its event ends that.
        """
        ref, _, version = ref_uid_version(body)
        metadata = body["metadata"]
        role = (metadata.get("labels") or {}).get(ROLE_LABEL)
        is_echo = False
        for entrance in self._entrances[plural]:
            own = entrance.ref(ref)
            if entrance.role not in (None, role):
                if entrance.objects.get(own) is not None:
                    return False
            elif not entrance.objects.is_news(own, version):
                entrance.objects.mark_seen(own, version)
                is_echo = not metadata.get("deletionTimestamp")
        return is_echo

    def listed(self, plural: str, body: Object) -> tuple[ObjectRef, set[Key], FedObject | None]:
        """Take an item of a listing; returns its reference, and the keys that it concerns.

        Also returns the object, if this version of it was not cached.
        """
        address = ref_uid_version(body)
        ref, _, version = address
        for entrance in self._entrances[plural]:
            if entrance.objects.is_outdated(entrance.ref(ref), version):
                # A watch event was faster than this page.
                return ref, set(), None
        return ref, *self._take(plural, body, address, listed=True)

    def begin_sweep(self, plural: str) -> None:
        """Begin to note what watch events show; call it before the kind is listed."""
        for entrance in self._entrances[plural]:
            entrance.objects.begin_sweep()

    def end_sweep(self, plural: str, listed: Set[ObjectRef]) -> set[Key]:
        """Drop what the finished listing did not hold, and return the keys that this concerns."""
        concerned: set[Key] = set()
        for entrance in self._entrances[plural]:
            for ref in entrance.objects.end_sweep({entrance.ref(ref) for ref in listed}):
                if entrance.holds(ref):
                    concerned |= self._drop(plural, entrance, ref, None, 0)
        return concerned

    def _drop(
        self, plural: str, entrance: _Entrance[Any, Any], ref: Any, uid: str | None, version: int
    ) -> set[Key]:
        cached = entrance.objects.get(ref)
        concerned = entrance.drop(ref, uid, version)
        if isinstance(cached, CustomObject) and entrance.objects.get(ref) is None:
            about = {"kind": _KINDS[plural], "namespace": ref.namespace, "name": ref.name}
            log_event(logger, logging.INFO, "Deleted", "the object was deleted", **about)
        return concerned

    def _take(
        self,
        plural: str,
        body: Object,
        address: tuple[ObjectRef, str, int],
        *,
        deleted: bool = False,
        listed: bool = False,
    ) -> tuple[set[Key], FedObject | None]:
        object_ref, uid, version = address
        metadata = body["metadata"]
        deleted = deleted or bool(metadata.get("deletionTimestamp"))
        role = (metadata.get("labels") or {}).get(ROLE_LABEL)
        concerned: set[Key] = set()
        new: FedObject | None = None
        for entrance in self._entrances[plural]:
            ref = entrance.ref(object_ref)
            if deleted or entrance.role not in (None, role):
                concerned |= self._drop(plural, entrance, ref, uid, version)
            elif entrance.objects.is_news(ref, version, listed=listed):
                try:
                    cached = entrance.objects.get(ref)
                    new = entrance.parse(body, cached)
                    keys = entrance.put(object_ref, new, listed)
                    if isinstance(new, CustomObject) and new.same_input(cached):
                        self._status_edited(keys)
                    else:
                        concerned |= keys
                except Exception as error:
                    # One object that fails must end neither a relist nor the events of its kind.
                    log_exception(logger, error, "%s %s/%s cannot be read", plural, *object_ref)
        return concerned, new


def _entrances(
    cache: Cache, forget_polled: Callable[[ObjectRef], None], digester: Digester
) -> dict[str, tuple[_Entrance[Any, Any], ...]]:
    def parse_source(body: Object, _: SourceSecret | None) -> SourceSecret:
        return parse_source_secret(body, cache.named_keys(ref_uid_version(body)[0]))

    def put_source(ref: ObjectRef, secret: SourceSecret, listed: bool) -> set[Key]:
        forget_polled(ref)
        return cache.put_source(ref, secret, listed=listed)

    def drop_source(ref: ObjectRef, uid: str | None, version: int) -> set[Key]:
        forget_polled(ref)
        return cache.drop_source(ref, uid, version)

    def outputs(kind: str, role: Literal["output"] | None) -> _Entrance[OutputRef, OutputObject]:
        return _Entrance(
            objects=cache.outputs,
            parse=lambda body, _: parse_output(kind, body, digester),
            put=lambda _, output, listed: cache.put_output(output, listed=listed),
            drop=cache.drop_output,
            ref=lambda ref: OutputRef(kind, *ref),
            role=role,
            holds=lambda ref: ref.kind == kind,
        )

    def indexes(spec: type[ArtifactIndexSpec], *, cluster: bool) -> _Entrance[Any, Any]:
        return _Entrance(
            objects=cache.indexes,
            parse=partial(parse_custom_object, spec),
            put=lambda _, index, listed: cache.put_index(index, listed=listed),
            drop=cache.drop_index,
            holds=lambda ref: cluster is not bool(ref.namespace),
        )

    def options(spec: type[OptionsSpec], *, cluster: bool) -> _Entrance[Any, Any]:
        return _Entrance(
            objects=cache.options,
            parse=partial(parse_custom_object, spec),
            put=lambda _, options, listed: cache.put_options(options, listed=listed),
            # Its own key, too: the reconciler forgets what it knows about a deleted IndexOptions.
            drop=lambda ref, *which: cache.drop_options(ref, *which) | {options_key(ref)},
            holds=lambda ref: cluster is not bool(ref.namespace),
        )

    namespaces = _Entrance(
        objects=cache.scope.namespaces,
        parse=lambda body, _: parse_namespace(body),
        put=lambda _, namespace, listed: cache.put_namespace(namespace, listed=listed),
        drop=cache.drop_namespace,
    )
    sources = _Entrance(
        objects=cache.sources,
        parse=parse_source,
        put=put_source,
        drop=drop_source,
        role=ROLE_SOURCE,
    )
    return {
        constants.ARTIFACT_INDEX_PLURAL: (indexes(ArtifactIndexSpec, cluster=False),),
        constants.INDEX_OPTIONS_PLURAL: (options(IndexOptionsSpec, cluster=False),),
        constants.CLUSTER_ARTIFACT_INDEX_PLURAL: (indexes(ClusterArtifactIndexSpec, cluster=True),),
        constants.CLUSTER_INDEX_OPTIONS_PLURAL: (options(ClusterIndexOptionsSpec, cluster=True),),
        resources.NAMESPACES.plural: (namespaces,),
        resources.SECRETS.plural: (sources, outputs("Secret", ROLE_OUTPUT)),
        resources.CONFIG_MAPS.plural: (outputs("ConfigMap", None),),
    }


def _kinds(*, in_cluster: bool) -> tuple[tuple[Resource, str | None], ...]:
    """Namespaces come first: an index of cluster scope is served in those that are known."""
    scoped = (
        resources.NAMESPACES,
        resources.CLUSTER_ARTIFACT_INDEXES,
        resources.CLUSTER_INDEX_OPTIONS,
    )
    return (
        *((each, None) for each in scoped if in_cluster),
        (resources.ARTIFACT_INDEXES, None),
        (resources.INDEX_OPTIONS, None),
        (resources.SECRETS, SECRET_SELECTOR),
        (resources.CONFIG_MAPS, CONFIG_MAP_SELECTOR),
    )
