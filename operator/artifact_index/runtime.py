"""The event loop, its thread, garbage collector and allocator of a process with many objects."""

import asyncio
import ctypes
import gc
import logging
import socket
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import uvloop

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

_COLLECT_THRESHOLD: Final = 5_000
"""New objects after which the young ones are collected: some 10 ms, in which nobody goes on. Ten
times as long is taken for those that outlast it."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE: Final = 128 * 1024
"""Bytes from which a freed block is returned to the system: glibc's own initial value."""

_SWITCH_INTERVAL: Final = 0.001
"""Seconds after which the event loop yields the interpreter to a thread: a fifth of Python's
default. A call to a cloud takes it some ten times, between its steps on the network."""


_END: Final = 1.0
"""Seconds that tasks have to end once they are cancelled at the end of the process."""


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` on uvloop; but a task that ignores that it is cancelled is not waited for.

    kopf's watches may: without a session they wait for a login.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    runner = asyncio.Runner(loop_factory=_Loop)
    try:
        return runner.run(main)
    finally:
        loop = runner.get_loop()
        if not (left := loop.run_until_complete(_end_all())):
            runner.close()
        else:
            names = ", ".join(sorted(task.get_name() for task in left))
            logger.warning("these do not end, and end with the process: %s", names)
            loop.set_exception_handler(lambda *_: None)


async def _end_all() -> set[asyncio.Task[Any]]:
    """Cancel all other tasks, and return those that do not end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    return (await asyncio.wait(others, timeout=_END))[1] if others else set()


class _Loop(uvloop.Loop):
    """uvloop, in which a transport alone has the descriptor of the socket that it was given.

    Where the peer resets a connection before the TLS handshake, uvloop 0.23 closes the descriptor,
    and the socket object still names it. Once that is freed it closes whatever has the number by
    then. Of a watch nobody notices, and uvloop refuses each new socket, which gets that number.
    """

    async def create_connection(
        self, *args: Any, sock: socket.socket | None = None, **how: Any
    ) -> Any:
        """Connect as uvloop does; of `sock` nothing is left to its object."""
        try:
            return await super().create_connection(*args, sock=sock, **how)
        finally:
            if sock is not None:
                sock.detach()


_LONGEST_TURN: Final = 0.002
"""Seconds for which one of several long computations may hold the event loop."""

# More threads would not be faster, but would leave the event loop less of the interpreter.
_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="beside-the-loop")


async def beside_the_loop(work: Callable[[], Result]) -> Result:
    """Run a long computation in a thread, one at a time, so that the event loop goes on.

    `work` must be pure, and its inputs must not change meanwhile. Cancelled, it is dropped if it
    has not begun.
    """
    return await asyncio.get_running_loop().run_in_executor(_thread, work)


_going_on: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()


class Turns:
    """Gives others a turn on the event loop whenever a long computation has held it for a while.

    Of several long computations only one goes on in an iteration of the event loop, in turn: a
    short one, which takes some ten iterations, would wait for all of them in each.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    async def leave(self) -> None:
        """Call it between two steps; it costs next to nothing while no turn is due."""
        if self._loop.time() - self._began > _LONGEST_TURN:
            async with _going_on.setdefault(self._loop, asyncio.Lock()):
                await asyncio.sleep(0)
            self._began = self._loop.time()


def freeze_startup_objects() -> None:
    """Exclude startup objects from garbage collection: they live as long as the process.

    Traversing them again and again took a tenth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_THRESHOLD)


def limit_malloc_arenas() -> None:
    """Make malloc return freed memory, which saves a quarter of it at ten thousand objects.

    glibc raises its thresholds to the largest block that was ever freed, and opens an arena for
    each thread of the clouds' SDKs (mallopt(3)). Other C libraries have no `mallopt`.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)
        mallopt(_M_ARENA_MAX, 1)
