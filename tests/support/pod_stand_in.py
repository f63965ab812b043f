"""An operator's process shown as the pod of its Deployment, for kubectl: there is no kubelet."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from support.control_plane import ControlPlane
from support.operator_process import OPERATOR_NAMESPACE, OperatorProcess

NODE: Final = "node-1"
POD: Final = "artifact-index-operator-0"
_LATER: Final = 1_000
"""A generation that the Deployment does not reach: no controller looks at what a page changes."""

_DEPLOYMENT: Final = (
    f"/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments/artifact-index-operator"
)


class PodStandIn:
    """A node whose kubelet serves one log, and a pod on it; a context manager.

    The pod is made of the Deployment's template. `kubectl logs` reads what the process has printed,
    with `--previous` too.
    """

    def __init__(self, plane: ControlPlane, operator: OperatorProcess) -> None:
        self._plane = plane
        certificate = plane.server_certificate("kubelet", ips=["127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(operator))
        # The handshake is the handler's: a client that is slow with it would keep out all others.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._create_node()
        self._create_pod()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _create_node(self) -> None:
        self._plane.write("POST", "/api/v1/nodes", {"metadata": {"name": NODE}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_port}},
        }
        self._plane.write("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status})

    def _create_pod(self) -> None:
        deployment = self._plane.read(_DEPLOYMENT)
        assert deployment is not None
        template = deployment["spec"]["template"]
        metadata = {"name": POD, "labels": template["metadata"]["labels"]}
        pods = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"
        spec = {**template["spec"], "nodeName": NODE}
        self._plane.write("POST", pods, {"metadata": metadata, "spec": spec})
        ready = {"observedGeneration": _LATER, "replicas": 2, "readyReplicas": 2}
        self._plane.write("PATCH", f"{_DEPLOYMENT}/status", {"status": ready})
        # An address of this machine that is not loopback, which the API server would not call.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect(("192.0.2.1", 9))
            address = route.getsockname()[0]
        status = {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}
        self._plane.write("PATCH", f"{pods}/{POD}/status", status)


def _handler(operator: OperatorProcess) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/containerLogs/")
            body = operator.log.encode() if found else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
