"""`artifact-index resume`: go on with suspended indexes or files."""

import argparse
from typing import Any

from artifact_index.cli.cluster.flags import add_change_flags
from artifact_index.cli.console import Exit


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "resume",
        help="go on with suspended indexes or files",
        description="Remove spec.suspend: the operator goes on with what `artifact-index suspend` "
        "stopped, and repairs what has changed meanwhile. Needs the ClusterRole edit.",
    )
    add_change_flags(parser)
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> Exit:
    """Print what became of each object."""
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.cluster.changes import finish, set_suspended  # noqa: PLC0415 - slow

    return finish(asyncio.run(set_suspended(chosen, suspend=False)), chosen)
