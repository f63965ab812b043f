"""The process' event loop, garbage collector and allocator: it holds much and changes little."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

Result = TypeVar("Result")

_COLLECT_THRESHOLD: Final = 20_000

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE: Final = 128 * 1024
"""Bytes from which a block goes back to the system once it is free: glibc's own first value."""

_SWITCH_INTERVAL: Final = 0.001
"""Seconds for which the loop keeps the interpreter from a call to a cloud: a fifth of Python's own
value. Such a call asks for it some ten times, between its steps in the network."""


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` on a loop in C."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def freeze_startup_objects() -> None:
    """Most objects live as long as the process: looking through them again costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_THRESHOLD)


def limit_malloc_arenas() -> None:
    """Give the memory of listings and large answers back, a quarter of it at ten thousand objects.

    glibc raises its thresholds to the largest block that was ever freed, and opens an arena for
    each thread of the clouds' SDKs (mallopt(3)). Other C libraries have no such call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)
        mallopt(_M_ARENA_MAX, 1)
