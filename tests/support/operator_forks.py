"""The operator's process without the imports of its start, which are most of the CPU of one.

A process that has imported the operator forks for each start, and the child runs what
`python -m artifact_index` runs. It is no child of the test's own process: a minder between them
waits for its end and tells of it. All of them end with the process that asked for them.

What has been forked of one process has the same seed of Python's hashes, by which sets are ordered.
Two of them take turns: what two starts in a row make of the same objects is compared as before.
"""

import atexit
import ctypes
import functools
import gc
import importlib
import itertools
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from support.control_plane.processes import environment, spawn_tied_text

OPERATOR = Path(__file__).resolve().parents[2] / "operator"
_IMPORTED = ("artifact_index.app", "artifact_index.cli.run")
_LAZY = ("boto3", "botocore", "google.auth")
"""What only an operator with such a login loads, by its own environment."""
_PR_SET_PDEATHSIG = 1
_turns = itertools.cycle((0, 1))


class ForkedProcess:
    """A started operator, with what `OperatorProcess` needs of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        """Start `python -m artifact_index` with these arguments and this environment."""
        self.args = ("-m", "artifact_index", *arguments)
        self.returncode: int | None = None
        reading, writing = os.pipe()
        self.stdout: IO[str] = open(reading)  # noqa: PTH123, SIM115 - of a descriptor
        self._minder = socket.socket(socket.AF_UNIX)
        self._minder.connect(str(_server(next(_turns))))
        call = json.dumps([list(arguments), dict(env), str(Path.cwd())]).encode()
        socket.send_fds(self._minder, [len(call).to_bytes(4)], [writing])
        os.close(writing)
        self._minder.sendall(call)
        told = self._minder.recv(4, socket.MSG_WAITALL)
        assert told, "the operator could not be forked"
        self.pid = int.from_bytes(told)

    def poll(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises TimeoutExpired after `timeout` seconds."""
        if (status := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._minder], [], [], timeout)[0]:
            # The process id is not given to another one before the minder hears of us.
            status = self._minder.recv(4, socket.MSG_WAITALL)
            self.returncode = int.from_bytes(status, signed=True) if status else -signal.SIGKILL
            self._minder.close()
        return self.returncode


@functools.cache
def _server(turn: int) -> Path:
    """The socket of one of this process' two servers, which is started at first use."""
    folder = tempfile.TemporaryDirectory(prefix="operator-forks-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "socket"
    paths = os.pathsep.join(map(str, (OPERATOR, OPERATOR.parent / "tests")))
    clean = environment("AWS_", "GOOGLE_", "GCE")
    command = [sys.executable, "-m", "support.operator_forks", str(path)]
    server = spawn_tied_text(command, clean | {"PYTHONPATH": paths})
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n", server.stdout.read()
    return path


def _serve(path: str) -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    assert not [name for name in _LAZY if name in sys.modules]
    assert threading.active_count() == 1
    # A collection in a child would copy every page that they share: they are left out, as the
    # operator itself leaves out what it has imported.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _mind(connection)
            connection.close()


def _mind(connection: socket.socket) -> None:
    """Start an operator, tell of its process id and of its end. Returns in the operator alone."""
    _end_with(os.getppid())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, [output], _, _ = socket.recv_fds(connection, 4, 1)
    call = connection.recv(int.from_bytes(size), socket.MSG_WAITALL)
    minder = os.getpid()
    if (pid := os.fork()) == 0:
        connection.close()
        _end_with(minder)
        _operate(output, *json.loads(call))
    os.close(output)
    connection.sendall(pid.to_bytes(4))
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    exited = ended.si_code == os.CLD_EXITED
    status = ended.si_status if exited else -ended.si_status
    connection.sendall(status.to_bytes(4, signed=True))
    connection.recv(1)
    os._exit(0)


def _operate(output: int, arguments: list[str], env: dict[str, str], folder: str) -> NoReturn:
    """Do what `python -m artifact_index` does, and end as that ends."""
    with open(os.devnull) as nothing:  # noqa: PTH123 - a descriptor is what is wanted
        for number, stream in enumerate((nothing.fileno(), output, output)):
            os.dup2(stream, number)
    os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.argv = ["artifact_index", *arguments]
    runpy.run_module("artifact_index", run_name="__main__", alter_sys=True)
    raise AssertionError("the module ends by an exit")


def _end_with(parent: int) -> None:
    """Be killed when the parent ends, or end now if it has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    _serve(sys.argv[1])
