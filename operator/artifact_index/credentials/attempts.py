"""The attempts to get one value from a cloud: how they went, and when the next is due. No clock."""

import math
import random
from dataclasses import dataclass
from typing import Final

from artifact_index.credentials import backoff
from artifact_index.credentials.errors import LoginError

REFRESHES_APART: Final = 60
"""Seconds between two attempts for one value that only refresh requests cause, at least."""


@dataclass(slots=True)
class Attempts:
    """The attempts to get one value, in POSIX seconds; -infinity stands for never."""

    fresh_after: int | None = None
    """The latest refresh request: a value that was issued then or later is wanted."""
    requested_at: float = -math.inf
    """When that request was first seen."""
    began_at: float = -math.inf
    """When the last attempt began."""
    succeeded_at: float = -math.inf
    """When the last attempt began that succeeded."""
    failed_at: float = -math.inf
    """When the last attempt began that failed."""
    refreshed_at: float = -math.inf
    """When the last attempt began that only a refresh request caused."""
    not_before: float = -math.inf
    """The cloud asked for a pause until then."""
    retry_at: int | None = None
    """Overrules the schedule after a failure and after an answer without progress."""
    pending_since: float | None = None
    """Since when a first outcome has been awaited; None once there was one."""
    error: LoginError | None = None
    """Why the last attempt failed; None after a success."""
    failures: int = 0
    """Failures in a row that are permanent, or that are not, like the last one."""

    def request(self, moment: int | None, now: float) -> bool:
        """Take in a refresh request; true if it is later than the known one."""
        if moment is None or (self.fresh_after is not None and moment <= self.fresh_after):
            return False
        self.fresh_after, self.requested_at = moment, now
        return True

    def begin(self, now: float, *, by_request: bool) -> None:
        """An attempt begins; `by_request`: only because of a refresh request."""
        if by_request:
            self.refreshed_at = now
        self.began_at = now

    def failed(
        self, error: LoginError, now: float, rng: random.Random, remaining: float | None = None
    ) -> bool:
        """Take in a failure, `remaining` seconds before something is lost; true if it is news.

        The first one after a refresh request is: whoever requested it waits for an answer.
        """
        before, refused = self.error, self.refuses_request
        self.error, self.failed_at = error, self.began_at
        news = before is None or before.reason != error.reason or self.refuses_request != refused
        if before is not None and before.permanent != error.permanent:
            self.failures = 0  # an outage says nothing about a refusal
        self.failures += 1
        self.pending_since = None
        if error.retry_after is not None:
            self.not_before = now + min(error.retry_after, backoff.MOST_RETRY_AFTER)
        delay = backoff.after_failure(
            failures=self.failures,
            permanent=error.permanent,
            rng=rng,
            retry_after=error.retry_after,
            remaining=remaining,
        )
        self.retry_at = math.ceil(now + delay)
        return news

    def succeeded(self) -> None:
        """Take in a success; the schedule says when the next attempt begins."""
        self.succeeded_at = self.began_at
        self.retry_at = self.pending_since = self.error = None
        self.failures = 0

    def required_again(self) -> None:
        """The value is required after nobody did: an input has changed, if only back again.

        What was refused is then tried at once.
        """
        if self.error is not None and self.error.permanent and self.error.retry_after is None:
            self.error = self.retry_at = None
            self.failures = 0

    def awaits_refresh(self, fresh_as_of: float) -> bool:
        """Whether a refresh request is later than the last answer, as of `fresh_as_of`."""
        return self.fresh_after is not None and fresh_as_of < self.fresh_after

    def requested_for(self, fresh_as_of: float) -> float:
        """When a refresh request causes an attempt; infinity if none does.

        An attempt that began after the request was seen fulfils it, or is retried like any other if
        it failed. One that failed before does not count, even within the second that the request
        names: the user may have mended the cause since.
        """
        if self.fresh_after is None or not self.awaits_refresh(fresh_as_of):
            return math.inf
        if self.began_at >= max(self.fresh_after, self.requested_at):
            return math.inf
        return max(self.fresh_after, self.refreshed_at + REFRESHES_APART, self.not_before)

    @property
    def refuses_request(self) -> bool:
        """Whether the last attempt began after the latest refresh request, and failed."""
        if self.error is None or self.fresh_after is None:
            return False
        return self.failed_at >= max(self.fresh_after, self.requested_at)

    def shift(self, step: float) -> None:
        """Follow a clock that was set back by `step` seconds."""
        self.requested_at -= step
        self.began_at -= step
        self.succeeded_at -= step
        self.failed_at -= step
        self.refreshed_at -= step
        self.not_before -= step
        if self.retry_at is not None:
            self.retry_at = math.floor(self.retry_at - step)
        if self.pending_since is not None:
            self.pending_since -= step
