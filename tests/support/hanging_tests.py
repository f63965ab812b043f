"""A test that hangs fails where it hangs; one that does not heed that ends with its process.

pytest-timeout raises an exception in the main thread, once for each test. A thread pool that waits
for its threads does not heed it, nor do uvloop and `except BaseException`; and nothing limits how
long fixtures take to end after a failure, or a process after its tests. For those the process ends,
and pytest-xdist reports the test as failed and goes on with another worker.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from support.time_limit import LIMIT

HEED_SECONDS: Final = 120.0
"""What a test gets beyond its limit to end by the exception."""
END_SECONDS: Final = 180.0
"""What a process gets to end after its tests."""
_SECONDS: Final = pytest.StashKey[float]()


class HangingTests:
    """A pytest plugin."""

    def __init__(self) -> None:
        LIMIT.print_to_terminal()

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """Note what pytest-timeout allows; it does not come by here where it allows any time."""
        item.stash[_SECONDS] = settings.timeout

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Limit the start of a test's fixtures."""
        with _limited(item):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Limit a test."""
        with _limited(item):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Limit the end of its fixtures."""
        with _limited(item):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        """Limit what ends with the tests. A worker lives on until all have ended."""
        LIMIT.set(END_SECONDS)
        try:
            return (yield)
        finally:
            LIMIT.lift()

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Limit the end of the interpreter; a worker's is the controller's to see to."""
        if not hasattr(config, "workerinput"):
            LIMIT.set(END_SECONDS)


@contextmanager
def _limited(item: pytest.Item) -> Iterator[None]:
    seconds = item.stash.get(_SECONDS, None)
    # Who debugs takes any time. Where a test has a breakpoint pytest itself lifts the limit.
    if seconds is not None and not item.config.getoption("usepdb"):
        LIMIT.set(seconds + HEED_SECONDS)
    try:
        yield
    finally:
        LIMIT.lift()
