"""Runs blocking cloud calls in threads, a bounded number in all and for each remote service."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final
from weakref import WeakValueDictionary

from artifact_index.api.reasons import Reason
from artifact_index.credentials.errors import LoginError
from artifact_index.credentials.requests import KeyMaterial, Token, TokenRequest

THREADS: Final = 16
"""Calls in flight at once."""

CALLS_PER_SERVICE: Final = 4
"""Calls in flight at once to one remote service."""

CALL_DEADLINE: Final = 150.0
"""Seconds that one login of up to three steps may take: more than the SDKs' own timeouts and
retries add up to."""


_Outcome = Token | Exception


class CloudThreads:
    """Makes a blocking `call(request, key_material) -> Token` awaitable.

    Each call runs in a new daemon thread. Starting one costs a ten-thousandth of a cloud call, and
    the interpreter does not join it at exit, as it does the workers of a ThreadPoolExecutor: a call
    that hangs never delays the end of the process.

    A call that outlives its deadline is abandoned and its slots are freed, so that hanging calls
    cannot block a service for ever. At most `threads` calls can be abandoned at a time; further
    ones keep their slots until they end.
    """

    def __init__(
        self,
        call: Callable[[TokenRequest, KeyMaterial], Token],
        *,
        threads: int = THREADS,
        per_service: int = CALLS_PER_SERVICE,
        deadline: float = CALL_DEADLINE,
    ) -> None:
        self._call = call
        self._per_service = per_service
        self._deadline = deadline
        self._slots = asyncio.Semaphore(threads)
        self._services: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._abandonable = threading.Semaphore(threads)
        self._closed = False

    async def issue(self, request: TokenRequest, key_material: KeyMaterial) -> Token:
        """Call in a thread. Raises what the call raises, and LoginError at the deadline.

        The wait for a slot has no limit here. After a cancellation the call goes on in its thread
        and keeps its slots until it ends; its answer is dropped.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Outcome] = loop.create_future()
        slots = await self._enter(request.service)
        if self._closed:
            slots.close()
            raise LoginError(Reason.CLOUD_UNAVAILABLE, "The operator is shutting down.")

        def finish(outcome: _Outcome) -> None:
            slots.close()
            if not answer.done():
                answer.set_result(outcome)

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
            if self._abandonable.acquire(blocking=False):
                slots.close()
                slots.callback(self._abandonable.release)
            raise LoginError(
                Reason.CLOUD_UNAVAILABLE,
                f"The call to {request.service} did not end within {self._deadline:g} s; "
                "it is retried.",
            ) from None
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

    async def _enter(self, name: str) -> ExitStack:
        """Take a slot of the service, then one of all: who waits for a service holds no thread.

        Closing the result frees both, once.
        """
        service_slots = self._services.get(name)
        if service_slots is None:
            service_slots = self._services[name] = asyncio.Semaphore(self._per_service)
        await service_slots.acquire()
        try:
            await self._slots.acquire()
        except BaseException:
            service_slots.release()
            raise
        slots = ExitStack()
        slots.callback(service_slots.release)
        slots.callback(self._slots.release)
        return slots
