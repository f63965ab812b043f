"""`artifact-index`: parse the command line and hand over to the command."""

import argparse
import sys
from collections.abc import Sequence

from artifact_index import __version__
from artifact_index.cli import crds, run

_COMMANDS = (run, crds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 well, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="artifact-index",
        description="Keep uv.toml and its short-lived index credentials complete and fresh.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.register(commands)
    chosen = parser.parse_args(arguments)
    status: int = chosen.execute(chosen)
    sys.stdout.flush()
    return status
