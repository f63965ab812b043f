"""The kinds that the operator reads and writes, and their paths on the API server."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from artifact_index.api import constants as names


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object as the API server names it (`group` is "" for the core group)."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of an object of this kind, such as `artifactindex.dev/v1alpha1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def custom(self) -> bool:
        """True if the kind comes from a CRD, so that the server may not serve it yet."""
        return "." in self.group and not self.group.endswith(".k8s.io")

    def collection_path(self, namespace: str | None = None) -> str:
        """The path of the kind's objects in a namespace; None means all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if namespace is None or not self.namespaced:
            return f"{root}/{self.plural}"
        return f"{root}/namespaces/{quote(namespace, safe='')}/{self.plural}"

    def object_path(self, namespace: str | None, name: str, subresource: str | None = None) -> str:
        """The path of one object, or of its subresource.

        Raises ValueError for a namespaced kind without a namespace, and for an empty name: either
        would address a whole collection.
        """
        if self.namespaced and not namespace:
            raise ValueError(f"a {self.kind} needs a namespace")
        if not name:
            raise ValueError(f"a {self.kind} needs a name")
        path = f"{self.collection_path(namespace)}/{quote(name, safe='')}"
        return f"{path}/{subresource}" if subresource else path


ARTIFACT_INDEXES: Final = Resource(
    names.GROUP, names.VERSION, names.ARTIFACT_INDEX_PLURAL, names.ARTIFACT_INDEX_KIND
)
INDEX_OPTIONS: Final = Resource(
    names.GROUP, names.VERSION, names.INDEX_OPTIONS_PLURAL, names.INDEX_OPTIONS_KIND
)
CLUSTER_ARTIFACT_INDEXES: Final = Resource(
    names.GROUP, names.VERSION, names.CLUSTER_ARTIFACT_INDEX_PLURAL,
    names.CLUSTER_ARTIFACT_INDEX_KIND, namespaced=False,
)  # fmt: skip
CLUSTER_INDEX_OPTIONS: Final = Resource(
    names.GROUP, names.VERSION, names.CLUSTER_INDEX_OPTIONS_PLURAL,
    names.CLUSTER_INDEX_OPTIONS_KIND, namespaced=False,
)  # fmt: skip
OUR_KINDS: Final = (
    ARTIFACT_INDEXES, INDEX_OPTIONS, CLUSTER_ARTIFACT_INDEXES, CLUSTER_INDEX_OPTIONS,
)  # fmt: skip
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
SERVICE_ACCOUNTS: Final = Resource("", "v1", "serviceaccounts", "ServiceAccount")
EVENTS: Final = Resource("", "v1", "events", "Event")
