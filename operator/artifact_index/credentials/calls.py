"""Calls to clouds in flight: each in a task of its own, bounded in time, measured.

The outcome of a call is a value: a failure is passed on, not raised.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from artifact_index.api.reasons import Reason
from artifact_index.api.timestamps import format_time
from artifact_index.credentials.call_slots import TENANT
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import KeyMaterial, Requirement, Token, TokenRequest
from artifact_index.instrumentation import Meter
from artifact_index.logs import LogEvent, log_event, log_exception

ATTEMPT_DEADLINE: Final = 600.0
"""Seconds after which a call is given up, with its wait for a thread."""

MOST_IN_FLIGHT: Final = 256
"""Calls of one tenant that are in flight at once, most of which wait for a thread: about 1 MiB."""

Issue = Callable[[TokenRequest, KeyMaterial], Awaitable[Token]]
"""Asks a cloud. Raises LoginError."""

OnOutcome = Callable[[Token | LoginError, float], None]
"""Takes the outcome of a call and the seconds that it took."""

logger = logging.getLogger(__name__)


def log_outcome(
    requirement: Requirement,
    outcome: Token | LoginError,
    *,
    refusals: int,
    consumers: int,
    next_at: float | None,
) -> None:
    """Log what became of one call, of the token or URL that it asked for.

    `refusals` are those in a row; `next_at` is when the cloud is asked next, in POSIX seconds.
    """
    provider, _, answer = requirement.request.provider.partition("-")
    values: dict[str, object] = {"provider": provider, **requirement.about()}
    values |= {"requestID": outcome.request_id, "consumers": consumers}
    if next_at is not None and math.isfinite(next_at):
        values["nextTry"] = format_time(next_at)
    if isinstance(outcome, LoginError):
        event: LogEvent = "EndpointRefused" if answer == "endpoint" else "TokenRefused"
        values |= {"reason": outcome.reason, "attempt": refusals}
        log_event(logger, logging.WARNING, event, outcome.message, **values)
    elif answer == "endpoint":
        log_event(logger, logging.INFO, "EndpointFound", "the URL was found", **values)
    else:
        values["expiresAt"] = outcome.expires_at and format_time(outcome.expires_at)
        log_event(logger, logging.INFO, "TokenIssued", "the cloud issued a token", **values)


class Calls:
    """Starts calls of `issue`; `deadline` is in seconds."""

    def __init__(self, issue: Issue, *, meter: Meter, deadline: float = ATTEMPT_DEADLINE) -> None:
        self._issue = issue
        self._meter = meter
        self._deadline = deadline
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight: Counter[Hashable] = Counter()
        self.closed = False

    def may_start(self, tenant: Hashable) -> bool:
        """Whether a tenant may have another call in flight."""
        return not self.closed and self._in_flight[tenant] < MOST_IN_FLIGHT

    def start(
        self,
        request: TokenRequest,
        key_material: KeyMaterial,
        on_outcome: OnOutcome,
        tenant: Hashable,
    ) -> None:
        """Make the call in a task, at the expense of the tenant's share.

        `on_outcome` is always called, after a cancellation, too.
        """
        self._in_flight[tenant] += 1
        ended = False

        def end(outcome: Token | LoginError, took: float) -> None:
            nonlocal ended
            ended = True
            self._in_flight[tenant] -= 1
            if not self._in_flight[tenant]:
                del self._in_flight[tenant]
            on_outcome(outcome, took)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not ended:  # it was cancelled before its first step
                end(_unexpected(), 0.0)

        task = asyncio.create_task(self._call(request, key_material, end, tenant))
        self._tasks.add(task)
        task.add_done_callback(done)

    async def settled(self) -> bool:
        """Wait until the calls in flight have ended; False where there were none."""
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks)
        return bool(tasks)

    async def close(self) -> None:
        """Cancel all calls. Start none afterwards, unless `closed` is reset."""
        self.closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _call(
        self,
        request: TokenRequest,
        key_material: KeyMaterial,
        on_outcome: OnOutcome,
        tenant: Hashable,
    ) -> None:
        TENANT.set(tenant)
        clock = asyncio.get_running_loop().time
        began = clock()
        outcome: Token | LoginError = _unexpected()
        try:
            async with asyncio.timeout(self._deadline):
                outcome = await self._issue(request, key_material)
        except LoginError as error:
            # Without its traceback, which would keep the variables of the call alive.
            outcome = LoginError(
                error.reason,
                error.message,
                retry_after=error.retry_after,
                request_id=error.request_id,
            )
        except TimeoutError:
            outcome = LoginError(
                Reason.CLOUD_UNAVAILABLE,
                f"The cloud did not answer within {self._deadline:g} s; the operator tries again.",
            )
        except Exception as error:
            log_exception(logger, error, "a login at %s failed unexpectedly", request.service)
        finally:  # after a cancellation, too, or the caller would wait for ever
            took = clock() - began
            on_outcome(outcome, took)
        result = outcome.reason if isinstance(outcome, LoginError) else "ok"
        self._meter.cloud_answered(provider=request.provider, result=result, seconds=took)


def _unexpected() -> LoginError:
    return LoginError(
        Reason.INTERNAL_ERROR,
        "The login failed unexpectedly; the operator tries again, and its log names the error.",
    )
