"""Child processes that never outlive this one, and waiting for them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from support.control_plane.errors import ControlPlaneFailed, PortTaken

TIED_EXEC = Path(__file__).with_name("tied_exec.py")
POLL_SECONDS = 0.02
LONGEST_POLL_SECONDS = 0.25
LOG_TAIL_BYTES = 64 * 1024
KILL_SECONDS = 60.0

# The kernel sends the parent-death signal when the starting *thread* ends, so children of a short
# worker thread would die early. This thread lives as long as the interpreter.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="control-plane-spawner")


def environment(*without: str) -> dict[str, str]:
    """This process' variables, but for those that begin with one of `without`.

    pytest changes a variable while threads of a test come by here.
    """
    names = (name for name in os.environ if not name.startswith(without))
    return {name: os.environ.get(name, "") for name in names}


def run_noted(
    command: Sequence[str | Path],
    *,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program, and return what it printed.

    Raises CalledProcessError, with standard error as a note, when `check` and it fails, and
    TimeoutExpired after `seconds`.
    """
    done = subprocess.run(
        command, input=input, env=env, timeout=seconds, capture_output=True, text=True, check=False
    )
    try:
        if check:
            done.check_returncode()
    except subprocess.CalledProcessError as error:
        error.add_note(done.stderr)
        raise
    return done


def spawn_tied(
    argv: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program (absolute path) that dies with this process; its output goes to `log`.

    It gets a session of its own: Ctrl-C in a terminal reaches only this process, which then stops
    its children in order.
    """
    with log.open("ab") as output:
        return _spawner.submit(
            subprocess.Popen,
            tied(argv),
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
        ).result()


def tied(argv: Sequence[str | Path]) -> list[str]:
    """The command that runs a program (absolute path) which ends with the thread that starts it."""
    return [sys.executable, "-I", "-S", str(TIED_EXEC), str(os.getpid()), *map(str, argv)]


def spawn_tied_text(argv: Sequence[str | Path], env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a program (absolute path) that dies with this process, and read what it prints."""
    return _spawner.submit(
        subprocess.Popen,
        tied(argv),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ).result()


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a file, at most 64 KiB; empty when there is no file."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def free_ports(count: int) -> list[int]:
    """Return different free loopback TCP ports.

    They are free now, not reserved: whoever uses them must be ready for `PortTaken`.
    """
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float, *, most: float = LONGEST_POLL_SECONDS
) -> None:
    """Poll until the condition holds; raises TimeoutError after `seconds`.

    Every 20 ms at first and every `most` seconds in the end: three processes are busy with each
    look.
    """
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        if waited > seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(min(max(POLL_SECONDS, waited / 40), most))


class Server:
    """One long-running program with a log file; it can be started again after its end."""

    def __init__(self, name: str, argv: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        self._argv = argv
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Start it and wait for readiness.

        Raises PortTaken or ControlPlaneFailed, with the log's last lines, when it ends before or
        is not ready within `seconds`; it does not run then.
        """
        if self.pid is not None:
            raise ControlPlaneFailed(f"{self.name} runs already")
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        process = self._process = spawn_tied(self._argv, log=self.log)
        try:
            wait_until(
                lambda: process.poll() is not None or is_ready(), f"{self.name} ready", seconds
            )
        except TimeoutError as error:
            self.kill()
            raise ControlPlaneFailed(f"{error}\n{tail(self.log, 30)}") from error
        if process.poll() is not None:
            message = f"{self.name} ended with {process.returncode}\n{tail(self.log, 30)}"
            raise PortTaken(message) if self._port_was_taken() else ControlPlaneFailed(message)

    def kill(self) -> None:
        """End it with SIGKILL and wait for its end; nothing happens when it does not run.

        Raises TimeoutExpired where the kernel does not let it go within a minute.
        """
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGKILL)
            self._process.wait(KILL_SECONDS)

    def _port_was_taken(self) -> bool:
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return b"address already in use" in file.read()
