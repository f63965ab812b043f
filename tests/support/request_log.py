"""What was asked of the index servers, and by whom."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class IndexRequest:
    """One request: path without query; user name and password are None where none were sent."""

    method: str
    path: str
    username: str | None
    password: str | None
    status: int


class RequestLog:
    """Requests in the order of their answers; several servers may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[IndexRequest] = []

    def note(self, request: IndexRequest) -> None:
        """Write a request down."""
        with self._lock:
            self._requests.append(request)

    def requests(self) -> list[IndexRequest]:
        """What was written down so far."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget it."""
        with self._lock:
            self._requests.clear()
