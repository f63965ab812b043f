"""Statuses and events on their way to the API server: written only where they differ."""

import json
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

from artifact_index.api.constants import API_VERSION, FIELD_MANAGER
from artifact_index.api.timestamps import format_time
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import ARTIFACT_INDEXES, EVENTS, INDEX_OPTIONS, Resource
from artifact_index.reconcile.cache.cache import Cache
from artifact_index.reconcile.cache.objects import (
    IndexObject,
    OptionsObject,
    parse_custom_object,
    status_bytes,
)
from artifact_index.reconcile.cache.status_parsing import readable_status
from artifact_index.reconcile.queue.write_limiter import WriteLimiter
from artifact_index.reconcile.status.conditions import Status, status_patch
from artifact_index.reconcile.status.events import Event, transitions

_LONGEST_EVENT: Final = 1024
"""Characters of an event's message that the API server takes."""

logger = logging.getLogger(__name__)


class StatusWriter:
    """Writes statuses, and one event for each transition that a person should hear of."""

    def __init__(self, *, api: KubePort, cache: Cache, budget: WriteLimiter) -> None:
        self._api = api
        self._cache = cache
        self._budget = budget

    async def record_options(self, record: OptionsObject, status: Status, now: float) -> None:
        """Write the status of an IndexOptions. Raises ApiError."""
        body = await self._write(INDEX_OPTIONS, record, status, now)
        if body is not None and record.spec is not None:
            self._cache.put_options(parse_custom_object(type(record.spec), body, record))

    async def record_index(self, record: IndexObject, status: Status, now: float) -> None:
        """Write the status of an ArtifactIndex. Raises ApiError."""
        body = await self._write(ARTIFACT_INDEXES, record, status, now)
        if body is not None and record.spec is not None:
            self._cache.put_index(parse_custom_object(type(record.spec), body, record))

    async def _write(
        self, resource: Resource, record: IndexObject | OptionsObject, status: Status, now: float
    ) -> dict[str, Any] | None:
        if status_bytes(status) == record.status:
            return None
        stored = json.loads(record.status)
        # A custom resource's /status takes a patch with a wrong uid; only the resourceVersion
        # keeps a status from the successor of a deleted object, and from a newer spec.
        metadata = {"uid": record.uid, "resourceVersion": str(record.resource_version)}
        patch = {"metadata": metadata, "status": status_patch(stored, status)}
        namespace, name = record.ref
        await self._budget.status()
        try:
            body = await self._api.patch(resource, namespace, name, patch, subresource="status")
        except ApiError as error:
            if error.not_found:
                logger.debug("%s %s/%s is gone", resource.kind, namespace, name)
                return None
            raise
        for transition in transitions(readable_status(stored), status):
            await self._post(resource, record, transition, now)
        return body

    async def _post(
        self,
        resource: Resource,
        record: IndexObject | OptionsObject,
        transition: Event,
        now: float,
    ) -> None:
        time = format_time(now)
        event: Mapping[str, Any] = {
            "metadata": {
                "name": f"{record.ref.name[:200]}.{secrets.token_hex(8)}",
                "namespace": record.ref.namespace,
            },
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": resource.kind,
                "namespace": record.ref.namespace,
                "name": record.ref.name,
                "uid": record.uid,
            },
            "type": transition.type,
            "reason": transition.reason,
            "message": transition.message[:_LONGEST_EVENT],
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }
        await self._budget.event()
        try:
            await self._api.create(EVENTS, record.ref.namespace, dict(event))
        except ApiError as error:
            # An event is a courtesy; the condition holds the same.
            logger.warning(
                "cannot post an event for %s %s/%s: %s", resource.kind, *record.ref, error
            )
