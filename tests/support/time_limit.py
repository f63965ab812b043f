"""The time that a process has, until it says where each of its threads is, and ends.

For what heeds no exception. Beside it pytest-timeout has the one timer that a process can set.
"""

import faulthandler
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager


class TimeLimit:
    """One at a time for this process."""

    def __init__(self) -> None:
        self._output: int | None = None
        self._ends: float | None = None

    def print_to_terminal(self) -> None:
        """Print to what is standard error now; pytest keeps to itself what is printed in a test."""
        self._output = os.dup(2)

    def set(self, seconds: float) -> None:
        """End the process in so many seconds, with status 1."""
        self._ends = time.monotonic() + seconds
        output = 2 if self._output is None else self._output
        faulthandler.dump_traceback_later(seconds, exit=True, file=output)

    def lift(self) -> float | None:
        """Let it run; returns the seconds that it had left."""
        faulthandler.cancel_dump_traceback_later()
        ends, self._ends = self._ends, None
        return None if ends is None else max(1.0, ends - time.monotonic())


LIMIT = TimeLimit()


@contextmanager
def not_counted() -> Iterator[None]:
    """Stop both clocks, for what is built once for a machine by the first test that needs it."""
    for_test, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    for_process = LIMIT.lift()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, for_test)
        if for_process is not None:
            LIMIT.set(for_process)
