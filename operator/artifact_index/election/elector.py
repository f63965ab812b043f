"""Takes and keeps the Lease: the loop around a candidate, and its edge to the API server."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, Protocol

from artifact_index.election.candidate import Candidate, Record, Request
from artifact_index.instrumentation import UNMEASURED, Meter
from artifact_index.kube.errors import ApiError
from artifact_index.logs import LogEvent, log_event

_STUCK_AFTER: Final = 10.0
"""Seconds beyond the lease's duration after which a leader that does not renew counts as stuck."""

_END: Final = 5.0
"""Seconds that the work has to end after the Lease was lost; then the process ends."""

_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
"""Seconds between two watches, and at most, if they fail."""

logger = logging.getLogger(__name__)


class LeasePort(Protocol):
    """The API server for one Lease; raises ApiError."""

    namespace: str
    name: str

    async def close(self) -> None:
        """Close the connections."""

    async def ask(self, request: Request, seconds: float) -> Record:
        """Send a request, and return the Lease; it ends within `seconds`."""

    def changes(self) -> AsyncIterator[Record | None]:
        """The Lease now and after each change, None once it is deleted, until the watch ends."""


class Elector:
    """Runs `lead` whenever it holds the Lease, and cancels it when it no longer does.

    The Lease is not sought before `lead` has ended. `wall` is only for people who read the Lease.
    """

    def __init__(
        self,
        lease: LeasePort,
        candidate: Candidate,
        lead: Callable[[], Coroutine[Any, Any, None]],
        *,
        wall: Callable[[], float] = time.time,
        meter: Meter = UNMEASURED,
    ) -> None:
        self.candidate = candidate
        self.first_answer = asyncio.Event()
        """Set once it leads, or knows that another one does."""
        self._lease = lease
        self._lead = lead
        self._wall = wall
        self._meter = meter
        self._news = asyncio.Event()
        self._standing_by: str | None = None
        self._work: asyncio.Task[None] | None = None

    @property
    def leads(self) -> bool:
        """Whether `lead` runs."""
        return self._work is not None

    async def run(self) -> None:
        """Take the Lease when it is free, and renew it, until cancelled.

        Raises what `lead` raises, and RuntimeError if that does not end when it has to.
        """
        watching = asyncio.create_task(self._watch(), name="watch of the Lease")
        try:
            while True:
                await self._report()
                await self._wait()
                await self._ask()
        finally:
            watching.cancel()
            if self._work is not None:
                self._work.cancel()
                await asyncio.wait({self._work})

    async def end(self, seconds: float) -> None:
        """Hand over after `run`, within `seconds`; the Lease runs out if `lead` has not ended."""
        self.candidate.gate.close()
        if self._work is None or self._work.done():
            await self._release(seconds)
        await self._lease.close()

    async def _release(self, seconds: float) -> None:
        candidate = self.candidate
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(seconds):
                while (request := candidate.release(self._wall())) is not None:
                    try:
                        await self._lease.ask(request, seconds)
                    except ApiError as error:
                        if not error.conflict:
                            raise
                        # A renewal was under way.
                        record = await self._lease.ask(Request("get"), seconds)
                        candidate.saw(record, _now())
                    else:
                        self._log("LeaseReleased", "the Lease is released", reason="the end")
                        self._meter.leadership("released")
                        return

    def state(self) -> str:
        """Who leads, in words."""
        if self.leads:
            return "leader"
        holder = self.candidate.held_by
        return f"standby, {holder or 'nobody'} leads"

    def stuck(self) -> str | None:
        """Why the process should be restarted, or None."""
        candidate = self.candidate
        timing = candidate.timing
        late = candidate.gate.clock() - candidate.deadline + timing.deadline
        if not candidate.leads or late <= timing.lease + _STUCK_AFTER:
            return None
        return f"the Lease was renewed {late:.0f} s ago, and the process still leads"

    async def _wait(self) -> None:
        """Until the next request is due, or a watch shows something."""
        while (delay := self.candidate.next_in(_now())) > 0:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._news.wait()
            await self._report()

    async def _ask(self) -> None:
        candidate = self.candidate
        request, sent = candidate.request(self._wall()), candidate.gate.clock()
        seconds = candidate.timing.request
        if candidate.leads:
            seconds = min(seconds, candidate.deadline - sent)
            if seconds <= 0:
                return  # `_report` says so
        try:
            record = await self._lease.ask(request, seconds)
        except ApiError as error:
            candidate.failed(request, error, sent, _now())
            if candidate.failures == 1 and not (error.conflict or error.not_found):
                what = "renew" if candidate.leads else "read or take"
                logger.warning("cannot %s the Lease %s: %s", what, self._where, error)
        else:
            candidate.succeeded(request, record, sent, _now())

    async def _watch(self) -> None:
        pause = _PAUSE
        while True:
            try:
                async for record in self._lease.changes():
                    pause = _PAUSE
                    self.candidate.saw(record, _now(), watched=True)
                    self._news.set()
            except ApiError as error:
                # Without it a standby takes over late, and nothing else would show that.
                level = logging.WARNING if error.forbidden and pause == _PAUSE else logging.DEBUG
                logger.log(level, "cannot watch the Lease %s: %s", self._where, error)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def _report(self) -> None:
        """Have the writers start or end where the candidate has won or lost."""
        candidate = self.candidate
        candidate.expire()
        if self._work is not None and self._work.done():
            self._work.result()
            raise RuntimeError("the work of the leader has ended")
        if self._work is not None and not candidate.leads:
            self._log("LeaseLost", "this process no longer writes", reason=candidate.lost_by)
            self._meter.leadership("lost")
            self._work.cancel()
            await asyncio.wait({self._work}, timeout=_END)
            if not self._work.done():
                raise RuntimeError("the work of the leader does not end")
            self._work = None
        if candidate.acts and self._work is None:
            self._standing_by = None
            self._log("LeaseWon", "this process leads")
            self._meter.leadership("won")
            self._work = asyncio.create_task(self._lead(), name="the work of the leader")
            self._work.add_done_callback(lambda _: self._news.set())
            self.first_answer.set()
        elif not candidate.leads and candidate.held_by not in ("", candidate.identity):
            if candidate.held_by != self._standing_by:
                self._standing_by = candidate.held_by
                self._log("StandingBy", "another process leads")
            self.first_answer.set()

    @property
    def _where(self) -> str:
        return f"{self._lease.namespace}/{self._lease.name}"

    def _log(self, event: LogEvent, message: str, *, reason: str = "") -> None:
        holder = self.candidate.held_by
        log_event(
            logger, logging.INFO, event, message, lease=self._where, holder=holder, reason=reason
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
