"""The command line: one module for each command."""

from artifact_index.cli.main import main

__all__ = ["main"]
