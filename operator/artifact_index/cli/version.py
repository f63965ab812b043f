"""`artifact-index version`: print the versions of this program and of what it contains."""

import argparse
import sys
from typing import Any

from artifact_index import __version__
from artifact_index.cli.console import Exit, add_output_flags, print_report


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "version",
        help="print the version",
        description="Print the version of this program and of the API that it knows.",
    )
    add_output_flags(parser, "text", "json", "yaml")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Print the versions."""
    from artifact_index.api.constants import API_VERSION  # noqa: PLC0415 - `--help` needs it not

    if chosen.output == "text":
        rows = ("client", __version__), ("definitions", API_VERSION)
        sys.stdout.write("".join(f"{name:12} {value}\n" for name, value in rows))
        return Exit.GOOD
    from artifact_index.cli.reports import VersionReport  # noqa: PLC0415 - slow

    print_report(VersionReport(client=__version__, definitions=API_VERSION), chosen.output)
    return Exit.GOOD
