"""The port to the API server that reconciling depends on."""

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

    `first` is True on the page that begins a listing. It comes a second time where the listing
    expired on the way (410) and was begun again: what earlier pages held is then to be forgotten,
    for some of it may be gone. `resource_version` is that of the collection.
    """

    items: tuple[Object, ...]
    resource_version: str
    first: bool


class KubePort(Protocol):
    """Reads and writes of single objects and listings; every method raises `ApiError`."""

    page_sizes: PageSizes
    """What the listings have told of the objects' size."""

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        page: int | None = None,
    ) -> AsyncIterator[ListPage]:
        """Yield the objects of a kind, `page` of them at a time; at least one page comes.

        A `page` of None is `page_sizes`' to choose. Items carry no `kind` and `apiVersion` where
        they are of a built-in kind. A `namespace` of None means all of them.
        """
        ...

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Read one object; 404 is an `ApiError` with `not_found`."""
        ...

    async def create(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Create an object (POST) and return it; `already_exists` where the name is taken.

        `apiVersion` and `kind` are filled in.
        """
        ...

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

        With `metadata.uid` in the body it changes only that very object: another one of the same
        name answers 422 (`invalid`), a missing one 404, a stale `metadata.resourceVersion` 409. A
        patch without effect keeps the resourceVersion.

        The `status` of a custom object is the exception: there the server ignores the uid and
        writes the status of whatever has the name. That is reported afterwards as a conflict
        (409); only a resourceVersion in the body prevents it.
        """
        ...

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> None:
        """Delete the object with this uid; 409 where another one has the name now, 404 if none."""
        ...

    async def request_token(
        self, namespace: str, service_account: str, *, audiences: Sequence[str], seconds: int
    ) -> str:
        """Ask for a token of a ServiceAccount (TokenRequest), valid for about `seconds`.

        At least 600. The server may grant another life; who takes the token tells its own.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
