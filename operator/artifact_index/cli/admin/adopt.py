"""`artifact-index adopt`: hand a Secret or ConfigMap that was there before over to an output."""

import argparse
from typing import Any

from artifact_index.cli.cluster.flags import add_cluster_flags
from artifact_index.cli.console import Exit, add_output_flags


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "adopt",
        help="hand an existing Secret or ConfigMap over to an IndexOptions",
        description="Tell which keys of a Secret or ConfigMap would be replaced or removed if it "
        "became an output of an IndexOptions or a ClusterIndexOptions, and with --yes consent to "
        "it, by the annotation artifactindex.dev/adopt. Values are never printed. Exits with 1 if "
        "the operator would refuse the object.",
    )
    parser.add_argument("object", metavar="KIND/NAME", help="secret/NAME or configmap/NAME")
    parser.add_argument(
        "--options",
        required=True,
        metavar="[KIND/]NAME",
        help="the IndexOptions that is to own it, or clusterindexoptions/NAME",
    )
    parser.add_argument("--yes", action="store_true", help="consent; without it nothing changes")
    add_cluster_flags(parser, all_namespaces=False)
    add_output_flags(parser, "text", "json", "yaml")
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> Exit:
    """Print what becomes of the object."""
    import asyncio  # noqa: PLC0415 - slow

    from artifact_index.cli.admin.adoption import adopt  # noqa: PLC0415 - slow
    from artifact_index.cli.cluster.changes import finish  # noqa: PLC0415 - slow

    return finish(asyncio.run(adopt(chosen)), chosen)
