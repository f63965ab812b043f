"""The interface to the API server that reconciling uses."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from artifact_index.kube.paging import PageSizes
from artifact_index.kube.resources import Resource

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as plain JSON."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a listing.

    `first` is True on the first page. A listing that expires (410) is started over, with another
    first page: discard the pages before it, since some of their objects may be gone.
    `resource_version` is that of the collection.
    """

    items: tuple[Object, ...]
    resource_version: str
    first: bool


class KubePort(Protocol):
    """Reads, writes and lists objects; every method raises `ApiError`."""

    page_sizes: PageSizes
    """The page sizes that listings use and learn."""

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        page: int | None = None,
    ) -> AsyncIterator[ListPage]:
        """Yield the objects of a kind, `page` of them at a time, in at least one page.

        Without `page`, `page_sizes` decides; without `namespace`, all namespaces are listed. Items
        of built-in kinds have no `kind` and `apiVersion`.
        """

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Read one object; 404 is an `ApiError` with `not_found`."""

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create an object (POST) and return it; `already_exists` if the name is taken.

        `apiVersion` and `kind` are filled in.
        """

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Object,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Apply a JSON merge patch (RFC 7396) and return the object.

        With `metadata.uid` in the body, the server patches that very object only: it answers 422
        (`invalid`) if another one has the name, 404 if none has, and 409 to a stale
        `metadata.resourceVersion`. A patch without effect keeps the resourceVersion.

        In a patch of a custom resource's `status` the server ignores the UID and writes the status
        of the object with that name. This method then raises a conflict (409), too late; only a
        resourceVersion in the body prevents the write.
        """

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: int
    ) -> None:
        """Delete the object with this UID and resourceVersion.

        409 if it has changed or another one has the name now, 404 if none has.
        """

    async def request_token(
        self, namespace: str, service_account: str, *, audiences: Sequence[str], seconds: int
    ) -> str:
        """Request a token of a ServiceAccount (TokenRequest), valid for about `seconds`.

        `seconds` is at least 600. The server may decide on another life; the token itself tells.
        """

    async def close(self) -> None:
        """Close the connections."""
