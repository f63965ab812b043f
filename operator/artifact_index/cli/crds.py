"""`artifact-index crds`: print the CustomResourceDefinitions."""

import argparse
import sys
from typing import Any


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "crds",
        help="print the CustomResourceDefinitions as YAML",
        description="Print the CustomResourceDefinitions of our kinds, for kubectl apply -f -.",
    )
    parser.set_defaults(execute=execute)


def execute(_chosen: argparse.Namespace) -> int:
    """Write the definitions to standard output as one YAML stream."""
    # `run` has no use for the generator, and should start without it.
    from artifact_index.crdgen.crd import KUSTOMIZATION_NAME, render_crds  # noqa: PLC0415

    for name, text in render_crds().items():
        if name != KUSTOMIZATION_NAME:
            sys.stdout.write(f"---\n{text}")
    return 0
