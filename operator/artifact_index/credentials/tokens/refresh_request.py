"""When the cloud was asked for a login, and when a refresh request has it asked. No clock."""

import math
from dataclasses import dataclass
from typing import Final

FORCED_APART: Final = 60
"""Seconds between two mints of one login that a refresh request forces, at least."""


@dataclass(slots=True)
class Asking:
    """The attempts of one login, in POSIX seconds; -infinity stands for never."""

    fresh_after: int | None = None
    """A grant from then or later has been asked for."""
    requested_at: float = -math.inf
    """When that request was taken up."""
    attempted_at: float = -math.inf
    """When the last attempt began."""
    answered_at: float = -math.inf
    """When the last attempt began that succeeded."""
    forced_at: float = -math.inf
    """When the last attempt began that only a refresh request called for."""
    not_before: float = -math.inf
    """Until then the cloud asked to be left alone."""

    def request(self, moment: int | None, now: float) -> bool:
        """Take up a refresh request; true where it is later than those known."""
        if moment is None or (self.fresh_after is not None and moment <= self.fresh_after):
            return False
        self.fresh_after, self.requested_at = moment, now
        return True

    def begin(self, now: float, *, forced: bool) -> None:
        """The cloud is being asked from now on; `forced`: because of a refresh request alone."""
        if forced:
            self.forced_at = now
        self.attempted_at = now

    def awaits_refresh(self, fresh_as_of: float) -> bool:
        """Whether what is known as of `fresh_as_of` is older than a request wants it."""
        return self.fresh_after is not None and fresh_as_of < self.fresh_after

    def forced_next_at(self, fresh_as_of: float) -> float:
        """When a refresh request calls for an attempt; one that failed is tried like any other.

        An attempt that failed before the request was seen does not count, though it may have begun
        within the second that the request names: what it failed of may have been mended since.
        """
        if self.fresh_after is None or not self.awaits_refresh(fresh_as_of):
            return math.inf
        if self.attempted_at >= max(self.fresh_after, self.requested_at):
            return math.inf
        return max(self.fresh_after, self.forced_at + FORCED_APART, self.not_before)

    def shift(self, step: float) -> None:
        """Follow a clock that was set back by `step` seconds."""
        self.requested_at -= step
        self.attempted_at -= step
        self.answered_at -= step
        self.forced_at -= step
        self.not_before -= step
