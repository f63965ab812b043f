"""Writes statuses that changed, and posts events for their transitions."""

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from artifact_index.api.constants import API_VERSION, FIELD_MANAGER
from artifact_index.api.timestamps import format_time
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import (
    ARTIFACT_INDEXES,
    CLUSTER_ARTIFACT_INDEXES,
    CLUSTER_INDEX_OPTIONS,
    EVENTS,
    INDEX_OPTIONS,
    Resource,
)
from artifact_index.logs import log_event
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    ObjectRef,
    OptionsObject,
    parse_custom_object,
    status_bytes,
)
from artifact_index.reconcile.cache.status_parsing import readable_status
from artifact_index.reconcile.queue.write_limiter import EVENT, STATUS, WriteLimiter
from artifact_index.reconcile.status.changes import log_changes
from artifact_index.reconcile.status.conditions import Status, status_patch
from artifact_index.reconcile.status.events import Event, has_problem, transitions, waits

logger = logging.getLogger(__name__)

_RESOURCES: Final = (
    (ARTIFACT_INDEXES, INDEX_OPTIONS),
    (CLUSTER_ARTIFACT_INDEXES, CLUSTER_INDEX_OPTIONS),
)
"""The kinds of indexes and options: in a namespace, and of cluster scope."""
_INDEXES: Final = ARTIFACT_INDEXES, CLUSTER_ARTIFACT_INDEXES


@dataclass(frozen=True, slots=True, eq=False)
class StatusWriter:
    """Writes the statuses of both kinds, and an event for each transition that a user must see."""

    _api: KubePort
    _cache: Cache
    _limiter: WriteLimiter
    _clock: Callable[[], float]
    _recovering: set[ObjectRef] = field(default_factory=set, init=False)
    """The indexes that wait for a token after a problem, of whose end no event has told yet."""

    def forget_index(self, index: ObjectRef) -> None:
        """Forget an ArtifactIndex that was deleted."""
        self._recovering.discard(index)

    async def write_options_status(self, options: OptionsObject, status: Status) -> None:
        """Write the status of an IndexOptions if it differs. Raises ApiError."""
        known = status, status_bytes(status)
        body = await self._write(_RESOURCES[options.cluster][1], options, *known)
        if body is not None and options.spec is not None:
            new = parse_custom_object(type(options.spec), body, options, known)
            self._cache.put_options(new)

    async def write_index_status(self, index: IndexObject, status: Status) -> None:
        """Write the status of an ArtifactIndex if it differs. Raises ApiError."""
        known = status, status_bytes(status)
        body = await self._write(_RESOURCES[index.cluster][0], index, *known)
        if body is not None and index.spec is not None:
            self._cache.put_index(parse_custom_object(type(index.spec), body, index, known))

    async def announce(self, options: OptionsObject, reason: str, message: str) -> None:
        """Post an event about something done for an IndexOptions that no condition reports.

        A ClusterIndexOptions comes as one of the namespace in which it was done.
        """
        namespace, name = options.ref
        if options.cluster:
            message = f"in namespace {namespace!r}: {message}"
        log_event(
            logger, logging.INFO, "OutputAdopted", message,
            namespace=namespace, kind=options.owner_kind, name=name,
        )  # fmt: skip
        await self._post(
            _RESOURCES[options.cluster][1], options, Event("Normal", reason, message), self._clock()
        )

    async def _write(
        self, resource: Resource, owner: IndexObject | OptionsObject, status: Status, encoded: bytes
    ) -> dict[str, Any] | None:
        if encoded == owner.status:
            return None
        now = self._clock()
        stored = json.loads(owner.status.decode())
        # The /status of a custom resource accepts a patch with a wrong UID. Only resourceVersion
        # keeps the status from a newer spec, and from a new object of the same name.
        metadata = {"uid": owner.uid, "resourceVersion": str(owner.resource_version)}
        patch = {"metadata": metadata, "status": status_patch(stored, status)}
        namespace, name = owner.ref
        await self._limiter.wait(STATUS, namespace)
        try:
            body = await self._api.patch(resource, namespace, name, patch, subresource="status")
        except ApiError as error:
            if error.not_found:
                logger.debug("%s %s/%s is gone", resource.kind, namespace, name)
                return None
            raise
        if not isinstance(stored, dict) or stored.get("conditions") != status.get("conditions"):
            before = readable_status(stored)
            log_changes(resource.kind, owner, before, status)
            recovers = resource in _INDEXES and self._recovers(owner.ref, before, status)
            for event in transitions(before, status, recovers=recovers):
                await self._post(resource, owner, event, now)
        return body

    def _recovers(self, index: ObjectRef, before: Status, status: Status) -> bool:
        """Whether a wait ends that began as a problem; after a restart that is not known."""
        if waits(status):
            if has_problem(before):
                self._recovering.add(index)
            return False
        recovers = index in self._recovering
        self._recovering.discard(index)
        return recovers

    async def _post(
        self, resource: Resource, owner: IndexObject | OptionsObject, event: Event, now: float
    ) -> None:
        time = format_time(now)
        # As kubelet does for a node: the namespace of what has none.
        namespace = "default" if owner.cluster else owner.ref.namespace
        body: dict[str, Any] = {
            "metadata": {
                "name": f"{owner.ref.name[:200]}.{secrets.token_hex(8)}",
                "namespace": namespace,
            },
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": resource.kind,
                "namespace": "" if owner.cluster else owner.ref.namespace,
                "name": owner.ref.name,
                "uid": owner.uid,
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:1024],  # characters that the API server accepts
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }
        await self._limiter.wait(EVENT, namespace)
        try:
            await self._api.create(EVENTS, namespace, body)
        except ApiError as error:
            # Events are best effort: the condition has the same reason and message.
            kind, name = resource.kind, owner.ref
            logger.warning("cannot post an event for %s %s/%s: %s", kind, *name, error)
