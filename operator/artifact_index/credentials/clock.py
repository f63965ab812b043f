"""Reads the wall clock, and notices when it was set back."""

import math
from collections.abc import Callable
from typing import Final

BACKWARD_STEP: Final = 1.0
"""Seconds by which the clock must be set back before waits are moved along with it."""


class WallClock:
    """Reads `now`, wall-clock time in POSIX seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._last = -math.inf

    def read(self) -> tuple[float, float]:
        """The time, and the seconds by which it was set back since the last reading; mostly 0."""
        now = self.now()
        step = self._last - now
        self._last = now
        return now, step if BACKWARD_STEP < step < math.inf else 0
