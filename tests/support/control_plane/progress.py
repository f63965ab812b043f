"""Says on standard error what goes on, for how long, and how far it is."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRESS_SECONDS = 10.0
PROGRESS_SECONDS_TTY = 1.0
_FIRST_ESTIMATE = 0.1
"""The share of the packages before which their pace says nothing: the first ones are small."""

Describe = Callable[[float], str]
"""Returns how far it is, given the seconds since the start; empty if nobody knows."""


def unknown(_seconds: float) -> str:
    """Of what gives no sign of its progress."""
    return ""


@contextmanager
def progress(what: str, describe: Describe = unknown) -> Iterator[None]:
    """Print a line every ten seconds, on a terminal every second, until the block ends."""
    done = threading.Event()
    reporter = threading.Thread(target=_report, args=(what, describe, done), daemon=True)
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()


def compiled(log: Path, since: int, packages: int) -> Describe:
    """Describe a `go build -v` by its log: one line for each package that the compiler begins.

    `since` is the size of the log before the build, `packages` the number of lines to come.
    """

    def describe(seconds: float) -> str:
        with log.open("rb") as file:
            file.seek(since)
            lines = file.read().splitlines()
        # Notices of the go command, and the headings of error messages.
        begun = sum(not line.startswith((b"go: ", b"# ")) for line in lines)
        return estimate(min(begun, packages), packages, seconds)

    return describe


def estimate(begun: int, packages: int, seconds: float) -> str:
    """Return such as `41%, 812 of 1980 packages, about 3 min left`, at the pace until now."""
    share = begun / packages
    text = f"{share:.0%}, {begun} of {packages} packages"
    if share < _FIRST_ESTIMATE:
        return text
    if begun == packages:
        return f"{text}, linking"
    left = seconds * (1 - share) / share
    return f"{text}, about {_duration(left)} left"


def _duration(seconds: float) -> str:
    return f"{max(10, round(seconds, -1)):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _report(what: str, describe: Describe, done: threading.Event) -> None:
    on_terminal = sys.stderr.isatty()
    started = time.monotonic()
    # A shorter line must not leave the end of a longer one.
    start, end = ("\r\033[K", "") if on_terminal else ("", "\n")
    finished = False
    while not finished:
        seconds = time.monotonic() - started
        parts = [f"{start}{what}: {seconds:.0f} s", describe(seconds)]
        print("; ".join(filter(None, parts)), end=end, file=sys.stderr, flush=True)
        finished = done.wait(PROGRESS_SECONDS_TTY if on_terminal else PROGRESS_SECONDS)
    print(
        f"{start}{what}: ended after {time.monotonic() - started:.0f} s",
        file=sys.stderr,
        flush=True,
    )
