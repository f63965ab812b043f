"""Objects of cluster scope, as tests write them on a real API server."""

from collections.abc import Mapping
from typing import Any, Final

from artifact_index.api.constants import API_VERSION

INDEXES: Final = f"/apis/{API_VERSION}/clusterartifactindexes"
OPTIONS: Final = f"/apis/{API_VERSION}/clusterindexoptions"
"""The paths of the listings; with a name behind, of an object."""


def cluster_object(
    kind: str, name: str, spec: Mapping[str, Any], labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """An object without a namespace."""
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
