"""Runs tests inside the node's namespace, and reports them to the pytest outside.

A pytest within the namespace (`guest`) gets one test at a time and sends its reports back: each
test of the node tier is a test of the one session, also where that is spread over workers.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import pytest

from support.control_plane.errors import ControlPlaneFailed
from support.control_plane.processes import tail
from support.hanging_tests import HEED_SECONDS
from support.node.images import ensure_images
from support.node.machine import ensure_packages, ensure_programs
from support.node.namespace import make_cgroup, remove_cgroup, spawn_inside

END_SECONDS: Final = 60.0
SLACK_SECONDS: Final = 60.0
"""What a part of a test may take beyond its limit inside, which tells more than ours."""


class Relay:
    """The pytest inside; started by the first test, ended by `close`."""

    def __init__(self, config: pytest.Config, tests: Path) -> None:
        self._config = config
        self._tests = tests
        self._folder: Path | None = None
        self._guest: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._cgroup = ""
        # As the option and the file say it; 0 is no limit.
        limit = config.getoption("timeout")
        self._limit = float(config.getini("timeout") if limit is None else limit)

    @property
    def runs(self) -> bool:
        """Whether it has been started."""
        return self._connection is not None

    def start(self) -> None:
        """Prepare the machine, build what is missing, and enter the namespace.

        Raises ControlPlaneUnavailable where that is impossible.
        """
        ensure_packages()
        _, programs = ensure_programs()
        images = ensure_images()
        self._folder = Path(tempfile.mkdtemp(prefix="node-relay-"))
        self._cgroup = self._folder.name
        make_cgroup(self._cgroup)
        self._connection, theirs = Pipe()
        # This pytest may itself be a worker of another one, which that one inside is not.
        machine = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
        environment = machine | {
            "NODE_RELAY": str(theirs.fileno()),
            "NODE_CGROUP": self._cgroup,
            "NODE_PROGRAMS": str(programs),
            "NODE_OPERATOR": str(images.operator),
            "NODE_BUILDER": str(images.builder),
            "NODE_SANDBOX": str(images.sandbox),
            "PYTHONPATH": os.pathsep.join(sys.path),
            # What is mounted in there can only be removed once the namespace has ended.
            "TMPDIR": str(self._folder),
        }
        with theirs:
            self._guest = spawn_inside(
                [
                    *(sys.executable, "-m", "support.node.guest"),
                    *(self._folder, self._tests, str(self._limit)),
                ],
                log=self._log,
                env=environment,
                pass_fds=[theirs.fileno()],
            )

    def run(self, test: str, following: str | None) -> Iterator[pytest.TestReport]:
        """Run a test, by its node id, and yield its reports; raises ControlPlaneFailed.

        `following` is the next one, so that fixtures live as long as they should.
        """
        assert self._connection is not None
        try:
            self._connection.send((test, following))
            while (data := self._next()) is not None:
                yield self._config.hook.pytest_report_from_serializable(
                    config=self._config, data=data
                )
        except (EOFError, OSError) as error:
            raise ControlPlaneFailed(f"the node tier ended\n{tail(self._log, 100)}") from error

    def close(self) -> None:
        """End the pytest inside and everything that it started; raises TimeoutExpired."""
        if self._connection is not None:
            self._connection.close()
        if self._guest is not None:
            try:
                self._guest.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._guest.kill()
                self._guest.wait(END_SECONDS)
        if self._cgroup:
            remove_cgroup(self._cgroup)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._connection = self._guest = self._folder = None

    def _next(self) -> Any:
        """The report of the next part of a test; raises OSError where none comes."""
        assert self._connection is not None and self._guest is not None
        seconds = self._limit + HEED_SECONDS + SLACK_SECONDS if self._limit else None
        if not self._connection.poll(seconds):
            self._guest.kill()
            raise TimeoutError(f"no report within {seconds:g} s")
        return self._connection.recv()

    @property
    def _log(self) -> Path:
        assert self._folder is not None
        return self._folder / "guest.log"
