"""An API server in a dictionary: the port's rules that reconciling relies on, without a network.

For single passes in unit tests. What a real server does is for the emulated and cluster tiers.
"""

import copy
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from artifact_index.kube.errors import ApiError
from artifact_index.kube.merge_patch import merge_patched
from artifact_index.kube.paging import PageSizes
from artifact_index.kube.port import ListPage, Object
from artifact_index.kube.resources import Resource

Refusal = Callable[[str, str, str], ApiError | None]


class MemoryPort:
    """Objects by plural, namespace and name; `writes` counts by verb and plural.

    `refuse` may answer a request (verb, plural, name) with an error.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.writes: Counter[tuple[str, str]] = Counter()
        self.refuse: Refusal = lambda verb, plural, name: None
        self.page_sizes = PageSizes()
        self._version = 1000

    def put(self, plural: str, body: Object) -> Object:
        """Store an object as somebody else's write."""
        metadata = body["metadata"]
        key = (plural, metadata.get("namespace") or "", metadata["name"])
        return self._store(key, self._apart(body))

    def find(self, plural: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self.objects.get((plural, namespace, name))

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        page: int | None = None,
    ) -> AsyncIterator[ListPage]:
        """All objects of the kind on one page; of a selector only the key's presence is asked."""
        key = label_selector.split("=")[0].split(" ")[0] if label_selector else None
        found = [
            self._apart(body)
            for (plural, where, _), body in self.objects.items()
            if plural == resource.plural
            and namespace in (None, where)
            and (key is None or key in (body["metadata"].get("labels") or {}))
        ]
        yield ListPage(tuple(found), str(self._version), first=True)

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Read one object."""
        return self._apart(self._existing("get", resource.plural, namespace, name))

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create an object."""
        name = body["metadata"]["name"]
        self._check("create", resource.plural, name)
        if (resource.plural, namespace, name) in self.objects:
            raise ApiError(409, "AlreadyExists", f"{name} is there")
        self.writes["create", resource.plural] += 1
        identity = {"namespace": namespace, "uid": f"uid-{resource.plural}-{name}"}
        created = {**self._apart(body), "metadata": body["metadata"] | identity}
        return self._apart(self._store((resource.plural, namespace, name), created))

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Object,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Merge; a patch without effect keeps the version."""
        existing = self._existing("patch", resource.plural, namespace, name)
        metadata = body.get("metadata") or {}
        if metadata.get("uid", existing["metadata"]["uid"]) != existing["metadata"]["uid"]:
            raise ApiError(422, "Invalid", "the uid is another one's")
        version = existing["metadata"]["resourceVersion"]
        if metadata.get("resourceVersion", version) != version:
            raise ApiError(409, "Conflict", "stale")
        self.writes[
            "patch", f"{resource.plural}/{subresource}" if subresource else resource.plural
        ] += 1
        patched: Object = merge_patched(existing, body)
        if patched == existing:
            return self._apart(existing)
        return self._apart(self._store((resource.plural, namespace, name), patched))

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: int
    ) -> None:
        """Delete the object with this uid."""
        existing = self._existing("delete", resource.plural, namespace, name)
        if existing["metadata"]["uid"] != uid:
            raise ApiError(409, "Conflict", "the uid is another one's")
        if existing["metadata"]["resourceVersion"] != str(version):
            raise ApiError(409, "Conflict", "stale")
        self.writes["delete", resource.plural] += 1
        del self.objects[resource.plural, namespace, name]

    async def request_token(
        self, namespace: str, service_account: str, *, audiences: Sequence[str], seconds: int
    ) -> str:
        """A token that says what was asked for."""
        self._check("create", "serviceaccounts/token", service_account)
        return f"{namespace}/{service_account} for {','.join(audiences)}"

    async def close(self) -> None:
        """Nothing to close."""

    def _check(self, verb: str, plural: str, name: str) -> None:
        if (error := self.refuse(verb, plural, name)) is not None:
            raise error

    def _existing(self, verb: str, plural: str, namespace: str, name: str) -> Object:
        self._check(verb, plural, name)
        if (found := self.objects.get((plural, namespace, name))) is None:
            raise ApiError(404, "NotFound", f"no {plural} {name}")
        return found

    def _store(self, key: tuple[str, str, str], body: Any) -> Object:
        self._version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self._version)}
        self.objects[key] = stored = {**body, "metadata": metadata}
        return stored

    def _apart(self, body: Object) -> Object:
        """What one side changes afterwards is not seen by the other."""
        return copy.deepcopy(body)


class LeanPort(MemoryPort):
    """The same without copies, for long simulations: nobody changes what they get or gave."""

    def _apart(self, body: Object) -> Object:
        return body
