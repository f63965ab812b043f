"""Reads the report of `artifact-index status`, once or again and again."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

from artifact_index.cli.cluster.caller_api import CallerApi
from artifact_index.cli.cluster.connection import connected, list_all, list_objects, namespace_of
from artifact_index.cli.cluster.objects import Observed, named
from artifact_index.cli.cluster.operators import operators
from artifact_index.cli.cluster.pods import PODS, status_of, uses_of, written_at
from artifact_index.cli.cluster.status import report_of
from artifact_index.cli.console import CommandError, Exit
from artifact_index.cli.reports import ObjectRef, OperatorVersion, PodStatus, StatusReport
from artifact_index.kube.errors import ApiError
from artifact_index.kube.resources import ARTIFACT_INDEXES, CONFIG_MAPS, INDEX_OPTIONS, SECRETS

READ_EVERY: Final = 2.0
"""Seconds between two looks of `--watch`."""


async def read(api: CallerApi, chosen: argparse.Namespace) -> tuple[StatusReport, float]:
    """The report, and when it was made in POSIX seconds. Raises CommandError."""
    namespace = namespace_of(chosen)
    indexes = await list_objects(api, ARTIFACT_INDEXES, namespace, chosen.selector)
    options = await list_objects(api, INDEX_OPTIONS, namespace, chosen.selector)
    if chosen.objects:
        indexes, options = _only(chosen, indexes, options)
    now = time.time()
    report = report_of(indexes, options, now)
    more: dict[str, object] = {"operators": await _operators(api, namespace)}
    if chosen.pods:
        more["pods"] = await _pods(api, namespace, report, now)
    return report.model_copy(update=more), now


async def _operators(api: CallerApi, namespace: str | None) -> list[OperatorVersion] | None:
    """Those that serve a namespace, or any; None for a caller who may not list Deployments."""
    try:
        found = await operators(api, None)
    except ApiError:
        return None
    return [
        each.told
        for each in found
        if namespace is None or not each.namespaces or namespace in each.namespaces
    ]


def _only(
    chosen: argparse.Namespace, indexes: list[Observed], options: list[Observed]
) -> tuple[list[Observed], list[Observed]]:
    """Those that the arguments name. Raises CommandError."""
    if chosen.all_namespaces:
        raise CommandError("-A shows all; for names give one namespace with -n", Exit.USAGE)
    try:
        wanted = {named(text) for text in chosen.objects}
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from None
    if missing := wanted - {(each.kind, each.name) for each in (*indexes, *options)}:
        names = ", ".join(sorted(f"{kind} {name}" for kind, name in missing))
        step = "without names this command shows what there is"
        raise CommandError(f"there is no {names}; {step}", Exit.NOT_GOOD)
    return (
        [each for each in indexes if (each.kind, each.name) in wanted],
        [each for each in options if (each.kind, each.name) in wanted],
    )


async def _pods(
    api: CallerApi, namespace: str | None, report: StatusReport, now: float
) -> list[PodStatus]:
    outputs = {
        ObjectRef(kind=kind, namespace=each.namespace, name=name)
        for each in report.files
        for kind, _, name in [each.file.partition("/")]
    }
    found = await list_all(api, PODS, namespace, lambda pod: uses_of(pod, outputs))
    uses = [use for of_pod in found for use in of_pod]
    used = list(dict.fromkeys(use.object for use in uses))
    times = await asyncio.gather(*(_written(api, each) for each in used))
    written = dict(zip(used, times, strict=True))
    return [status_of(use, written[use.object], now) for use in uses]


async def _written(api: CallerApi, ref: ObjectRef) -> int | None:
    resource = SECRETS if ref.kind == SECRETS.kind else CONFIG_MAPS
    try:
        return written_at(await api.metadata(resource, ref.namespace, ref.name))
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
            state = (report.operators, report.files, report.indexes, problems, pods)
            if sys.stdout.isatty():
                sys.stdout.write("\033[H\033[2J")
                show(report, now)
            elif state != seen:
                sys.stdout.write("\n" if seen is not None else "")
                show(report, now)
            sys.stdout.flush()
            seen = state
            await asyncio.sleep(READ_EVERY)
