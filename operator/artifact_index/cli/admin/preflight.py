"""`artifact-index preflight`: find out before and after the install what would go wrong."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from artifact_index.cli.cluster.flags import add_cluster_flags, seconds
from artifact_index.cli.console import (
    MARKS,
    CommandError,
    Exit,
    Painter,
    add_output_flags,
    duration,
    print_report,
    show_progress,
)

if TYPE_CHECKING:
    from artifact_index.cli.reports import PreflightReport, Verdict

_LOOK_AGAIN: Final = 2.0
"""Seconds between two looks of `--wait`."""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "preflight",
        help="find out whether a cluster is ready for the operator, and the operator for work",
        description="Look at the API server, the definitions, the operator's Deployment and its "
        "permissions, and whether its metrics are scraped; with --pre, before an install, at what "
        "the chart needs. Nothing is changed. "
        "Exits with 1 if something is bad, with 3 if something could not be found out, and with 4 "
        "if --wait ran out of time. An administrator's rights find out most; "
        "`kubectl exec -n artifact-index-system deploy/artifact-index-operator -- artifact-index "
        "preflight --in-cluster` asks with the operator's own.",
    )
    add_cluster_flags(
        parser,
        all_namespaces=False,
        namespace="the operator's namespace; default: wherever its Deployment is found, and for "
        "--pre artifact-index-system",
    )
    parser.add_argument("--pre", action="store_true", help="look at what an install needs")
    parser.add_argument(
        "--namespaces",
        metavar="NAMES",
        help="the operator serves, or is to serve, only these, separated by commas",
    )
    parser.add_argument(
        "--values",
        metavar="FILE",
        help="the chart's values for this cluster: take the namespaces from them and, with --pre, "
        "look for the kinds that they need",
    )
    parser.add_argument(
        "--in-cluster",
        action="store_true",
        help="the login is the operator's own: ask for its permissions, and not for its Deployment",
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="ask the clouds of the indexes from this machine, too, and each index with the login "
        "in its file, as `check --probe` does",
    )
    parser.add_argument(
        "--clouds",
        metavar="NAMES",
        help="with --probe ask these clouds besides, such as aws:eu-west-1,google: before an "
        "install there are no indexes",
    )
    parser.add_argument(
        "--wait", type=seconds, metavar="DURATION", help="wait this long until all is good"
    )
    add_output_flags(parser, "text", "json", "yaml")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Print the findings."""
    import asyncio  # noqa: PLC0415 - slow

    if chosen.clouds and not chosen.probe:
        raise CommandError("--clouds goes with --probe, which asks them", Exit.USAGE)
    report, waited = asyncio.run(_look(chosen))
    if chosen.output == "text":
        _print(report, Painter(chosen))
    else:
        print_report(report, chosen.output)
    return _status({each.verdict for each in report.findings}, waited=waited)


def _status(verdicts: "set[Verdict]", *, waited: bool) -> Exit:
    if "Bad" in verdicts:
        return Exit.TIMED_OUT if waited else Exit.NOT_GOOD
    return Exit.UNKNOWN if "Unknown" in verdicts else Exit.GOOD


async def _look(chosen: argparse.Namespace) -> "tuple[PreflightReport, bool]":
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.admin.readiness import look  # noqa: PLC0415 - slow
    from artifact_index.cli.cluster.connection import connected  # noqa: PLC0415 - slow

    clock = asyncio.get_running_loop().time
    deadline = clock() + (chosen.wait or 0)
    async with connected(chosen) as api:
        while True:
            report = await look(api, chosen)
            left = deadline - clock()
            if left <= 0 or all(each.verdict != "Bad" for each in report.findings):
                break
            bad = sum(each.verdict == "Bad" for each in report.findings)
            show_progress(f"{bad} not good yet; giving up in {duration(left)}")
            await asyncio.sleep(min(_LOOK_AGAIN, left))
    show_progress("")
    return report, chosen.wait is not None


def _print(report: "PreflightReport", paint: Painter) -> None:
    for each in report.findings:
        mark = paint(*MARKS[each.verdict])
        step = f" → {each.next_step}" if each.next_step else ""
        sys.stdout.write(f"{mark} {each.message}{step}\n")
