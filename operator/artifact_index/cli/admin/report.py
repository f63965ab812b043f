"""`artifact-index report`: everything that an issue about the operator needs, redacted."""

import argparse
import sys
from typing import Any

from artifact_index.cli.cluster.flags import add_cluster_flags
from artifact_index.cli.console import Exit, add_output_flags, print_report


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "report",
        help="write what an issue about the operator needs, redacted",
        description="Write versions, the operator's flags and Lease, conditions and events of "
        "our kinds, the last lines of its log and its metrics as one document. No Secret and no "
        "spec is read, and every text goes through the redaction of the operator's log; names of "
        "objects, hosts and accounts stay, so read it before you publish it. What you may not "
        "read is listed in it as missing.",
    )
    add_cluster_flags(parser)
    parser.add_argument(
        "--operator-namespace",
        metavar="NAME",
        help="look for the operator here; default: everywhere",
    )
    parser.add_argument(
        "--lines", type=int, default=200, metavar="N", help="lines of the log; default: 200"
    )
    add_output_flags(parser, "yaml", "json")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Write the report."""
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.admin.collecting import collect  # noqa: PLC0415 - slow

    report = asyncio.run(collect(chosen))
    print_report(report, chosen.output)
    for each in report.missing:
        sys.stderr.write(f"artifact-index report: missing: {each}\n")
    return Exit.GOOD
