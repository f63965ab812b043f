"""`artifact-index` without its start, most of a call's CPU: a process that has imported it forks.

`python -m support.warm_program SOCKET` serves calls on a Unix socket; `install` starts that and
puts a command in front of it.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

_CLIENT = """#!{python} -IS
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({path!r})
call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(connection, [len(call).to_bytes(4)], [0, 1, 2])
connection.sendall(call)
status = connection.recv(1)
sys.exit(status[0] if status else 70)
"""


@contextlib.contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Put the command `artifact-index` into a folder, for as long as the context lasts."""
    path = folder / "socket"
    command = [sys.executable, "-m", "support.warm_program", str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None and server.stdout.readline(), "it has not started"
        program = folder / "artifact-index"
        program.write_text(_CLIENT.format(python=sys.executable, path=str(path)))
        program.chmod(0o755)
        yield
    finally:
        server.kill()
        server.communicate()


def _serve(path: str) -> None:
    package = importlib.import_module("artifact_index.cli")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            size, streams, _, _ = socket.recv_fds(connection, 4, 3)
            call = connection.recv(int.from_bytes(size), socket.MSG_WAITALL)
            if os.fork() == 0:
                connection.sendall(bytes([_call(call, streams)]))
                os._exit(0)
            for stream in streams:
                os.close(stream)
            connection.close()


def _call(call: bytes, streams: list[int]) -> int:
    """Run one call in this process, which ends after it; returns its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    arguments, folder, environment = json.loads(call)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["artifact-index", *arguments]
    try:
        status = importlib.import_module("artifact_index.cli.main").main(arguments)
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else 0 if status is None else 1


if __name__ == "__main__":
    _serve(sys.argv[1])
