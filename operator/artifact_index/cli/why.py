"""`artifact-index why`: why one index or file is not as it should be, to the root."""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from artifact_index.cli.cluster.flags import add_cluster_flags
from artifact_index.cli.console import (
    CommandError,
    Exit,
    Painter,
    add_output_flags,
    print_report,
)

if TYPE_CHECKING:
    from artifact_index.cli.reports import WhyReport


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "why",
        help="find the root of what is wrong with an index or a file",
        description="Tell what holds of one object and what is wrong with it. A consequence is "
        "followed to the object that causes it. A remedy ends each root: that of the message, or "
        "the reference's.",
    )
    parser.add_argument(
        "object", metavar="[KIND/]NAME", help="an ArtifactIndex, or such as indexoptions/NAME"
    )
    add_cluster_flags(parser, all_namespaces=False)
    add_output_flags(parser, "text", "json", "yaml")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Print the roots; 1 if one is an error."""
    import asyncio  # noqa: PLC0415 - slow

    report = asyncio.run(_read(chosen))
    if chosen.output == "text":
        _print(report, Painter(chosen))
    else:
        print_report(report, chosen.output)
    bad = any(root.severity == "error" for root in report.roots)
    return Exit.NOT_GOOD if bad else Exit.GOOD


async def _read(chosen: argparse.Namespace) -> "WhyReport":
    from artifact_index.cli.cluster.choice import RESOURCES  # noqa: PLC0415 - slow
    from artifact_index.cli.cluster.connection import (  # noqa: PLC0415 - slow
        connected,
        list_objects,
        list_of_cluster_scope,
        namespace_of,
    )
    from artifact_index.cli.cluster.objects import named, unready_indexes  # noqa: PLC0415 - slow
    from artifact_index.cli.cluster.why import report_of  # noqa: PLC0415 - slow
    from artifact_index.kube.resources import (  # noqa: PLC0415 - slow
        ARTIFACT_INDEXES,
        CLUSTER_ARTIFACT_INDEXES,
        CLUSTER_INDEX_OPTIONS,
        INDEX_OPTIONS,
    )

    try:
        kind, name = named(chosen.object)
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from None
    resource = RESOURCES[kind]
    namespace = namespace_of(chosen) if resource.namespaced else None
    of_index, of_options = (ARTIFACT_INDEXES, INDEX_OPTIONS)
    if not resource.namespaced:
        of_index, of_options = (CLUSTER_ARTIFACT_INDEXES, CLUSTER_INDEX_OPTIONS)
    async with connected(chosen) as api:
        indexes = await list_objects(api, of_index, namespace)
        options = await list_objects(api, of_options, namespace)
        of_kind = indexes if resource == of_index else options
        for each in of_kind:
            if each.name != name:
                continue
            unready = {kind for kind, _ in unready_indexes(each)}
            if resource.namespaced and CLUSTER_ARTIFACT_INDEXES.kind in unready:
                indexes += (await list_of_cluster_scope(api))[0]
            return report_of(each, indexes, options, time.time())
    names = ", ".join(each.name for each in of_kind[:10]) or "none"
    hint = ""
    if other := next((each for each in (*indexes, *options) if each.name == name), None):
        hint = f"; did you mean artifact-index why {other.arguments}"
    where = f" in namespace {namespace}" if namespace is not None else ""
    raise CommandError(f"there is no {kind} {name}{where}; there are: {names}{hint}", Exit.NOT_GOOD)


def _print(report: "WhyReport", paint: Painter) -> None:
    for fact in report.holds:
        sys.stdout.write(f"{paint('green', '✓')} {fact}\n")
    for root in report.roots:
        colour, mark = ("red", "✗") if root.severity == "error" else ("yellow", "!")
        since = f" since {root.since}" if root.since else ""
        sys.stdout.write(f"{paint(colour, mark)} {root.object.text}: {root.reason}{since}\n")
        sys.stdout.write(f"    {root.message}\n")
        if root.meaning and root.remedy:
            sys.stdout.write(f"    {root.meaning}\n    → {root.remedy}\n")
