"""An admission webhook that admits the operator's writes in one namespace, and takes its time."""

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from support.control_plane.certificates import Authority
from support.served import Published

_WRITTEN = ["secrets", "configmaps", "indexoptions/status", "artifactindexes/status"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An API server that gave up is no error here."""


class SlowAdmission(Published):
    """Serves HTTPS on loopback; `folder` gets its certificate. `delay` is in seconds."""

    def __init__(self, folder: Path, delay: float) -> None:
        authority = Authority(folder)
        pair = authority.server("admission", dns=[], ips=["127.0.0.1"])
        self._ca = authority.path
        self._ended = threading.Event()
        self._delay = delay
        self._server = _Server(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        # The handshake is the handler's: a client that is slow with it would keep out all others.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        super().__init__(self._server)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        super().__exit__(kind, error, trace)

    def configuration(self, namespace: str, user: str) -> dict[str, Any]:
        """Ask it about each write of this user in this namespace."""
        client = {
            "url": f"https://127.0.0.1:{self._server.server_address[1]}/",
            "caBundle": base64.b64encode(self._ca.read_bytes()).decode(),
        }
        hook = {
            "name": "slow.bench.example",
            "clientConfig": client,
            "rules": [
                {
                    "apiGroups": ["*"],
                    "apiVersions": ["*"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": _WRITTEN,
                }
            ],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "matchConditions": [
                {"name": "operator", "expression": f"request.userInfo.username == '{user}'"}
            ],
            "timeoutSeconds": 30,
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "slow"},
            "webhooks": [hook],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        admission = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                admission._ended.wait(admission._delay)
                answer = {"uid": review["request"]["uid"], "allowed": True}
                kinds = {name: review[name] for name in ("apiVersion", "kind")}
                body = json.dumps({**kinds, "response": answer}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """The bench prints its table alone."""

        return Handler
