"""What all commands share: exit statuses, errors, colour, tables, and reports as JSON or YAML."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from itertools import zip_longest
from typing import Any, Final

REPORT_VERSION: Final = "cli.artifactindex.dev/v1"
"""The `apiVersion` of every report. A field is only ever added to one."""

_COLOURS: Final = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


class Exit(IntEnum):
    """The exit statuses, which mean the same for every command."""

    GOOD = 0
    """The answer is good."""
    NOT_GOOD = 1
    """The answer is not good: not ready, invalid, different, expired."""
    USAGE = 2
    """Wrong usage, or a file that cannot be read."""
    UNKNOWN = 3
    """It could not be found out: no API server, no permission, no cloud."""
    TIMED_OUT = 4
    """`--wait` ran out of time."""


class CommandError(Exception):
    """A command cannot give its answer; the message ends in the next step."""

    def __init__(self, message: str, status: Exit) -> None:
        super().__init__(message)
        self.status = status


class Painter:
    """Colours text, if there is a terminal that wants it."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self._colour = (
            sys.stdout.isatty()
            and not chosen.no_color
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )

    def __call__(self, colour: str, text: str) -> str:
        """The text in this colour, one of `_COLOURS`."""
        return f"\033[{_COLOURS[colour]}m{text}\033[0m" if self._colour and text else text


def add_output_flags(parser: argparse.ArgumentParser, *formats: str) -> None:
    """Add `-o`, whose first format is the default, and `--no-color`."""
    parser.add_argument(
        "-o",
        "--output",
        choices=formats,
        default=formats[0],
        help=f"print the answer in this form; default: {formats[0]}",
    )
    parser.add_argument(
        "--no-color",
        action="store_true",
        help="print no colours, as without a terminal or with NO_COLOR",
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], painted: Any = None) -> str:
    """Columns under a head, aligned as kubectl does.

    `painted(column, text)` may colour a cell, which must not change its place.
    """
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    paint = painted or (lambda column, text: text)
    text = ""
    for line in lines:
        cells = [
            (paint(name, cell) if line is not head else cell) + " " * (width - len(cell))
            for name, cell, width in zip(head, line, widths, strict=True)
        ]
        text += "   ".join(cells).rstrip() + "\n"
    return text


def print_report(kind: str, content: dict[str, Any], output: str) -> None:
    """Print an answer as an object with a kind and a version, in JSON or YAML."""
    report = {"apiVersion": REPORT_VERSION, "kind": kind, **content}
    if output == "json":
        sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        return
    import yaml  # noqa: PLC0415 - tables need no YAML

    yaml.safe_dump(report, sys.stdout, sort_keys=False, width=100, allow_unicode=True)
