"""HTTPS requests to the API server with the administrator's certificate."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from support.control_plane.certificates import KeyPair
from support.control_plane.errors import ControlPlaneFailed

TIMEOUT_SECONDS = 30.0
# Short: a stranger that got our port may accept a connection and say nothing.
PROBE_SECONDS = 3.0


class AdminApi:
    """A client without retries, proxies or a kept connection, for what the harness itself asks."""

    def __init__(self, port: int, ca: Path, administrator: KeyPair) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=ca)
        self._tls.load_cert_chain(administrator.certificate, administrator.key)

    def send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> tuple[int, bytes]:
        """Return status and body; raises OSError or HTTPException when nobody answers."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=timeout, context=self._tls
        )
        try:
            connection.request(
                method,
                path,
                None if body is None else json.dumps(body),
                {"Content-Type": "application/json"},
            )
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def answers_ok(self, path: str) -> bool:
        """Tell whether a GET answers 200 within 3 s; nobody answering counts as no."""
        try:
            status, _ = self.send("GET", path, timeout=PROBE_SECONDS)
        except (OSError, http.client.HTTPException):
            return False
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
