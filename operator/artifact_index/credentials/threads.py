"""Runs blocking cloud calls in threads, a bounded number in all and for each remote service."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from artifact_index.api.reasons import Reason
from artifact_index.credentials.call_slots import TENANT, CallSlots, Flow
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest
from artifact_index.gate import Gate

THREADS: Final = 16
"""Calls in flight at once."""

CALLS_PER_SERVICE: Final = 4
"""Calls in flight at once to one remote service."""

CALL_DEADLINE: Final = 150.0
"""Seconds that one login of up to three steps may take: more than the SDKs' own timeouts and
retries add up to."""

SLOW: Final = 2.0
"""Seconds after which a call that nobody answered counts as timed out. One that was answered with a
5xx does not: the SDKs retry that for seconds, and other logins at the service may be well."""

_Outcome = Token | Exception


class CloudThreads:
    """Makes a blocking `call(request, key_material) -> Token` awaitable.

    Each call runs in a new daemon thread. Starting one costs a ten-thousandth of a cloud call, and
    the interpreter does not join it at exit, as it does the workers of a ThreadPoolExecutor: a call
    that hangs never delays the end of the process.

    A call that outlives its deadline is abandoned and its slot is freed, so that hanging calls
    cannot block a service for ever. At most `threads` calls can be abandoned at a time; further
    ones keep their slots until they end. `CallSlots` says who waits for whom. No call begins while
    the `gate` is closed.
    """

    def __init__(
        self,
        call: Callable[[TokenRequest, KeyMaterial], Token],
        *,
        threads: int = THREADS,
        per_service: int = CALLS_PER_SERVICE,
        deadline: float = CALL_DEADLINE,
        gate: Gate | None = None,
    ) -> None:
        self._call = call
        self._gate = gate or Gate()
        self._deadline = deadline
        self._slots = CallSlots(threads, per_service)
        self._abandonable = threading.Semaphore(threads)
        self._closed = False

    async def issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        """Call in a thread. Raises what the call raises, and LoginError at the deadline.

        The wait for a slot has no limit here, but the service may be suspended. After a
        cancellation the call goes on in its thread and keeps its slot until it ends; its answer
        is dropped.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Outcome] = loop.create_future()
        flow = Flow(TENANT.get(), request.service)
        await self._slots.take(flow)
        slot = ExitStack()
        slot.callback(self._slots.release, flow)
        if self._closed:
            slot.close()
            raise LoginError(Reason.CLOUD_UNAVAILABLE, "The operator is shutting down.")
        if not self._gate.open:
            slot.close()
            raise LoginError(Reason.CLOUD_UNAVAILABLE, "Another replica of the operator leads now.")
        began = loop.time()

        def finish(outcome: _Outcome) -> None:
            if not answer.done():
                self._judge(flow, outcome, loop.time() - began)
                answer.set_result(outcome)
            slot.close()

        def work() -> None:
            outcome = self._outcome(request, key_material)
            try:
                loop.call_soon_threadsafe(finish, outcome)
            except RuntimeError:  # the loop has been closed: nobody waits any more
                return

        threading.Thread(target=work, name=f"cloud-{request.service}", daemon=True).start()
        try:
            async with asyncio.timeout(self._deadline):
                outcome = await answer
        except TimeoutError:
            error = LoginError(
                Reason.CLOUD_UNAVAILABLE,
                f"The call to {request.service} did not end within {self._deadline:g} s; "
                "the operator tries again.",
            )
            self._slots.timed_out(flow, error)
            if self._abandonable.acquire(blocking=False):
                slot.close()
                slot.callback(self._abandonable.release)
            raise error from None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def close(self) -> None:
        """Start no further call. Does not wait for those in flight."""
        self._closed = True

    def _outcome(self, request: TokenRequest, key_material: KeyMaterial) -> _Outcome:
        try:
            return self._call(request, key_material)
        except Exception as error:
            return error
        except BaseException as error:  # SystemExit would end the thread and leave us waiting
            return RuntimeError(type(error).__name__)

    def _judge(self, flow: Flow, outcome: _Outcome, seconds: float) -> None:
        """Tell from the outcome of a call whether the service answers."""
        if isinstance(outcome, LoginError) and outcome.reason is Reason.CLOUD_UNAVAILABLE:
            if outcome.unanswered and seconds >= SLOW:
                self._slots.timed_out(flow, outcome)
        else:
            self._slots.answered(flow)
