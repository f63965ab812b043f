"""A server of the tests' own process, for as long as a `with` block lasts."""

import socketserver
import threading
from types import TracebackType
from typing import Self


class Published:
    """A context manager whose server answers in a thread of its own."""

    def __init__(self, server: socketserver.BaseServer) -> None:
        self._base = server
        self._serving = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._base.shutdown()
        self._base.server_close()
        self._serving.join()
