"""HTTPS requests to the API server with the administrator's certificate."""

import http.client
import json
import select
import ssl
import threading
from pathlib import Path
from typing import Any

from support.control_plane.certificates import KeyPair
from support.control_plane.errors import ControlPlaneFailed

TIMEOUT_SECONDS = 30.0
# Short: a stranger that got our port may accept a connection and say nothing.
PROBE_SECONDS = 3.0
_CONTENT_TYPES = {"PATCH": "application/merge-patch+json"}

Answer = tuple[int, bytes]
"""Status and body."""


class AdminApi:
    """A client without retries or proxies, for what the harness itself asks.

    Each thread keeps a connection: tests poll, and a TLS handshake costs more than a request.
    """

    def __init__(self, port: int, ca: Path, administrator: KeyPair) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=ca)
        self._tls.load_cert_chain(administrator.certificate, administrator.key)
        self._of_thread = threading.local()

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Return status and body; raises OSError or HTTPException when nobody answers."""
        connection = self._kept_connection()
        try:
            return _ask(connection, method, path, body)
        except BaseException:
            # The next request opens it again.
            connection.close()
            raise

    def answers_ok(self, path: str) -> bool:
        """Tell whether a GET answers 200 within 3 s; nobody answering counts as no."""
        connection = self._connection(PROBE_SECONDS)
        try:
            status, _ = _ask(connection, "GET", path)
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return status == http.HTTPStatus.OK

    def text(self, path: str) -> str:
        """Return the body at a path; raises ControlPlaneFailed unless the status is 2xx."""
        return self._checked("GET", path)

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path; raises ControlPlaneFailed unless the status is 2xx."""
        answer: dict[str, Any] = json.loads(self.text(path))
        return answer

    def create(self, path: str, body: dict[str, Any], *, may_exist: bool = False) -> dict[str, Any]:
        """POST an object and return the answer; `may_exist` accepts that it is there already.

        Raises ControlPlaneFailed for any other status than 2xx.
        """
        accepted = http.HTTPStatus.CONFLICT if may_exist else None
        answer: dict[str, Any] = json.loads(self._checked("POST", path, body, accepted))
        return answer

    def _kept_connection(self) -> http.client.HTTPSConnection:
        kept: http.client.HTTPSConnection | None = getattr(self._of_thread, "connection", None)
        if kept is None:
            kept = self._of_thread.connection = self._connection(TIMEOUT_SECONDS)
        # Between two requests nothing comes but the end of a server, or of its patience.
        elif kept.sock is not None and select.select([kept.sock], [], [], 0)[0]:
            kept.close()
        return kept

    def _connection(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=timeout, context=self._tls
        )

    def _checked(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        accepted: int | None = None,
    ) -> str:
        status, content = self.send(method, path, body)
        text = content.decode()
        if status // 100 != 2 and status != accepted:
            raise ControlPlaneFailed(f"{method} {path}: {status} {text}")
        return text


def _ask(
    connection: http.client.HTTPSConnection,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
) -> Answer:
    content = None if body is None else json.dumps(body)
    headers = {"Content-Type": _CONTENT_TYPES.get(method, "application/json")}
    connection.request(method, path, content, headers)
    response = connection.getresponse()
    return response.status, response.read()
