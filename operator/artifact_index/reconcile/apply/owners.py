"""Whether the owner of an output exists, by a read of its own."""

from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import CLUSTER_INDEX_OPTIONS, INDEX_OPTIONS
from artifact_index.reconcile.cache.objects import OptionsObject


async def exists(api: KubePort, options: OptionsObject) -> bool:
    """Whether this very IndexOptions is there and is not being deleted. Raises ApiError."""
    try:
        if options.cluster:
            body = await api.get(CLUSTER_INDEX_OPTIONS, "", options.ref.name)
        else:
            body = await api.get(INDEX_OPTIONS, *options.ref)
    except ApiError as error:
        if error.not_found:
            return False
        raise
    metadata = body["metadata"]
    return metadata["uid"] == options.uid and not metadata.get("deletionTimestamp")
