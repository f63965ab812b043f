"""What all commands share: exit statuses, errors, colour, tables, and reports as JSON or YAML."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any, Final

_COLOURS: Final = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}

MARKS: Final = {
    "Good": ("green", "✓"), "Warning": ("yellow", "!"), "Bad": ("red", "✗"),
    "Unknown": ("yellow", "?"),
}  # fmt: skip
"""Colour and mark of each verdict of a report."""


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


class Parser(argparse.ArgumentParser):
    """argparse, whose refusal of an unknown command, flag or choice names the nearest one.

    An abbreviation is unknown: it may be the whole name of a flag of another command.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse unknown flags here, where those of the command are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            flags = [each for each in unknown if each.startswith("-")]
            meant = "".join(did_you_mean(each, self._option_string_actions) for each in flags)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += did_you_mean(str(value), action.choices or ())
            raise


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """The end of a message on an unknown name: the nearest of those that there are, if any is."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    meant = get_close_matches(text.partition("=")[0], list(names), 1)
    return f"; did you mean {meant[0]}?" if meant else ""


def printable(text: str) -> str:
    """The text on one line, with each control character as its escape.

    A terminal would obey it, and a CI system a line that begins with a command. Names and messages
    may come from whoever wrote the manifest or the status.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


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


def table(head: Sequence[str], rows: Sequence[Sequence[str]], painted: Callable[[str], str]) -> str:
    """Columns under a head, aligned as kubectl does.

    `painted` may colour the text of a cell.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["   ".join(text.ljust(width) for text, width in zip(head, widths, strict=True))]
    for row in rows:
        cells = [
            painted(text) + " " * (width - len(text))
            for text, width in zip(row, widths, strict=True)
        ]
        lines.append("   ".join(cells))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def duration(seconds: float) -> str:
    """A length of time in two units at most, such as `11h45m`; below zero it is `0s`."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return "".join(parts[:2]) or "0s"


def show_progress(text: str) -> None:
    """Replace the line of progress on the terminal; an empty text removes it.

    It goes to standard error, and nowhere if that is no terminal.
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def print_report(report: Any, output: str) -> None:
    """Print a model of `reports` as JSON or YAML."""
    content = report.model_dump(mode="json", by_alias=True)
    if output == "json":
        sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        return
    import yaml  # noqa: PLC0415 - tables need no YAML

    yaml.safe_dump(content, sys.stdout, sort_keys=False, width=100, allow_unicode=True)
