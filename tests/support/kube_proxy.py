"""Plain HTTP to a control plane through `kubectl proxy`: quick requests without a process each."""

import http
import http.client
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from support.control_plane import ControlPlane

Body = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
_PORT = re.compile(r"127\.0\.0\.1:(\d+)")


class Unanswered(Exception):
    """Nobody answered, or only the proxy did: the request may or may not have been acted on.

    Also where a server that has just come back says to ask again.
    """


class KubeProxy:
    """The administrator's requests; every thread has a kept connection of its own."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._local = threading.local()
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        kubectl, config = self._plane.binaries.kubectl, self._plane.kubeconfig_admin
        command = [str(kubectl), f"--kubeconfig={config}", "proxy", "--port=0"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        found = _PORT.search(self._process.stdout.readline())
        assert found, "kubectl proxy did not start"
        self._port = int(found[1])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def request(self, method: str, path: str, body: Body | None = None) -> tuple[int, Body]:
        """Status and answer; raises Unanswered."""
        kind = MERGE_PATCH if method == "PATCH" else "application/json"
        connection = self._connection()
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": kind})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._local.connection = None
            connection.close()
            raise Unanswered(str(error)) from None
        if response.status >= 500 or response.status == http.HTTPStatus.TOO_MANY_REQUESTS:
            raise Unanswered(f"{response.status} {content[:200]!r}")
        return response.status, json.loads(content)

    def watch(self, path: str, query: str, since: str) -> Iterator[Body]:
        """The events of a watch until it ends, which it does after some seconds at most."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        url = f"{path}?watch=1&allowWatchBookmarks=true&resourceVersion={since}&{query}"
        try:
            connection.request("GET", f"{url}&timeoutSeconds=4")
            response = connection.getresponse()
            if response.status != 200:
                raise Unanswered(f"{response.status}")
            while line := response.readline():
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unanswered(str(error)) from None
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            self._local.connection = connection
        return connection
