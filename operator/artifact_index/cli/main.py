"""`artifact-index`: parse the command line and execute one command."""

import argparse
import sys
from collections.abc import Sequence

from artifact_index import __version__
from artifact_index.cli import crds, run

_COMMANDS = (run, crds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 success, 1 failure, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="artifact-index",
        description="Write a uv.toml for private package indexes and replace its short-lived "
        "tokens before they expire.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.register(commands)
    chosen = parser.parse_args(arguments)
    status: int = chosen.execute(chosen)
    sys.stdout.flush()
    return status
