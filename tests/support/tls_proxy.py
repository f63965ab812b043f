"""A proxy that breaks TLS open, as companies put between a cluster and the internet."""

import contextlib
import socket
import socketserver
import ssl
import threading
from pathlib import Path
from typing import Any

from support.control_plane.certificates import Authority
from support.served import Published

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class TlsProxy(Published):
    """Answers CONNECT for some hosts with certificates of its own authority.

    What comes through the tunnel goes to one server on loopback, in clear text. `asked` lists the
    hosts of all tunnels, `ca` is the authority's PEM file.
    """

    def __init__(self, folder: Path, hosts: list[str], backend_port: int) -> None:
        authority = Authority(folder)
        pair = authority.server("proxy", dns=hosts, ips=[])
        self.ca = authority.path
        self.asked: list[str] = []
        self._backend = ("127.0.0.1", backend_port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._server = _Server(("127.0.0.1", 0), self._handler())
        super().__init__(self._server)

    @property
    def url(self) -> str:
        """As HTTPS_PROXY takes it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                proxy.asked.append(self.rfile.readline().split()[1].decode().partition(":")[0])
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(_ESTABLISHED)
                # A client that does not trust the authority hangs up here.
                with contextlib.suppress(OSError):
                    proxy._tunnel(self.connection)

        return Handler

    def _tunnel(self, connection: socket.socket) -> None:
        with (
            self._context.wrap_socket(connection, server_side=True) as client,
            socket.create_connection(self._backend) as backend,
        ):
            backend.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            back = threading.Thread(target=_copy, args=(backend, client), daemon=True)
            back.start()
            _copy(client, backend)
            back.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def _copy(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
