"""The versions that a cluster tells."""

import argparse
import os
from pathlib import Path

from kubernetes.aio.config import incluster_config

from artifact_index import __version__
from artifact_index.api.constants import API_VERSION
from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.connection import connected
from artifact_index.cli.cluster.operators import operators
from artifact_index.cli.console import CommandError
from artifact_index.cli.reports import VersionReport
from artifact_index.kube.errors import ApiError

_OWN = VersionReport(client=__version__, definitions=API_VERSION)


async def versions(chosen: argparse.Namespace) -> tuple[VersionReport, str | None]:
    """The versions, and why some could not be found out. Without a cluster they are our own."""
    if chosen.client or not (chosen.kubeconfig or chosen.context or _is_configured()):
        return _OWN, None
    try:
        async with connected(chosen) as api:
            return await versions_of(api, chosen.namespace)
    except CommandError as error:
        return _OWN, str(error)


async def versions_of(api: CallerApi, namespace: str | None) -> tuple[VersionReport, str | None]:
    """As `versions`, for the operators of a namespace or of all."""
    found = _OWN
    try:
        server = await api.server()
        found = found.model_copy(
            update={"server": server.version, "served": await api.served_versions()}
        )
        running = [each.told for each in await operators(api, namespace)]
    except ApiError as error:
        where = f"-n {namespace}" if namespace else "-A"
        step = f"test with `kubectl get deployments {where}`, or give --client"
        return found, f"the cluster's versions are not all known: {error}; {step}"
    return found.model_copy(update={"operators": running}), None


def _is_configured() -> bool:
    """Whether the surroundings name a cluster."""
    return (
        "KUBECONFIG" in os.environ
        or incluster_config.SERVICE_HOST_ENV_NAME in os.environ
        or Path("~/.kube/config").expanduser().is_file()
    )
