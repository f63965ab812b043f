"""Reads the report of `artifact-index status`, once or again and again."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.choice import RESOURCES
from artifact_index.cli.cluster.connection import (
    connected,
    list_all,
    list_of_cluster_scope,
    list_ours,
    namespace_of,
)
from artifact_index.cli.cluster.leases import lease_of
from artifact_index.cli.cluster.objects import Observed, named
from artifact_index.cli.cluster.operators import Operator, operators
from artifact_index.cli.cluster.pods import (
    PODS,
    is_output,
    outputs_in,
    status_of,
    uses_of,
    written_at,
)
from artifact_index.cli.cluster.status import report_of
from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.reports import (
    FileStatus,
    ObjectRef,
    OperatorVersion,
    PodStatus,
    StatusReport,
)
from artifact_index.kube.errors import ApiError
from artifact_index.kube.port import Object
from artifact_index.kube.resources import CONFIG_MAPS, SECRETS

READ_EVERY: Final = 2.0
"""Seconds between two looks of `--watch`."""


async def read(api: CallerApi, chosen: argparse.Namespace) -> tuple[StatusReport, float]:
    """The report, and when it was made in POSIX seconds. Raises CommandError."""
    namespace, wanted = namespace_of(chosen), _wanted(chosen)
    of_cluster = [not RESOURCES[kind].namespaced for kind, _ in wanted]
    indexes, options = await list_ours(api, namespace, chosen.selector, of_cluster=any(of_cluster))
    if wanted:
        indexes, options = _only(wanted, indexes, options)
    now = time.time()
    report = report_of(indexes, options, now)
    more: dict[str, object] = {"operators": await _operators(api, namespace)}
    if chosen.pods:
        files = report.files
        if not wanted and namespace is not None:
            others = (await list_of_cluster_scope(api, chosen.selector))[1]
            files = [*files, *report_of([], others, now).files]
        everywhere = wanted and all(of_cluster) and not chosen.namespace
        more["pods"] = await _pods(api, None if everywhere else namespace, files, now)
    return report.model_copy(update=more), now


async def _operators(api: CallerApi, namespace: str | None) -> list[OperatorVersion] | None:
    """Those that serve a namespace, or any; None for a caller who may not list Deployments."""
    try:
        found = await operators(api, None)
    except ApiError:
        return None
    return [
        await _with_leader(api, each)
        for each in found
        if namespace is None or not each.namespaces or namespace in each.namespaces
    ]


async def _with_leader(api: CallerApi, operator: Operator) -> OperatorVersion:
    """What reports say of an operator, and of its replicas where the caller may read the Lease."""
    if not operator.elects:
        return operator.told
    try:
        leader = (await lease_of(api, operator)).leader(time.time())
    except ApiError:
        return operator.told
    standbys = max(0, operator.ready_replicas - bool(leader))
    return operator.told.model_copy(update={"leader": leader, "standbys": standbys})


def _wanted(chosen: argparse.Namespace) -> set[tuple[str, str]]:
    """Kind and name of what the arguments name; nothing names all. Raises CommandError."""
    if chosen.objects and chosen.all_namespaces:
        raise CommandError("-A shows all; for names give one namespace with -n", Exit.USAGE)
    try:
        return {named(text) for text in chosen.objects}
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from None


def _only(
    wanted: set[tuple[str, str]], indexes: list[Observed], options: list[Observed]
) -> tuple[list[Observed], list[Observed]]:
    """Those that are named. Raises CommandError."""
    if missing := wanted - {(each.kind, each.name) for each in (*indexes, *options)}:
        names = ", ".join(sorted(f"{kind} {name}" for kind, name in missing))
        step = "without names this command shows what there is"
        raise CommandError(f"there is no {names}; {step}", Exit.NOT_GOOD)
    return (
        [each for each in indexes if (each.kind, each.name) in wanted],
        [each for each in options if (each.kind, each.name) in wanted],
    )


async def _pods(
    api: CallerApi, namespace: str | None, files: list[FileStatus], now: float
) -> list[PodStatus]:
    """The pods that use these files, in a namespace or in all. Raises CommandError."""
    outputs = outputs_in(files)
    found = await list_all(api, PODS, namespace, lambda pod: uses_of(pod, outputs))
    uses = [use for of_pod in found for use in of_pod]
    used = list(dict.fromkeys(use.object for use in uses))
    read = await asyncio.gather(*(_metadata(api, each) for each in used))
    known = dict(zip(used, read, strict=True))
    return [
        status_of(use, written_at(metadata), now)
        for use in uses
        for metadata in [known[use.object]]
        if is_output(use.object, metadata, outputs)
    ]


async def _metadata(api: CallerApi, ref: ObjectRef) -> Object | None:
    resource = SECRETS if ref.kind == SECRETS.kind else CONFIG_MAPS
    try:
        return await api.metadata(resource, ref.namespace, ref.name)
    except ApiError:
        return None


async def watch(
    chosen: argparse.Namespace, show: Callable[[StatusReport, float], None]
) -> NoReturn:
    """Show the report now and after each change, until the user interrupts. Raises CommandError."""
    seen: object = None
    async with connected(chosen) as api:
        while True:
            report, now = await read(api, chosen)
            problems = [(each.object, each.reason) for each in report.problems]
            pods = [(each.pod, each.output, each.use, each.token) for each in report.pods]
            state = (
                report.operators, report.waiting, report.files, report.indexes, problems, pods
            )  # fmt: skip
            if sys.stdout.isatty():
                sys.stdout.write("\033[H\033[2J")
                show(report, now)
            elif state != seen:
                sys.stdout.write("\n" if seen is not None else "")
                show(report, now)
            sys.stdout.flush()
            seen = state
            await asyncio.sleep(READ_EVERY)
