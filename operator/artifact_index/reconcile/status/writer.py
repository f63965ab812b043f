"""Writes statuses that changed, and posts events for their transitions."""

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from artifact_index.api.constants import API_VERSION, FIELD_MANAGER
from artifact_index.api.timestamps import format_time
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import ARTIFACT_INDEXES, EVENTS, INDEX_OPTIONS, Resource
from artifact_index.logs import log_event
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    OptionsObject,
    parse_custom_object,
    status_bytes,
)
from artifact_index.reconcile.cache.status_parsing import readable_status
from artifact_index.reconcile.queue.write_limiter import EVENT, STATUS, WriteLimiter
from artifact_index.reconcile.status.changes import log_changes
from artifact_index.reconcile.status.conditions import Status, status_patch
from artifact_index.reconcile.status.events import Event, transitions

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class StatusWriter:
    """Writes the statuses of both kinds, and an event for each transition that a user must see."""

    _api: KubePort
    _cache: Cache
    _limiter: WriteLimiter
    _clock: Callable[[], float]

    async def write_options_status(self, options: OptionsObject, status: Status) -> None:
        """Write the status of an IndexOptions if it differs. Raises ApiError."""
        body = await self._write(INDEX_OPTIONS, options, status)
        if body is not None and options.spec is not None:
            self._cache.put_options(parse_custom_object(type(options.spec), body, options))

    async def write_index_status(self, index: IndexObject, status: Status) -> None:
        """Write the status of an ArtifactIndex if it differs. Raises ApiError."""
        body = await self._write(ARTIFACT_INDEXES, index, status)
        if body is not None and index.spec is not None:
            self._cache.put_index(parse_custom_object(type(index.spec), body, index))

    async def announce(self, options: OptionsObject, reason: str, message: str) -> None:
        """Post an event about something done for an IndexOptions that no condition reports."""
        namespace, name = options.ref
        log_event(
            logger, logging.INFO, "OutputAdopted", message,
            namespace=namespace, kind=INDEX_OPTIONS.kind, name=name,
        )  # fmt: skip
        await self._post(INDEX_OPTIONS, options, Event("Normal", reason, message), self._clock())

    async def _write(
        self, resource: Resource, owner: IndexObject | OptionsObject, status: Status
    ) -> dict[str, Any] | None:
        if status_bytes(status) == owner.status:
            return None
        now = self._clock()
        stored = json.loads(owner.status)
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
        before = readable_status(stored)
        log_changes(resource.kind, owner, before, status)
        for event in transitions(before, status):
            await self._post(resource, owner, event, now)
        return body

    async def _post(
        self, resource: Resource, owner: IndexObject | OptionsObject, event: Event, now: float
    ) -> None:
        time = format_time(now)
        body: dict[str, Any] = {
            "metadata": {
                "name": f"{owner.ref.name[:200]}.{secrets.token_hex(8)}",
                "namespace": owner.ref.namespace,
            },
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": resource.kind,
                "namespace": owner.ref.namespace,
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
        await self._limiter.wait(EVENT, owner.ref.namespace)
        try:
            await self._api.create(EVENTS, owner.ref.namespace, body)
        except ApiError as error:
            # Events are best effort: the condition has the same reason and message.
            kind, name = resource.kind, owner.ref
            logger.warning("cannot post an event for %s %s/%s: %s", kind, *name, error)
