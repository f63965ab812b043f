"""`artifact-index refresh`: request new tokens now."""

import argparse
from typing import Any

from artifact_index.cli.cluster.flags import add_change_flags, seconds
from artifact_index.cli.console import Exit


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "refresh",
        help="request new tokens now",
        description="Request new tokens for indexes, or for all indexes of a file. Failing logins "
        "are tried again at once, and Secrets are read again. A login gets at most one new token a "
        "minute this way, so a second request may wait that long. Exits with 1 if the operator "
        "refuses, and with 4 if --wait runs out of time. Needs the ClusterRole edit.",
    )
    add_change_flags(parser)
    parser.add_argument("--wait", action="store_true", help="wait for the new tokens")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=120.0,
        metavar="DURATION",
        help="let --wait take this long; default: 2m",
    )
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> Exit:
    """Print how each request went."""
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.cluster.changes import finish  # noqa: PLC0415 - slow
    from artifact_index.cli.cluster.refresh import refresh  # noqa: PLC0415 - slow

    return finish(asyncio.run(refresh(chosen)), chosen)
