"""The way from one operator to the API server, which can be disturbed while the other's is not."""

import asyncio
import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Final, Literal, Self

Fault = Literal["hang", "reset", "lost answers", "slow"]

_CHUNK: Final = 65536
END_SECONDS: Final = 60.0
_RESET: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: a socket that is closed sends RST."""


class FaultyWay:
    """Forwards TCP to the API server from a port of its own; TLS goes through as it is.

    `disturb` works on connections that there are and that come, until `mend`:

    - `hang`: nothing goes through in either direction, and nobody is told;
    - `reset`: every connection is reset;
    - `lost answers`: requests arrive, and their answers do not;
    - `slow`: whatever the API server sends arrives `slow_seconds` late.

    What was held back is never delivered: these connections end with the fault.
    """

    def __init__(self, port: int, *, slow_seconds: float = 0.0) -> None:
        self._server_port = port
        self._slow_seconds = slow_seconds
        self._fault: Fault | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def disturb(self, fault: Fault) -> None:
        """Begin a fault."""
        asyncio.run_coroutine_threadsafe(self._change(fault), self._loop).result()

    def mend(self) -> None:
        """End it."""
        asyncio.run_coroutine_threadsafe(self._change(None), self._loop).result()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        self._server.close()
        self._reset_all()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=END_SECONDS)
            assert not left, f"they go on although they were cancelled: {left}"

    async def _change(self, fault: Fault | None) -> None:
        self._fault = fault
        if fault in (None, "reset"):
            self._reset_all()

    def _reset_all(self) -> None:
        for writer in self._writers:
            connection: socket.socket = writer.get_extra_info("socket")
            if connection.fileno() != -1:  # else it has just been closed
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            server_reader, server_writer = await asyncio.open_connection(
                "127.0.0.1", self._server_port
            )
            ours = {writer, server_writer}
            self._writers |= ours
            if self._fault == "reset":
                self._reset_all()
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._requests(reader, server_writer))
                    both.create_task(self._answers(server_reader, writer))
            except* OSError:
                pass
            finally:
                self._writers -= ours
                for each in ours:
                    each.close()
            return
        writer.close()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self._fault != "hang":
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self._fault == "slow":
                await asyncio.sleep(self._slow_seconds)
            if self._fault not in ("hang", "lost answers"):
                writer.write(data)
                await writer.drain()
        writer.close()
