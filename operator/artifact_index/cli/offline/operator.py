"""Runs the operator over manifests, with stand-ins for whatever is not in them."""

import asyncio
import base64
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from artifact_index.api.artifact_index import ArtifactIndexSpec
from artifact_index.api.base import SpecError, parse_spec
from artifact_index.api.cluster.artifact_index import ClusterArtifactIndexSpec
from artifact_index.api.constants import OWNER_ANNOTATION
from artifact_index.api.index_options import IndexOptionsSpec
from artifact_index.api.timestamps import format_time
from artifact_index.cli.offline import stand_ins
from artifact_index.cli.offline.manifests import Manifest, without_nulls
from artifact_index.cli.offline.memory_api import MemoryApi
from artifact_index.cli.reports import ObjectRef, RenderedFile
from artifact_index.credentials.calls import Issue
from artifact_index.formats.expiry import with_time
from artifact_index.kube.port import Object
from artifact_index.kube.resources import (
    ARTIFACT_INDEXES,
    CLUSTER_ARTIFACT_INDEXES,
    CLUSTER_INDEX_OPTIONS,
    CONFIG_MAPS,
    INDEX_OPTIONS,
    NAMESPACES,
    OUR_KINDS,
    SECRETS,
    SERVICE_ACCOUNTS,
    Resource,
)
from artifact_index.reconcile.cache.digests import Digester
from artifact_index.reconcile.cache.objects import ObjectRef as CacheRef
from artifact_index.settings import Settings
from artifact_index.wiring import Operator, build, env_of

READ: Final = (*OUR_KINDS, SECRETS, CONFIG_MAPS, SERVICE_ACCOUNTS, NAMESPACES)
"""The kinds of manifests that the operator reads; others are passed over."""

_NO_LIMIT: Final = 1_000_000

_TURN: Final = 0.01
"""Seconds in which the token manager begins further calls: only some are in flight at a time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the operator made of the manifests: its outputs and the statuses of its objects."""

    files: list[RenderedFile]
    _objects: Mapping[tuple[str, str, str], Object]

    def status(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        """The status of an object."""
        body = self._objects[resource.plural, namespace, name]
        status: dict[str, Any] = body.get("status") or {}
        return status


def run_offline(
    manifests: Iterable[Manifest],
    namespace: str,
    settings: Settings,
    *,
    show_secrets: bool,
    issue: Issue | None = None,
) -> Outcome:
    """Reconcile the manifests once. `namespace` is that of manifests which name none.

    Logins are stand-ins, unless there is an `issue` that asks the clouds. Only with `show_secrets`
    are the values of Secrets among the manifests used as they stand.
    """
    api = MemoryApi(stand_ins.REDACTED)
    of_cluster_scope = False
    for resource, body in _bodies(manifests, namespace):
        api.put(resource, body)
        of_cluster_scope |= resource in (CLUSTER_ARTIFACT_INDEXES, CLUSTER_INDEX_OPTIONS)
    if of_cluster_scope:
        settings = replace(settings, cluster_kinds=True)
        for body in stand_ins.namespaces(api.objects, namespace):
            api.put(NAMESPACES, body)
    with _silence():
        asyncio.run(_reconcile_all(api, settings, issue or _STAND_IN, show_secrets=show_secrets))
    return Outcome(list(_files(api, minted=issue is not None)), api.objects)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the operator's log out of the answer: conditions tell the same."""
    logger = logging.getLogger("artifact_index")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


_STAND_IN: Final = stand_ins.issue_with(stand_ins.REDACTED, time.time)


async def _reconcile_all(
    api: MemoryApi, settings: Settings, issue: Issue, *, show_secrets: bool
) -> None:
    # No cloud and no API server has to be spared, and what is missing will not appear.
    settings = replace(
        settings,
        mints_per_second=_NO_LIMIT,
        mint_patience=_NO_LIMIT,
        writes_per_second=0,
        missing_secret_grace=0,
    )
    env = env_of(settings, Digester(secrets.token_bytes(32)))
    operator = build(settings, api, issue, env)
    _add_stand_ins(api, operator.cache.scope.home_of, show_secrets=show_secrets)
    await operator.prime()
    tokens = asyncio.create_task(operator.tokens.run())
    operator.controller.enqueue(operator.cache.all_keys())
    await _settle(operator)
    while operator.state.waiting:
        await asyncio.sleep(_TURN)
        await _settle(operator)
    tokens.cancel()
    await operator.close()


async def _settle(operator: Operator) -> None:
    """Reconcile until nothing is left to do but to wait for tokens."""
    queue = operator.controller.queue
    while not queue.idle or await operator.clouds_settled():
        if queue.idle:
            continue
        key = await queue.get()
        await operator.controller.reconcile(key)
        queue.done(key)


def _bodies(manifests: Iterable[Manifest], namespace: str) -> Iterator[tuple[Resource, Object]]:
    """The objects that the operator reads, as an API server stores them, in order of creation."""
    resources = {(each.api_version, each.kind): each for each in READ}
    for number, manifest in enumerate(manifests):
        api_version, kind, _, _ = manifest.identity
        resource = resources.get((api_version, kind))
        if resource is None:
            continue
        body = without_nulls(manifest.body)
        metadata = body["metadata"]
        if resource.group == "" and OWNER_ANNOTATION in metadata.get("annotations", {}):
            continue  # an operator wrote it, with logins; this one writes its own
        metadata["namespace"] = manifest.namespace_or(namespace)
        metadata["creationTimestamp"] = format_time(number)
        body.pop("status", None)
        text = body.pop("stringData", {})
        encoded = {key: stand_ins.encoded(value) for key, value in text.items()}
        yield resource, {**body, "data": body.get("data", {}) | encoded}


def _add_stand_ins(
    api: MemoryApi, home_of: Callable[[CacheRef], str], *, show_secrets: bool
) -> None:
    """Complete what the indexes refer to, and redact it; `home_of` tells in which namespace."""
    indexes = (
        *_specs(api, ARTIFACT_INDEXES, ArtifactIndexSpec),
        *_specs(api, CLUSTER_ARTIFACT_INDEXES, ClusterArtifactIndexSpec),
    )
    specs = [(home_of(ref), spec) for ref, spec in indexes]
    outputs = {
        (ref.namespace, output.name)
        for ref, spec in _specs(api, INDEX_OPTIONS, IndexOptionsSpec)
        for output in spec.outputs_of(ref.name)
    }
    for (namespace, name), uses in stand_ins.secret_uses(specs).items():
        given = api.objects.get((SECRETS.plural, namespace, name))
        if given is None and (namespace, name) not in outputs:
            api.put(SECRETS, stand_ins.stand_in_secret(namespace, name, uses))
        elif given is not None and not show_secrets:
            api.put(SECRETS, stand_ins.redacted_secret(given, uses))
    for namespace, name in stand_ins.account_names(specs):
        if (SERVICE_ACCOUNTS.plural, namespace, name) not in api.objects:
            api.put(SERVICE_ACCOUNTS, stand_ins.stand_in_account(namespace, name))


def _specs(api: MemoryApi, resource: Resource, model: Any) -> Iterator[tuple[CacheRef, Any]]:
    """The specs that can be read."""
    for (plural, namespace, name), body in api.objects.items():
        if plural != resource.plural:
            continue
        try:
            yield CacheRef(namespace, name), parse_spec(model, body.get("spec"))
        except SpecError:
            continue


def _files(api: MemoryApi, *, minted: bool) -> Iterator[RenderedFile]:
    """The outputs. The times of stand-ins for tokens are none that a cluster has."""
    for resource in (SECRETS, CONFIG_MAPS):
        for (plural, namespace, name), body in api.objects.items():
            owner = (body["metadata"].get("annotations") or {}).get(OWNER_ANNOTATION)
            if plural != resource.plural or owner is None:
                continue
            for key, data in body["data"].items():
                content = base64.b64decode(data).decode() if resource == SECRETS else data
                if not minted:
                    content = with_time(content, stand_ins.REDACTED)
                output = ObjectRef(kind=resource.kind, namespace=namespace, name=name)
                yield RenderedFile(index_options=owner, output=output, key=key, content=content)
