"""The pytest inside the node's namespace: FOLDER TESTS LIMIT. `relay` starts it and gives it tests.

LIMIT is how many seconds pytest-timeout allows a test.
"""

import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from support.node.namespace import set_up


class Guest:
    """A pytest plugin: tests in, reports out."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self._config: pytest.Config | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember what turns reports into data."""
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run what is asked for, until nobody asks."""
        tests = {item.nodeid: item for item in session.items}
        while (wanted := self._next()) is not None:
            test, following = wanted
            session.config.hook.pytest_runtest_protocol(
                item=tests[test], nextitem=tests.get(following or "")
            )
            self._connection.send(None)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send each report."""
        assert self._config is not None
        hook = self._config.hook.pytest_report_to_serializable
        self._connection.send(hook(config=self._config, report=report))

    def _next(self) -> tuple[str, str | None] | None:
        try:
            wanted: tuple[str, str | None] = self._connection.recv()
        except EOFError:
            return None
        return wanted


def main() -> int:
    """Set the namespace up and serve tests until the relay closes its end."""
    folder, tests, limit = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    set_up(folder)
    connection: Connection[Any, Any] = Connection(int(os.environ["NODE_RELAY"]))
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "--color=no"]
    return pytest.main([*options, f"--timeout={limit}", tests], plugins=[Guest(connection)])


if __name__ == "__main__":
    sys.exit(main())
