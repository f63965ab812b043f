"""The event loop: long computations leave it to others, and it ends, whatever does not."""

import asyncio
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from artifact_index import runtime
from artifact_index.runtime import Turns, beside_the_loop
from support.operator_process import REPOSITORY

pytestmark = pytest.mark.unit


async def test_a_computation_beside_the_loop_does_not_hold_it() -> None:
    went_on = threading.Event()
    asyncio.get_running_loop().call_later(0.01, went_on.set)
    assert await beside_the_loop(lambda: went_on.wait(20))


async def test_an_error_beside_the_loop_is_that_of_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        await beside_the_loop(lambda: 1 / 0)


async def test_a_computation_that_has_not_begun_is_dropped_with_its_caller() -> None:
    go_on, ran = threading.Event(), threading.Event()
    first = asyncio.ensure_future(beside_the_loop(lambda: go_on.wait(20)))
    second = asyncio.ensure_future(beside_the_loop(ran.set))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go_on.set()
    assert await first
    assert await beside_the_loop(lambda: True)  # whatever came before has ended
    assert not ran.is_set()


@pytest.mark.parametrize(("longest", "rounds"), [(0.0, 5), (60.0, 0)])
async def test_others_get_a_turn_when_the_loop_was_held_for_long(
    longest: float, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_LONGEST_TURN", longest)
    turns, others = Turns(), 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(5):
        time.sleep(0.001)  # noqa: ASYNC251 - a step
        await turns.leave()
    task.cancel()
    assert others == rounds


async def test_of_several_long_computations_only_one_goes_on_in_an_iteration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "_LONGEST_TURN", 0.0)
    loop, iteration, went_on = asyncio.get_running_loop(), 0, list[tuple[int, str]]()

    def count() -> None:
        nonlocal iteration
        iteration += 1
        loop.call_soon(count)

    async def compute(name: str) -> None:
        turns = Turns()
        for _ in range(3):
            time.sleep(0.001)  # noqa: ASYNC251 - a step
            await turns.leave()
            went_on.append((iteration, name))

    count()
    await asyncio.gather(*map(compute, "abc"))
    assert len({number for number, _ in went_on}) == len(went_on) == 9
    assert "".join(name for _, name in went_on) == "abc" * 3


_IGNORES_ITS_END = """
import asyncio
from artifact_index import runtime

async def ignore():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def main():
    main.others = [asyncio.create_task(each, name=name) for name, each in
                   (("watch", ignore()), ("worker", asyncio.sleep(3600)))]
    await asyncio.sleep(0)
    END

print(runtime.run(main()))
"""


@pytest.mark.parametrize(("end", "status"), [("return 'done'", 0), ("1 / 0", 1)])
def test_a_task_that_ignores_its_end_ends_with_the_process(end: str, status: int) -> None:
    program = [sys.executable, "-c", _IGNORES_ITS_END.replace("END", end)]
    environment = {"PYTHONPATH": str(REPOSITORY / "operator")}
    done = subprocess.run(
        program, env=environment, timeout=20, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (status, "" if status else "done\n")
    assert done.stderr.startswith("these do not end, and end with the process: watch\n")


_RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: a socket that is closed sends RST."""


async def connected_to(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection, as aiohttp connects before it hands the socket to the loop."""
    ours = socket.socket()
    ours.setblocking(False)
    await asyncio.get_running_loop().sock_connect(ours, listener.getsockname())
    return ours, listener.accept()[0]


async def fail_to_connect(listener: socket.socket, *, reset: bool) -> socket.socket:
    """The socket of a connection that ends before or in its handshake."""
    ours, theirs = await connected_to(listener)
    if reset:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        theirs.close()
    with pytest.raises((ConnectionError, TimeoutError)):
        async with asyncio.timeout(0.05):
            await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, sock=ours, ssl=ssl.create_default_context(), server_hostname="x"
            )
    theirs.close()
    return ours


def descriptors() -> set[str]:
    """Those that this process has open."""
    return {each.name for each in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "no answer"])
def test_a_connection_that_fails_closes_no_other(*, reset: bool) -> None:
    async def connect() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            failed = await fail_to_connect(listener, reset=reset)
            await asyncio.sleep(0)
            ours, theirs = await connected_to(listener)
            reader, writer = await asyncio.open_connection(sock=ours)
            del failed  # as an error's traceback has it, until it is freed
            third, peer = await connected_to(listener)
            theirs.send(b"an event")
            async with asyncio.timeout(20):
                assert await reader.read(8) == b"an event"
            for each in (theirs, third, peer, writer):
                each.close()
            await writer.wait_closed()

    runtime.run(asyncio.sleep(0))  # libuv itself opens two descriptors for good
    before = descriptors()
    runtime.run(connect())
    assert descriptors() == before
