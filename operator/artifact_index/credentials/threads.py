"""Runs blocking cloud calls in threads: a bounded number in all, and for each remote service."""

import asyncio
import threading
from collections.abc import Callable
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
"""Seconds for one login of up to three steps, from its start: above what the SDKs' own timeouts
and retries add up to."""


class CloudThreads:
    """Makes a blocking `call(request, key_material) -> Token` awaitable.

    Every call gets a daemon thread of its own, which ends with it. A thread costs a ten-thousandth
    of a cloud call, and unlike the workers of a ThreadPoolExecutor the interpreter does not
    join it at exit: a hung call never delays the end of the process.

    A call that outlives its deadline is given up and its place is handed on, so that hung calls
    cannot block a service for ever. At most `threads` calls can be in that state; further ones
    keep their place until they end.
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
        self._places = asyncio.Semaphore(threads)
        self._services: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._given_up = 0
        self._most_given_up = threads
        self._closed = False

    async def issue(self, request: TokenRequest, material: KeyMaterial) -> Token:
        """The call's answer. Raises what the call raises, and LoginError at the deadline.

        The wait for a place has no limit here. Once cancelled, the call goes on in its thread,
        keeps its place until it ends, and its answer is dropped.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Outcome] = loop.create_future()
        places = await self._enter(request.service)
        if self._closed:
            places.leave()
            raise LoginError(Reason.CLOUD_UNAVAILABLE, "The operator is shutting down.")

        def finish(outcome: "_Outcome") -> None:
            places.leave()
            if not answer.done():
                answer.set_result(outcome)

        def work() -> None:
            outcome = self._outcome(request, material)
            try:
                loop.call_soon_threadsafe(finish, outcome)
            except RuntimeError:  # the loop has been closed: nobody waits any more
                return

        threading.Thread(target=work, name=f"cloud-{request.service}", daemon=True).start()
        try:
            async with asyncio.timeout(self._deadline):
                outcome = await answer
        except TimeoutError:
            self._give_up(places)
            raise LoginError(
                Reason.CLOUD_UNAVAILABLE,
                f"The call to {request.service} did not end within {self._deadline:g} s; "
                "it is made again.",
            ) from None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def close(self) -> None:
        """Start no further call. Calls in flight are not waited for."""
        self._closed = True

    def _outcome(self, request: TokenRequest, material: KeyMaterial) -> "_Outcome":
        try:
            return self._call(request, material)
        except Exception as error:
            return error
        except BaseException as error:  # SystemExit would end the thread and leave us waiting
            return RuntimeError(type(error).__name__)

    async def _enter(self, name: str) -> "_Places":
        """A place of the service, then one of all: who waits for a service takes no thread."""
        in_service = self._services.get(name)
        if in_service is None:
            in_service = self._services[name] = asyncio.Semaphore(self._per_service)
        await in_service.acquire()
        try:
            await self._places.acquire()
        except BaseException:
            in_service.release()
            raise
        return _Places(in_service, self._places)

    def _give_up(self, places: "_Places") -> None:
        if self._given_up >= self._most_given_up:
            return
        self._given_up += 1
        places.leave()
        places.on_end = self._end_of_given_up

    def _end_of_given_up(self) -> None:
        self._given_up -= 1


_Outcome = Token | Exception


class _Places:
    """A call's place in its service and among all calls, left once."""

    def __init__(self, *semaphores: asyncio.Semaphore) -> None:
        self._semaphores = semaphores
        self.on_end: Callable[[], None] | None = None

    def leave(self) -> None:
        """Give the places back; a second time, the thread of a given-up call has ended."""
        semaphores, self._semaphores = self._semaphores, ()
        for semaphore in semaphores:
            semaphore.release()
        if not semaphores and self.on_end is not None:
            self.on_end()
