"""`artifact-index version`: the versions of this program, of the cluster and of its operators."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from artifact_index import __version__
from artifact_index.cli.cluster.flags import add_cluster_flags
from artifact_index.cli.console import Exit, add_output_flags, print_report

if TYPE_CHECKING:
    from artifact_index.cli.reports import VersionReport


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "version",
        help="print the versions of this program and of the operator",
        description="Print the version of this program and of the API that it knows and, if a "
        "cluster is configured, of the cluster and its operators, with a warning where they "
        "differ. Listing operators needs `list` on deployments; -n names their namespace.",
    )
    parser.add_argument("--client", action="store_true", help="ask no cluster")
    add_cluster_flags(
        parser, all_namespaces=False, namespace="look for operators here; default: everywhere"
    )
    add_output_flags(parser, "text", "json", "yaml")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Print the versions."""
    from artifact_index.api.constants import API_VERSION  # noqa: PLC0415 - `--help` needs it not

    own = ("client", __version__), ("definitions", API_VERSION)
    if chosen.client and chosen.output == "text":
        _print(own)
        return Exit.GOOD
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.admin.versions import versions  # noqa: PLC0415 - slow

    report, problem = asyncio.run(versions(chosen))
    if chosen.output == "text":
        _print((*own, *_rows(report)))
    else:
        print_report(report, chosen.output)
    for warning in _warnings(report):
        sys.stderr.write(f"artifact-index version: {warning}\n")
    if problem is None:
        return Exit.GOOD
    sys.stderr.write(f"artifact-index version: {problem}\n")
    return Exit.UNKNOWN


def _rows(report: "VersionReport") -> list[tuple[str, str]]:
    rows = [] if report.server is None else [("server", report.server)]
    if report.served is not None:
        rows.append(("served", ", ".join(report.served) or "nothing"))
    for each in report.operators or ():
        state = "ready" if each.ready else "not ready"
        where = f"{each.namespace}/{each.name}"
        rows.append(("operator", f"{each.version or 'unknown'}  {where}  {state}"))
    return rows


def _warnings(report: "VersionReport") -> list[str]:
    """What differs, with the next step."""
    found = []
    if report.served is not None and report.definitions not in report.served:
        step = "`artifact-index crds | kubectl apply --server-side -f -` installs it"
        found.append(f"the cluster does not serve {report.definitions}: {step}")
    for each in report.operators or ():
        if each.version != report.client:
            found.append(
                f"operator {each.namespace}/{each.name} is {each.version or 'unknown'}, this "
                f"program {report.client}: `helm upgrade` it, or install the same version here"
            )
    return found


def _print(rows: "tuple[tuple[str, str], ...]") -> None:
    sys.stdout.write("".join(f"{name:12} {value}\n" for name, value in rows))
