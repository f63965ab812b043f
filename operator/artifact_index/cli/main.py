"""`artifact-index`: parse the command line and execute one command."""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Final

from artifact_index import __version__
from artifact_index.cli.console import CommandError, Parser, printable

COMMANDS: Final = (
    "run", "crds", "preflight", "status", "why", "refresh", "suspend", "resume", "adopt", "check",
    "render", "fresh", "kubeconfig", "report", "version", "completion",
)  # fmt: skip
"""In the order of --help. Each is a module whose `register` adds its parser."""

_FOLDERS: Final = {
    **dict.fromkeys(("preflight", "adopt", "kubeconfig", "report"), "admin"), "fresh": "builder",
}  # fmt: skip
"""The folder of a command's module, if it is not this one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status, which `console.Exit` lists."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete  # noqa: PLC0415 - only the shell asks for it

        argcomplete.autocomplete(parser_of())
    given = sys.argv[1:] if arguments is None else list(arguments)
    # `run` must not pay for the other commands: only the module of the given one is imported.
    chosen = parser_of(COMMANDS if given[:1] not in _EACH else given[:1]).parse_args(given)
    try:
        status: int = chosen.execute(chosen)
        sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(f"artifact-index {chosen.command}: {printable(str(error))}\n")
        return error.status
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough. The exit must not flush the rest again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


_EACH: Final = tuple([command] for command in COMMANDS)


def parser_of(commands: Iterable[str] = COMMANDS) -> Parser:
    """The parser of these commands."""
    parser = Parser(
        prog="artifact-index",
        description="Write a uv.toml for private package indexes and replace its short-lived "
        "tokens before they expire.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in commands:
        folder = f".{_FOLDERS[command]}" if command in _FOLDERS else ""
        import_module(f"artifact_index.cli{folder}.{command}").register(subparsers)
    return parser
