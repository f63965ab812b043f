"""The command line, with one module per command."""

from artifact_index.cli.main import main

__all__ = ["main"]
