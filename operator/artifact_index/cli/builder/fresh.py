"""`artifact-index fresh`: tell inside a builder pod whether its logins last as long as the build.

This file is also a program of its own, for images without the package: `--print-script` prints it.
So it imports the standard library alone, and only what Python 3.8 has. It reads files and
variables, and asks no API server. What it prints never holds a login.
"""

from __future__ import annotations

import argparse
import calendar
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

GOOD, NOT_GOOD, USAGE, TIMED_OUT = 0, 1, 2, 4

VARIABLE = "ARTIFACT_INDEX_EXPIRES"
"""The variable, or the key of a Secret, that has the lines of an output of variables."""
CLIENT_VARIABLES = ("UV_CONFIG_FILE", "PIP_CONFIG_FILE", "PDM_CONFIG_FILE", "NETRC")
"""The variables by which clients find their file."""

_LINE = re.compile(r"^# ([a-z0-9-]+): (?:until (\S+)|no expiry known|(unavailable))$", re.M)
_NO_LOGINS = re.compile(r"^# no logins$", re.M)
_BLOCKED_URL = re.compile(r"https://([a-z0-9-]+)\.unavailable\.invalid/")
_NO_INDEX = "no-index"  # the host in PDM's file without any index, which nobody has blocked
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_clock = time.time
_POLL = 1.0
"""Seconds between two looks at a file that the kubelet is to replace."""


class UnreadableError(Exception):
    """No file of the operator where one should be; the message ends in the next step."""


class Life(NamedTuple):
    """How long the login of one index is good; `expires_at` in POSIX seconds, if it is known."""

    name: str
    expires_at: int | None = None
    blocked: bool = False


class Verdict(NamedTuple):
    """What `fresh` says of one index. `left` are the seconds until its login expires."""

    name: str
    state: str
    expires_at: int | None = None
    left: int | None = None


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "fresh",
        help="tell inside a builder pod whether its logins last as long as the build",
        description=_DESCRIPTION,
    )
    _add_flags(parser)
    parser.set_defaults(execute=execute)


_DESCRIPTION = (
    "Tell whether the logins of mounted files last for a build. The files say so themselves: "
    "neither the API server nor a cloud is asked, and no login is printed. Exits with 1 if a login "
    "is too short, or if an index is blocked."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program of its own."""
    parser = argparse.ArgumentParser(prog="fresh", description=_DESCRIPTION)
    _add_flags(parser)
    return execute(parser.parse_args(arguments))


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a file of the operator, or the folder where its Secret is mounted; default: the "
        f"files that {', '.join(CLIENT_VARIABLES)} name, and the variable {VARIABLE}",
    )
    parser.add_argument(
        "--for",
        dest="least",
        type=_seconds,
        default=1,
        metavar="DURATION",
        help="what each login must last at least, such as 30m; default: 1s",
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=0,
        metavar="DURATION",
        help="wait so long for the kubelet to mount a file that is good; then exit with 4",
    )
    parser.add_argument(
        "--index",
        action="append",
        default=[],
        metavar="NAME",
        help="look at this index only, by its name in the file; repeatable",
    )
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="form; default: text"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print no answer, only errors")
    parser.add_argument(
        "--print-script",
        action="store_true",
        help="print this command as one file for any Python from 3.8 on, for images without it",
    )


def execute(chosen: argparse.Namespace) -> int:
    """Print the answer, and wait for a better one if asked to."""
    if chosen.print_script:
        sys.stdout.write(Path(__file__).read_text(encoding="utf-8"))
        return GOOD
    paths = chosen.paths or [os.environ[name] for name in CLIENT_VARIABLES if os.environ.get(name)]
    deadline = time.monotonic() + (chosen.wait if paths else 0)
    told = False
    while True:
        verdicts, problem = _look(chosen, paths)
        bad = problem or _advice(verdicts, chosen.least, fixed=not paths)
        left = deadline - time.monotonic()
        if not bad or left <= 0:
            break
        if not told:
            _complain(f"waiting up to {_duration(chosen.wait)} for the next file: {bad}")
            told = True
        time.sleep(min(_POLL, left))
    if not problem and not chosen.quiet:
        _print(verdicts, chosen)
    if not bad:
        return GOOD
    _complain(bad)
    return TIMED_OUT if told else USAGE if problem else NOT_GOOD


def _look(chosen: argparse.Namespace, paths: Sequence[str]) -> tuple[list[Verdict], str]:
    """The verdict on each index, or why there is none."""
    try:
        lives = lives_in(paths, None if chosen.paths else os.environ.get(VARIABLE, ""))
    except UnreadableError as error:
        return [], str(error)
    names, now = chosen.index or lives, _clock()
    return [_verdict(name, lives.get(name), chosen.least, now) for name in names], ""


def lives_in(paths: Sequence[str], variable: str | None = None) -> dict[str, Life]:
    """The life of each login, by name of the index: of several files the shortest.

    Empty if the files say that they have no logins. `variable` is the value of `VARIABLE`; without
    it each of the paths must be the operator's, else one of them. Raises `UnreadableError`.
    """
    if not paths and not variable:
        names = ", ".join((*CLIENT_VARIABLES, VARIABLE))
        raise UnreadableError(f"there is nothing to look at: give a PATH, or set one of {names}")
    found: dict[str, Life] = {}
    texts = {f"the variable {VARIABLE}": _as_comments(variable)} if variable else {}
    texts.update((path, "\n".join(_texts(path))) for path in paths)
    silent = [at for at in texts if not (any(_lives(texts[at])) or _NO_LOGINS.search(texts[at]))]
    for life in (life for text in texts.values() for life in _lives(text)):
        found[life.name] = min(life, found.get(life.name, life), key=_shortest_first)
    if silent and (variable is None or len(silent) == len(texts)):
        where = ", ".join(silent)
        raise UnreadableError(
            f"{where} does not say how long a login lasts: name the mounted Secret; a ConfigMap "
            "has no logins, and an operator without `artifact-index fresh` does not write it"
        )
    return found


def _shortest_first(life: Life) -> tuple[bool, float]:
    return not life.blocked, float("inf") if life.expires_at is None else life.expires_at


def _texts(path: str) -> Iterator[str]:
    """The content of a file, or of each file in a folder but those of the kubelet itself."""
    place = Path(path)
    try:
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
        # `..data` and what it points to are the kubelet's own.
        files = [each for each in inside if each.name[:2] != ".." and not each.is_dir()]
        for file in files:
            text = file.read_text(encoding="utf-8", errors="replace")
            yield _as_comments(text) if file.name == VARIABLE else text
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise UnreadableError(f"{path}: {why}; mount the Secret there") from None


def _as_comments(value: str) -> str:
    """The value of `VARIABLE` as files have it."""
    return "".join(f"# {line}\n" for line in value.split(", "))


def _lives(text: str) -> Iterator[Life]:
    for name, until, blocked in _LINE.findall(text):
        yield Life(name, _time(until) if until else None, bool(blocked))
    for name in _BLOCKED_URL.findall(text):
        if name != _NO_INDEX:
            yield Life(name, blocked=True)


def _verdict(name: str, life: Life | None, least: float, now: float) -> Verdict:
    if life is None:
        return Verdict(name, "Missing")
    if life.blocked:
        return Verdict(name, "Blocked")
    if life.expires_at is None:
        return Verdict(name, "NoExpiryKnown")
    left = int(life.expires_at - now)
    state = "Expired" if left <= 0 else "TooShort" if left < least else "Good"
    return Verdict(name, state, life.expires_at, left)


def _advice(verdicts: Sequence[Verdict], least: float, fixed: bool) -> str:
    """What is wrong and what to do about it; empty if a build may begin.

    What is in variables is `fixed` until the pod starts anew.
    """
    parts = []
    wait = "start the pod anew, whose variables never change" if fixed else "give --wait"
    next_file = wait if fixed else f"{wait} time for the next file"
    for state, what in (
        ("Blocked", "blocked, since there is no login: see `kubectl describe artifactindex`"),
        ("Missing", "not there, or needs no login: see `kubectl describe indexoptions`"),
        ("Expired", f"expired: see whether the operator runs, or {wait}"),
        (
            "TooShort",
            f"good for less than {_duration(least)}: {next_file}, or raise "
            "spec.maxBuildDuration of the IndexOptions",
        ),
    ):
        names = [each.name for each in verdicts if each.state == state]
        if names:
            parts.append(f"{', '.join(names)}: {what}")
    return "; ".join(parts)


def _print(verdicts: Sequence[Verdict], chosen: argparse.Namespace) -> None:
    if chosen.output == "json":
        indexes = [
            {"name": name, "state": state, "expiresAt": at and _text_of(at), "secondsLeft": left}
            for name, state, at, left in verdicts
        ]
        head = {"apiVersion": "cli.artifactindex.dev/v1", "kind": "FreshReport"}
        sys.stdout.write(json.dumps({**head, "indexes": indexes}, indent=2) + "\n")
        return
    if not verdicts:
        sys.stdout.write("no logins: nothing can expire\n")
    width = max((len(each.name) for each in verdicts), default=0)
    for each in verdicts:
        sys.stdout.write(f"{each.name.ljust(width)}   {_told(each, chosen.least)}\n")
    sys.stdout.flush()


def _told(verdict: Verdict, least: float) -> str:
    if verdict.expires_at is None or verdict.left is None:
        words = {"Blocked": "blocked", "Missing": "no login in the file"}
        return words.get(verdict.state, "no expiry known")
    if verdict.state == "Expired":
        return f"expired at {_text_of(verdict.expires_at)}"
    left = f"good for {_duration(verdict.left)} ({verdict.left} s)"
    short = f": less than {_duration(least)}" if verdict.state == "TooShort" else ""
    return f"{left}, until {_text_of(verdict.expires_at)}{short}"


def _complain(message: str) -> None:
    sys.stderr.write(f"artifact-index fresh: {message}\n")
    sys.stderr.flush()


def _time(text: str) -> int:
    """An RFC 3339 time in UTC, as the operator writes it, in POSIX seconds."""
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 1  # what cannot be read is not trusted


def _text_of(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _seconds(text: str) -> float:
    """A duration such as `1h30m`, in seconds."""
    parts = re.findall(r"([0-9]+)([dhms])", text)
    if not text or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 30m or 1h30m")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _duration(seconds: float) -> str:
    """In two units at most, such as `11h42m`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, length in _UNITS.items():
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return "".join(parts[:2]) or "0s"


if __name__ == "__main__":
    sys.exit(main())
