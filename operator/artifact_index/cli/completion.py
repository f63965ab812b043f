"""`artifact-index completion`: print the script that completes the command line in a shell."""

import argparse
import sys
from typing import Any

from artifact_index.cli.console import Exit


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "completion",
        help="print a script that completes commands and flags in a shell",
        description="Print a script for your shell. bash: source <(artifact-index completion "
        "bash); zsh: the same, after compinit; fish: artifact-index completion fish | source.",
    )
    parser.add_argument("shell", metavar="bash|zsh|fish", choices=("bash", "zsh", "fish"))
    parser.set_defaults(execute=execute)


def execute(chosen: argparse.Namespace) -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - slow

    script = shellcode(["artifact-index"], shell=chosen.shell)
    sys.stdout.write(f"{script.strip()}\n")
    return Exit.GOOD
