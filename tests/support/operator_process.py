"""The operator as its own process, started and stopped the way a cluster does it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from support.control_plane.processes import environment, spawn_tied_text
from support.operator_forks import ForkedProcess

REPOSITORY = Path(__file__).resolve().parents[2]
OPERATOR_NAMESPACE = "artifact-index-system"
STOP_SECONDS = 4.0
"""What an end may take, by `OperatorProcess.stop`: promised are 2 s, where nothing else is slow."""

_HEALTH_PORT = re.compile(r"health endpoints on port (\d+)")
_POLL_SECONDS = 0.01


class OperatorDied(Exception):
    """The process ended, or did not become ready in time; the message ends with its log."""


class OperatorProcess:
    """`python -m artifact_index run` against one API server; its log is kept in memory.

    `module` may be another one that takes the same arguments. `python` runs the operator that its
    own environment holds, instead of this checkout's. Where `forked`, a start is a fork of a
    process that has imported the operator, as `support.operator_forks` says.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        namespace: str = OPERATOR_NAMESPACE,
        module: str = "artifact_index",
        python: str | None = None,
        forked: bool = False,
    ) -> None:
        self._arguments = [
            *("run", "--kubeconfig", str(kubeconfig), "--operator-namespace", namespace),
            *("--health-host", "127.0.0.1", "--health-port", "0"),
            *flags,
        ]
        self._command = [python or sys.executable, "-m", module, *self._arguments]
        self._forked = forked and python is None and module == "artifact_index"
        others = ("AWS_", "GOOGLE_", "GCE", "PYTHONPATH")
        clean = environment(*others)
        ours = {} if python else {"PYTHONPATH": str(REPOSITORY / "operator")}
        self._env = {**clean, **ours, **(env or {})}
        self.processors: frozenset[int] = frozenset()
        """Those that it may use; all if empty. Counts from the next start."""
        self.ready_within = 60.0
        """Seconds that a start may take."""
        self._lines: list[str] = []
        self._printed = 0
        self._reader: threading.Thread | None = None
        self.process: subprocess.Popen[str] | ForkedProcess | None = None

    def __enter__(self) -> "OperatorProcess":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything it has printed so far, over all of its starts."""
        return "".join(self._lines)

    def start(self, *, wait: bool = True) -> None:
        """Start it and, with `wait`, wait until it is ready."""
        self._printed = len(self._lines)
        if self._forked:
            self.process = ForkedProcess(self._arguments, self._env)
        else:
            self.process = spawn_tied_text(self._command, self._env)
        if self.processors:
            os.sched_setaffinity(self.pid, self.processors)
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        if wait:
            self.wait_ready()

    def wait_ready(self, *, seconds: float | None = None) -> None:
        """Wait until /readyz answers 200."""
        deadline = time.monotonic() + (self.ready_within if seconds is None else seconds)
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            found = _HEALTH_PORT.search("".join(self._lines[self._printed :]))
            if found and health(int(found[1]), "readyz")[0] == 200:
                return
            time.sleep(0.02)
        raise OperatorDied(f"the operator is not ready; its log ends with:\n{self.log[-4000:]}")

    @property
    def health_port(self) -> int:
        """The port of the running process' health endpoints."""
        return int(_HEALTH_PORT.findall(self.log)[-1])

    def stop(self, *, seconds: float = 60) -> float:
        """SIGTERM; returns the seconds until it had ended. Raises OperatorDied after `seconds`.

        Less those in which its main thread waited for a processor: others had them all then.
        """
        if self.process is None:
            return 0.0
        begun, before = time.monotonic(), waited(self.pid)
        latest = before
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        while self.process.poll() is None:
            latest = max(latest, waited(self.pid))
            if time.monotonic() - begun > seconds:
                self.kill()
                raise OperatorDied(f"it does not end; its log ends with:\n{self.log[-4000:]}")
            time.sleep(_POLL_SECONDS)
        return self._finish(begun) - (latest - before)

    def kill(self) -> None:
        """SIGKILL: no clean-up of any kind."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)
        self._finish(0)

    def _finish(self, begun: float) -> float:
        ended = time.monotonic()
        if self._reader is not None:
            self._reader.join(60)
        self.process = None
        return ended - begun

    def _read(self, process: subprocess.Popen[str] | ForkedProcess) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.append(line)


def health(port: int, endpoint: str) -> tuple[int, str]:
    """Status and text of a health endpoint; status 0 where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{endpoint}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def waited(pid: int) -> float:
    """Seconds for which a process' main thread was ready to run and did not; 0 where none tells."""
    try:
        # Documented in the kernel's Documentation/scheduler/sched-stats.rst: the second number.
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
