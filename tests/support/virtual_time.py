"""Event loops on which time passes in no time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOOK = 0.05
"""Real seconds after which a loop that waits for real work looks around again."""


class RealWork:
    """What is under way outside of the loop: while anything is, virtual time stands still."""

    def __init__(self) -> None:
        self.under_way = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Around an await that ends by I/O or in a thread."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


class _Clockwork:
    """In the place of a selector: where there is nothing to wait for but time, that costs none."""

    def __init__(self, real: Any, work: RealWork | None) -> None:
        self.now = 0.0
        self._real = real
        self._work = work

    def select(self, timeout: float | None) -> Any:
        """Let the time pass."""
        if self._work is not None:
            waits = self._work.under_way and (timeout is None or timeout > 0)
            events = self._real.select(_LOOK if waits else 0)
            if events or self._work.under_way:
                return events
        if timeout is None:
            raise RuntimeError("everything waits, and for no time")
        self.now += timeout
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which a month takes seconds; with `work` it serves I/O and threads as well.

    (looptime serves I/O, too, but takes ten times as long for each step, and guesses how long to
    wait for it.)
    """

    def __init__(self, work: RealWork | None = None) -> None:
        super().__init__()
        self._real: Any = vars(self)["_selector"]
        self._clockwork = _Clockwork(self._real, work)
        self._selector: Any = self._clockwork

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._clockwork.now

    def close(self) -> None:
        """Close what the loop itself has opened."""
        self._selector = self._real
        super().close()
