"""The API server as the caller reaches it, and errors in the caller's terms."""

import argparse
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from artifact_index.cli.cluster.objects import Observed, observed
from artifact_index.cli.console import CommandError, Exit
from artifact_index.kube.client import KubeApi
from artifact_index.kube.connect import ConnectError, load_configuration, namespace_of_context
from artifact_index.kube.errors import ApiError, without_definition
from artifact_index.kube.port import KubePort
from artifact_index.kube.resources import Resource

_PAGE: Final = 500
"""Objects that one request asks for, as kubectl does."""


@contextlib.asynccontextmanager
async def connected(chosen: argparse.Namespace) -> AsyncIterator[KubeApi]:
    """The API server that the flags name. Raises CommandError."""
    kubeconfig = Path(chosen.kubeconfig) if chosen.kubeconfig else None
    try:
        configuration = await load_configuration(kubeconfig=kubeconfig, context=chosen.context)
        api = KubeApi(configuration, timeout=chosen.request_timeout)
    except ConnectError as error:
        raise CommandError(str(error), Exit.UNKNOWN) from None
    try:
        yield api
    finally:
        await api.close()


def namespace_of(chosen: argparse.Namespace) -> str | None:
    """The namespace that the flags name; None for all of them. Raises CommandError."""
    if chosen.all_namespaces:
        return None
    if chosen.namespace:
        return str(chosen.namespace)
    kubeconfig = Path(chosen.kubeconfig) if chosen.kubeconfig else None
    try:
        return namespace_of_context(kubeconfig, chosen.context)
    except ConnectError as error:
        raise CommandError(str(error), Exit.UNKNOWN) from None


async def list_objects(
    api: KubePort, resource: Resource, namespace: str | None, selector: str | None = None
) -> list[Observed]:
    """All objects of a kind by namespace and name. Raises CommandError."""
    found: list[Observed] = []
    try:
        pages = api.list(resource, namespace=namespace, label_selector=selector, page=_PAGE)
        async for page in pages:
            if page.first:
                found.clear()
            found += [observed(resource.kind, body) for body in page.items]
    except ApiError as error:
        raise CommandError(_explained(error, resource, namespace), Exit.UNKNOWN) from None
    return sorted(found, key=lambda each: (each.namespace, each.name))


def _explained(error: ApiError, resource: Resource, namespace: str | None) -> str:
    if error.not_found:
        return without_definition(resource).message
    kind = f"{resource.plural}.{resource.group}"
    where = f"-n {namespace}" if namespace else "-A"
    if error.forbidden:
        advice = "ask for the ClusterRole `view` there" if namespace else "give one with -n"
        return (
            f"you may not list {kind} in {namespace or 'all namespaces'}: {advice}, and test with "
            f"`kubectl auth can-i list {kind} {where}`"
        )
    if error.status == 401:
        return "the API server does not accept your login: log in again, or choose a --context"
    what = str(error) if error.status else error.message
    return f"{kind} cannot be listed: {what}; test with `kubectl get {kind} {where}`"
