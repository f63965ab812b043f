"""The API server as the caller reaches it, and errors in the caller's terms."""

import argparse
import contextlib
import shlex
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, TypeVar

from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.objects import Observed, observed
from artifact_index.cli.console import CommandError, Exit
from artifact_index.kube.connect import ConnectError, load_configuration, namespace_of_context
from artifact_index.kube.errors import ApiError, without_definition
from artifact_index.kube.permissions import remedy_of
from artifact_index.kube.port import KubePort, Object
from artifact_index.kube.resources import (
    ARTIFACT_INDEXES,
    CLUSTER_ARTIFACT_INDEXES,
    CLUSTER_INDEX_OPTIONS,
    INDEX_OPTIONS,
    SECRETS,
    Resource,
)

T = TypeVar("T")

_PAGE: Final = 500
"""Objects that one request asks for, as kubectl does."""

_VERBS: Final = {"list": ("listed", "view"), "get": ("read", "view"), "patch": ("changed", "edit")}
"""How a message says that a verb fails, and the ClusterRole to which the chart adds the verb."""


@contextlib.asynccontextmanager
async def connected(chosen: argparse.Namespace) -> AsyncIterator[CallerApi]:
    """The API server that the flags name. Raises CommandError."""
    kubeconfig = Path(chosen.kubeconfig) if chosen.kubeconfig else None
    try:
        configuration = await load_configuration(kubeconfig=kubeconfig, context=chosen.context)
        api = CallerApi(configuration, timeout=chosen.request_timeout)
        api.flags = _cluster_flags(chosen)
    except ConnectError as error:
        raise CommandError(str(error), Exit.UNKNOWN) from None
    try:
        yield api
    finally:
        await api.close()


def flags_of(api: KubePort) -> str:
    """The flags of the caller's cluster, to follow a command's name; empty for the default."""
    return api.flags if isinstance(api, CallerApi) else ""


def _cluster_flags(chosen: argparse.Namespace) -> str:
    given = (("--kubeconfig", chosen.kubeconfig), ("--context", chosen.context))
    return "".join(f" {flag} {shlex.quote(value)}" for flag, value in given if value)


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
    """All objects of one of our kinds by namespace and name. Raises CommandError."""

    def read(body: Object) -> Observed:
        return observed(resource.kind, body)

    found = await list_all(api, resource, namespace, read, selector)
    return sorted(found, key=lambda each: (each.namespace, each.name))


async def list_ours(
    api: KubePort, namespace: str | None, selector: str | None = None, *, of_cluster: bool
) -> tuple[list[Observed], list[Observed]]:
    """Indexes, and the objects that have outputs, of a namespace or of all. Raises CommandError.

    Those of cluster scope are among them if `of_cluster` asks for them; if all namespaces are
    meant, as far as the caller may list them.
    """
    indexes = await list_objects(api, ARTIFACT_INDEXES, namespace, selector)
    options = await list_objects(api, INDEX_OPTIONS, namespace, selector)
    if of_cluster:
        indexes += await list_objects(api, CLUSTER_ARTIFACT_INDEXES, None, selector)
        options += await list_objects(api, CLUSTER_INDEX_OPTIONS, None, selector)
    elif namespace is None:
        cluster_indexes, cluster_options = await list_of_cluster_scope(api, selector)
        indexes, options = [*cluster_indexes, *indexes], [*cluster_options, *options]
    return indexes, options


async def list_of_cluster_scope(
    api: KubePort, selector: str | None = None
) -> tuple[list[Observed], list[Observed]]:
    """ClusterArtifactIndexes and ClusterIndexOptions, as far as there are any for the caller.

    Tenants may not list them, and older definitions do not have them. Raises CommandError.
    """
    found = []
    for resource in (CLUSTER_ARTIFACT_INDEXES, CLUSTER_INDEX_OPTIONS):
        try:
            found.append(await list_objects(api, resource, None, selector))
        except CommandError as error:
            cause = error.__cause__
            if not (isinstance(cause, ApiError) and (cause.forbidden or cause.not_found)):
                raise
            found.append([])
    indexes, options = found
    return indexes, options


async def list_all(
    api: KubePort,
    resource: Resource,
    namespace: str | None,
    read: Callable[[Object], T],
    selector: str | None = None,
) -> list[T]:
    """What is read of each object of a kind, page by page. Raises CommandError."""
    found: list[T] = []
    try:
        pages = api.list(resource, namespace=namespace, label_selector=selector, page=_PAGE)
        async for page in pages:
            if page.first:
                found.clear()
            found += map(read, page.items)
    except ApiError as error:
        message = explained(error, "list", resource, namespace, flags=flags_of(api))
        raise CommandError(message, Exit.UNKNOWN) from error
    return found


async def get_object(api: KubePort, resource: Resource, namespace: str, name: str) -> Observed:
    """One object. Raises CommandError."""
    try:
        return observed(resource.kind, await api.get(resource, namespace, name))
    except ApiError as error:
        message = explained(error, "get", resource, namespace, name, flags=flags_of(api))
        status = Exit.NOT_GOOD if _is_missing(error, name) else Exit.UNKNOWN
        raise CommandError(message, status) from None


def explained(
    error: ApiError,
    verb: str,
    resource: Resource,
    namespace: str | None,
    name: str | None = None,
    *,
    flags: str = "",
) -> str:
    """Why the caller gets no answer to `list`, `get` or `patch`, with the next step.

    `flags` choose the caller's cluster in the commands that the message names.
    """
    kind = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    where = f" -n {namespace}" if namespace else " -A"
    if not resource.namespaced:
        where = ""
    done, role = _VERBS[verb]
    role = "edit" if resource == SECRETS else role
    if name and _is_missing(error, name):
        listing = f"`artifact-index status{flags}{where or ' -A'}` shows what there is"
        place = f" in namespace {namespace}" if resource.namespaced else ""
        return f"there is no {resource.kind} {name}{place}: {listing}"
    if error.not_found:
        return without_definition(resource).message
    # A webhook or a policy may refuse a change, too, and says why itself.
    if error.forbidden and (verb != "patch" or remedy_of(error.message)):
        advice = f"ask for the ClusterRole `{role}` there" if namespace else "give one with -n"
        place = f"in {namespace or 'all namespaces'}"
        if not resource.namespaced:
            advice, place = "only the administrators of the cluster may", "in the cluster"
        return (
            f"you may not {verb} {kind} {place}: {advice}, and test "
            f"with `kubectl{flags} auth can-i {verb} {kind}{where}`"
        )
    if error.status == 401:
        return "the API server does not accept your login: log in again, or choose a --context"
    what = str(error) if error.status else error.message
    test = "" if verb == "patch" else f"; test with `kubectl{flags} get {kind}{where}`"
    return f"{kind} cannot be {done}: {what}{test}"


def _is_missing(error: ApiError, name: str) -> bool:
    """Whether the object is missing; without its definition no message quotes the name."""
    return error.not_found and f'"{name}"' in error.message
