"""What `artifact-index check --probe` does."""

import argparse
import asyncio
import sys

from artifact_index.api.constants import ARTIFACT_INDEX_KIND, CLUSTER_ARTIFACT_INDEX_KIND
from artifact_index.cli.cluster.connection import connected, namespace_of
from artifact_index.cli.cluster.objects import named
from artifact_index.cli.console import MARKS, CommandError, Exit, Painter, print_report
from artifact_index.cli.probe.indexes import probe
from artifact_index.cli.reports import IndexProbe, ProbeReport


def execute(chosen: argparse.Namespace) -> int:
    """Ask the indexes, and print what they answer. Raises CommandError."""
    if chosen.filename:
        raise CommandError("--probe asks indexes of a cluster: leave -f out", Exit.USAGE)
    if chosen.output not in ("text", "json", "yaml"):
        raise CommandError("--probe has no lines of files: -o text, json or yaml", Exit.USAGE)
    report = ProbeReport(indexes=asyncio.run(_ask(chosen)))
    if chosen.output == "text":
        _print(report.indexes, Painter(chosen))
    else:
        print_report(report, chosen.output)
    verdicts = {each.verdict for each in report.indexes}
    if "Bad" in verdicts or (chosen.strict and "Warning" in verdicts):
        return Exit.NOT_GOOD
    return Exit.UNKNOWN if "Unknown" in verdicts else Exit.GOOD


async def _ask(chosen: argparse.Namespace) -> list[IndexProbe]:
    namespace, wanted = namespace_of(chosen), {_index_of(text) for text in chosen.names}
    async with connected(chosen) as api:
        found = await probe(api, namespace, wanted, place=chosen.namespace, package=chosen.package)
    missing = wanted - {(each.object.kind, each.object.name) for each in found}
    if missing or not found:
        what = ", ".join(f"{kind} {name}" for kind, name in sorted(missing)) or "ArtifactIndex"
        where = f"namespace {namespace}" if namespace else "any namespace"
        step = f"`artifact-index status {f'-n {namespace}' if namespace else '-A'}` shows what is"
        if any(kind == CLUSTER_ARTIFACT_INDEX_KIND for kind, _ in missing):
            where, step = "the cluster", "`artifact-index status -A` shows what is"
        raise CommandError(f"there is no {what} in {where}: {step}", Exit.NOT_GOOD)
    return found


def _index_of(text: str) -> tuple[str, str]:
    """Kind and name of an index that an argument names. Raises CommandError."""
    try:
        kind, name = named(text)
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from None
    if kind not in (ARTIFACT_INDEX_KIND, CLUSTER_ARTIFACT_INDEX_KIND):
        how = "give NAME or clusterartifactindex/NAME"
        raise CommandError(f"{text} is no index: {how}", Exit.USAGE)
    return kind, name


def _print(indexes: list[IndexProbe], paint: Painter) -> None:
    for each in indexes:
        step = f"\n    → {each.next_step}" if each.next_step else ""
        where = each.object.path
        if not each.object.namespace:
            where = each.object.text + (f" in {each.file.path}" if each.file is not None else "")
        mark = paint(*MARKS[each.verdict])
        took = f" ({each.milliseconds} ms)" if each.milliseconds is not None else ""
        sys.stdout.write(f"{mark} {where}  {each.message}{took}{step}\n")
