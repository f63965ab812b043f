"""What `artifact-index check --probe` does."""

import argparse
import asyncio
import sys

from artifact_index.cli.cluster.connection import connected, namespace_of
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
    namespace = namespace_of(chosen)
    async with connected(chosen) as api:
        found = await probe(api, namespace, chosen.names, package=chosen.package)
    missing = set(chosen.names) - {each.object.name for each in found}
    if missing or not found:
        what = f"ArtifactIndex {', '.join(sorted(missing))}" if missing else "ArtifactIndex"
        where = f"namespace {namespace}" if namespace else "any namespace"
        step = f"`artifact-index status {f'-n {namespace}' if namespace else '-A'}` shows what is"
        raise CommandError(f"there is no {what} in {where}: {step}", Exit.NOT_GOOD)
    return found


def _print(indexes: list[IndexProbe], paint: Painter) -> None:
    for each in indexes:
        step = f"\n    → {each.next_step}" if each.next_step else ""
        where = f"{each.object.namespace}/{each.object.name}"
        mark = paint(*MARKS[each.verdict])
        took = f" ({each.milliseconds} ms)" if each.milliseconds is not None else ""
        sys.stdout.write(f"{mark} {where}  {each.message}{took}{step}\n")
