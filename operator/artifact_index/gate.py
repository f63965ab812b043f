"""The gate before every write and every request for a token: may this process act now?"""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Final

boot_time: Final[Callable[[], float]] = partial(
    # Counts the time in which the machine is suspended. Only Linux has it.
    time.clock_gettime,
    getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC),
)


class Gate:
    """Open until `closes_at`, in seconds of `clock`: for ever, unless a leader election sets it.

    It is asked directly before each request, however late that is sent: in a process that was
    stopped and goes on, tasks that are ready run before any timer. `grace` are the seconds after
    the deadline at which the last request must be over.
    """

    __slots__ = ("clock", "closes_at", "grace")

    def __init__(self, clock: Callable[[], float] = boot_time) -> None:
        self.clock = clock
        self.closes_at = math.inf
        self.grace = math.inf

    @property
    def open(self) -> bool:
        """Whether this process may write and request tokens."""
        return self.clock() < self.closes_at

    def left(self) -> float:
        """Seconds until it closes; 0 or less if it is closed."""
        return self.closes_at - self.clock()

    def close(self) -> None:
        """Let nothing pass from now on."""
        self.closes_at = -math.inf
