"""An API server in memory, with what reconciling relies on: versions, UIDs and merge patches."""

import uuid
from collections.abc import AsyncIterator, Sequence

from artifact_index.kube.errors import ApiError
from artifact_index.kube.merge_patch import merge_patched
from artifact_index.kube.paging import PageSizes
from artifact_index.kube.port import ListPage, Object
from artifact_index.kube.resources import EVENTS, Resource


class MemoryApi:
    """Implements `KubePort` for one operator. `token` is what TokenRequests are answered with.

    `objects` are by plural, namespace and name.
    """

    def __init__(self, token: str) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.page_sizes = PageSizes()
        self._token = token
        self._version = 0

    def put(self, resource: Resource, body: Object) -> None:
        """Store an object, with the metadata that an API server adds."""
        metadata = body["metadata"]
        key = (resource.plural, metadata.get("namespace") or "", metadata["name"])
        self._version += 1
        # A UID of the usual length: the size of an output depends on it.
        uid = str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(key)))
        added = {"uid": uid, "generation": 1, "resourceVersion": str(self._version)}
        self.objects[key] = {**body, "metadata": metadata | added}

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        page: int | None = None,
    ) -> AsyncIterator[ListPage]:
        """All objects of the kind on one page. Of a selector only the label's name counts."""
        label = label_selector.split()[0].split("=")[0] if label_selector else None
        found = [
            body
            for (plural, where, _), body in self.objects.items()
            if plural == resource.plural
            and namespace in (None, where)
            and (label is None or label in (body["metadata"].get("labels") or {}))
        ]
        yield ListPage(tuple(found), str(self._version), first=True)

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Read one object."""
        try:
            return self.objects[resource.plural, namespace, name]
        except KeyError:
            raise ApiError(404, "NotFound", f"there is no {resource.kind} {name}") from None

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create an object; events are dropped."""
        body = {**body, "metadata": body["metadata"] | {"namespace": namespace}}
        if resource == EVENTS:
            return body
        key = (resource.plural, namespace, body["metadata"]["name"])
        if key in self.objects:
            raise ApiError(409, "AlreadyExists", f"there is a {resource.kind} {key[2]}")
        self.put(resource, body)
        return self.objects[key]

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Object,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Merge, and count a version."""
        existing = await self.get(resource, namespace, name)
        self._version += 1
        version = {"resourceVersion": str(self._version)}
        patched: Object = merge_patched(existing, body)
        patched["metadata"] = patched["metadata"] | version
        self.objects[resource.plural, namespace, name] = patched
        return patched

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: int
    ) -> None:
        """Delete an object."""
        self.objects.pop((resource.plural, namespace, name), None)

    async def request_token(
        self, namespace: str, service_account: str, *, audiences: Sequence[str], seconds: int
    ) -> str:
        """The same token for all."""
        return self._token

    async def close(self) -> None:
        """Do nothing: there are no connections."""
