"""`artifact-index suspend`: stop work on indexes or files."""

import argparse
from typing import Any

from artifact_index.cli.cluster.flags import add_change_flags
from artifact_index.cli.console import Exit


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "suspend",
        help="stop requesting tokens for indexes, or writing files",
        description="Set spec.suspend. No token is requested for a suspended ArtifactIndex, and "
        "its entry stays until its token is withdrawn; the files of a suspended IndexOptions are "
        "neither written nor repaired. What applies manifests from Git may undo it. Needs the "
        "ClusterRole edit.",
    )
    add_change_flags(parser)
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> Exit:
    """Print what became of each object."""
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.cluster.changes import finish, set_suspended  # noqa: PLC0415 - slow

    return finish(asyncio.run(set_suspended(chosen, suspend=True)), chosen)
