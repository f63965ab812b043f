"""The demo's output: one line per step, with its duration."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

WIDTH = 92


class SecretShownError(Exception):
    """A line contained a credential and was not printed."""


class Narrator:
    """Numbers and times the steps, and never prints a credential.

    `secrets` returns every credential that currently exists.
    """

    def __init__(self, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self.secrets = secrets
        self._started = time.monotonic()
        self._count = 0
        self._details: list[str] = []

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print the title, run the block, then print its duration and details."""
        self._count += 1
        self._details.clear()
        begun = time.monotonic()
        self._write(f"{self._count:2}  {title} ")
        try:
            yield
        except BaseException as error:
            end = "FAILED" if isinstance(error, Exception) else "stopped"
            self._write(f"... {end} after {time.monotonic() - begun:.1f} s\n")
            raise
        dots = "." * max(3, WIDTH - len(title))
        self._write(f"{dots} {time.monotonic() - begun:4.1f} s\n")
        for line in self._details:
            self.say(f"      {line}".rstrip())

    def detail(self, text: str) -> None:
        """Add lines to print below the current step."""
        self._details += text.rstrip().splitlines()

    def say(self, line: str = "") -> None:
        """Print a line; raises SecretShownError."""
        self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        if any(secret in text for secret in self.secrets()):
            raise SecretShownError("a line of the demo contained a credential")
        sys.stdout.write(text)
        sys.stdout.flush()
