"""Collects the document of `artifact-index report`; what cannot be read is named in it."""

import argparse
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from artifact_index.api.constants import API_VERSION
from artifact_index.cli.admin.versions import versions_of
from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.connection import (
    connected,
    list_all,
    list_objects,
    list_of_cluster_scope,
    namespace_of,
)
from artifact_index.cli.cluster.leases import lease_of
from artifact_index.cli.cluster.objects import Observed
from artifact_index.cli.cluster.operators import LABELS, Operator, operators
from artifact_index.cli.cluster.pods import PODS
from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.reports import ObjectReport, SupportReport
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import Object
from artifact_index.kube.resources import ARTIFACT_INDEXES, EVENTS, INDEX_OPTIONS
from artifact_index.logs import redact

_MOST: Final = 500
"""Objects and events that are listed, each."""

_LONGEST_LINE: Final = 8192
"""Characters of a line that is shown: the operator writes none so long, and whoever labels a
Deployment like the operator's chooses the lines."""


async def collect(chosen: argparse.Namespace) -> SupportReport:
    """The document. Raises CommandError if there is no API server."""
    namespace, home = namespace_of(chosen), chosen.operator_namespace
    async with connected(chosen) as api:
        versions, problem = await versions_of(api, home)
        if versions.server is None and problem is not None:
            raise CommandError(problem, Exit.UNKNOWN)
        missing: list[str] = []
        running = await _operators(api, home, missing)
        objects = await _objects(api, namespace, missing)
        events = await _events(api, namespace, missing)
        leases = [each async for each in _leases(api, running, missing)]
        log: list[str] = []
        metrics: list[str] = []
        for operator in running:
            async for pod in _pods(api, operator, missing):
                path = PODS.object_path(operator.namespace, pod["metadata"]["name"])
                query = f"log?container={_container(pod)}&tailLines={chosen.lines}"
                log += await _lines(api, f"{path}/{query}", "pods/log", missing)
                page = f"{path}:{_port(pod)}/proxy/metrics"
                metrics += await _lines(api, page, "pods/proxy", missing)
    return SupportReport(
        versions=versions,
        settings={each.where: [redact(flag) for flag in each.flags] for each in running},
        leases=leases,
        objects=objects[:_MOST],
        events=events[-_MOST:],
        log=log,
        metrics=metrics,
        missing=missing,
    )


async def _operators(api: CallerApi, home: str | None, missing: list[str]) -> list[Operator]:
    try:
        return await operators(api, home)
    except ApiError as error:
        missing.append(f"operators: {error}")
        return []


async def _leases(
    api: CallerApi, running: list[Operator], missing: list[str]
) -> AsyncIterator[str]:
    for operator in running:
        if operator.elects:
            try:
                yield redact((await lease_of(api, operator)).text)
            except ApiError as error:
                missing.append(f"the Lease of {operator.where}: {error}")


async def _objects(api: CallerApi, namespace: str | None, missing: list[str]) -> list[ObjectReport]:
    found: list[ObjectReport] = []
    for resource in (ARTIFACT_INDEXES, INDEX_OPTIONS):
        try:
            found += map(_object, await list_objects(api, resource, namespace))
        except CommandError as error:
            missing.append(f"{resource.plural}: {error}")
    try:
        indexes, options = await list_of_cluster_scope(api)
    except CommandError as error:
        missing.append(f"objects of cluster scope: {error}")
        return found
    return [*found, *map(_object, (*indexes, *options))]


def _object(each: Observed) -> ObjectReport:
    conditions = [
        redact(f"{one.type}={one.status} {one.reason} since {one.since}: {one.message}")
        for one in each.conditions
    ]
    return ObjectReport(
        object=each.ref, generation=each.generation, handled=each.handled, conditions=conditions
    )


async def _events(api: CallerApi, namespace: str | None, missing: list[str]) -> list[str]:
    try:
        found = await list_all(api, EVENTS, namespace, _event)
    except CommandError as error:
        missing.append(f"events: {error}")
        return []
    return sorted(filter(None, found))


def _event(body: Object) -> str:
    """An event of one of our objects as a line that begins with its time; empty for another."""
    about = body.get("involvedObject") or {}
    if about.get("apiVersion") != API_VERSION:
        return ""
    at = body.get("lastTimestamp") or body.get("eventTime") or body.get("firstTimestamp") or "-"
    namespace = f"{about['namespace']}/" if about.get("namespace") else ""
    what = f"{about.get('kind')} {namespace}{about.get('name')}"
    return redact(f"{at} {what} {body.get('reason')}: {body.get('message')}")


async def _pods(
    api: CallerApi, operator: Operator, missing: list[str]
) -> AsyncIterator[dict[str, Any]]:
    read: Callable[[Object], Object] = dict
    try:
        found = await list_all(api, PODS, operator.namespace, read, LABELS)
    except CommandError as error:
        missing.append(f"pods of {operator.where}: {error}")
        return
    for pod in found:
        yield pod


def _container(pod: Object) -> str:
    """The operator's container: the chart's name, else the first one."""
    names = [str(each["name"]) for each in pod["spec"]["containers"]]
    return "operator" if "operator" in names else names[0]


def _port(pod: Object) -> int:
    """The port of the health endpoints."""
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name") == "http":
                return int(port["containerPort"])
    return 8080


async def _lines(api: CallerApi, path: str, what: str, missing: list[str]) -> list[str]:
    try:
        lines = (await api.text(path)).splitlines()
    except ApiError as error:
        missing.append(f"{what}: {error}")
        return []
    shown = (
        line if len(line) <= _LONGEST_LINE else f"[a line of {len(line)} characters]"
        for line in lines
    )
    return redact("\n".join(shown)).splitlines()
